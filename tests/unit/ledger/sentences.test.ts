import { expect, test } from 'vitest';
import type { Fact } from '../../../functions/ledger/facts.pure.ts';
import { objectIdsOf, sayStep } from '../../../functions/ledger/sentences.pure.ts';
import {
  adjustment,
  allowance,
  booksAt,
  closed,
  creditNote,
  customer,
  dispute,
  hold,
  pack,
  paid,
  paymentFailed,
  pro,
  prorated,
  refund,
  release,
  signup,
  spent,
  starter,
  state,
  suspension,
  tried,
  undone,
  unlimited,
  yearly,
  type When,
} from '../../support/facts.ts';

const told = (facts: Fact[], at: When): string[] => booksAt(facts, at).steps.map(sayStep);
/** What the last steps of a story say. */
const last = (count: number, facts: Fact[], at: When = 300): string[] =>
  told(facts, at).slice(-count);

test('a trial, its extension, and the first payment', () => {
  expect(
    told([signup(0), tried('in_1', starter, 1), tried('in_2', starter, 2)], 3).slice(1),
  ).toEqual([
    'Trial of plan starter until 2027-01-16: 200 plan credits added.',
    'Invoice in_2 extends the trial of plan starter until 2027-01-17: nothing changed.',
  ]);
  expect(last(1, [paid('in_1', starter, 1, { reason: 'create', quantity: 2 })])).toEqual([
    'First paid invoice of plan starter × 2 for the period ending 2027-02-01: plan credits set to 2,000.',
  ]);
});

test('what somebody else paid, and who', () => {
  const theirs = { customer: 'cus_b', subscription: 'sub_b', isChosen: true } as const;
  const known = customer('cus_own');
  expect(
    told(
      [
        known,
        state('active', starter, 1, theirs),
        paid('in_b', starter, 1, theirs),
        pack('cs_b', 2, { customer: 'cus_b', isChosen: true }),
        pack('cs_c', 3, { isChosen: true }),
        pack('cs_d', 4, { customer: 'cus_own' }),
      ],
      5,
    ),
  ).toEqual([
    'Stripe customer cus_own pays for this account.',
    'Subscription sub_b of somebody who chose this account is active on plan starter: nothing changed.',
    'Renewal of plan starter for the period ending 2027-02-01: paid by the Stripe customer cus_b, who chose this account, 1,000 credits added and nothing else changed.',
    'Purchase of 1 × pack small, paid by the Stripe customer cus_b, who chose this account: 500 credits added.',
    'Purchase of 1 × pack small, paid by a guest who chose this account: 500 credits added.',
    'Purchase of 1 × pack small: 500 credits added.',
  ]);
});

test('changes within a period: cut, back, more of it, an unlimited plan left', () => {
  const begun = paid('in_1', pro, 0);
  const down = state('active', starter, 5, { since: 0 });
  expect(last(1, [begun, down])).toEqual([
    'Subscription sub_1 is active on plan starter; less than was granted, so plan credits were cut by 4,000.',
  ]);
  expect(last(1, [begun, down, prorated('in_2', pro, 6, { since: 0, charge: 4000 })])).toEqual([
    'Change to plan pro for the period ending 2027-01-31: no new period; 4,000 plan credits came back that an earlier change had cut.',
  ]);
  expect(
    last(1, [begun, prorated('in_2', pro, 15, { since: 0, charge: 4000, quantity: 2 })]),
  ).toEqual([
    'Change to plan pro × 2 for the period ending 2027-01-31: no new period; 2,500 plan credits added for the greater quantity.',
  ]);
  expect(
    last(1, [
      paid('in_1', unlimited, 0),
      prorated('in_2', starter, 5, { since: 0, charge: -9000 }),
    ]),
  ).toEqual([
    'Change to plan starter for the period ending 2027-01-31: it leaves an unlimited plan, plan credits set to 1,000.',
  ]);
});

test('invoices that come to nothing', () => {
  expect(last(1, [paid('in_1', starter, 40, { period: [1_798_761_600, 1_801_353_600] })])).toEqual([
    'Invoice in_1 of plan starter for the period ending 2027-01-31 was paid after that: no credits.',
  ]);
  expect(
    last(1, [
      paid('in_2', starter, 20),
      paid('in_1', starter, 21, { period: [1_798_761_600, 1_801_353_600] }),
    ]),
  ).toEqual([
    'Invoice in_1 of plan starter for the period ending 2027-01-31 is older than the newest that is paid: nothing changed.',
  ]);
  expect(last(2, [paymentFailed('in_3', 3), closed('in_3', 9)])).toEqual([
    'Invoice in_3 could not be paid.',
    'Invoice in_3 will not be paid any more.',
  ]);
});

test('a yearly plan goes on by months, which have no fact of their own', () => {
  const { steps } = booksAt([paid('in_y', yearly, 0), ...spent('j', 300, 5)], 32);
  const month = steps.at(-1);
  expect(month && sayStep(month)).toBe(
    'Month from 2027-02-01 of plan yearly, paid by the year: plan credits set to 1,000; 700 unused credits expired.',
  );
  expect(month && objectIdsOf(month)).toEqual(['sub_1', 'in_y']);
  const halved = refund('re', 'in_y', 12_000, 40);
  expect(last(1, [paid('in_y', yearly, 0), halved], 41)).toEqual([
    'Refund re over 12,000 (minor units) of invoice:in_y: 0 credits taken back; 6,000 credits of coming months will not come.',
  ]);
});

test('money that goes back, and comes back', () => {
  const bought = [pack('cs_1', 1), ...spent('j', 400, 2)];
  expect(last(1, [...bought, refund('re', 'cs_1', 1000, 3)])).toEqual([
    'Refund re over 1,000 (minor units) of session:cs_1: 100 credits taken back; 400 more had been spent (shortfall).',
  ]);
  expect(last(1, [...bought, undone(dispute('du', 'cs_1', 1000, 3))])).toEqual([
    'Dispute du over 1,000 (minor units) was won or withdrawn: it is as if it never was.',
  ]);
  expect(told([creditNote('cn', 'in_9', 5, 1)], 2)).toEqual([
    'Credit note cn over 5 (minor units) of invoice:in_9: it waits for that payment.',
  ]);
  expect(
    last(1, [pack('cs_1', 1), paid('in_1', starter, 2), refund('re', 'cs_1', 500, 3)]),
  ).toEqual([
    'Refund re over 500 (minor units) of session:cs_1: 0 credits taken back; 250 more had expired.',
  ]);
});

test('jobs: held, given back, uncovered, unlimited', () => {
  expect(last(2, [pack('cs_1', 1), hold('j', 500, 2), release('j', 40, 3)])).toEqual([
    'Job j started: 500 credits held.',
    'Job j ended: 40 credits given back, 460 charged.',
  ]);
  expect(last(1, [pack('cs_1', 1), hold('j', 900, 2)])).toEqual([
    'Job j started: 900 credits held; 400 of them were not there (shortfall).',
  ]);
  expect(
    last(1, [pack('cs_1', 1), hold('j', 1, 2), paid('in_1', starter, 3), release('j', 1, 4)]),
  ).toEqual([
    'Job j ended: 0 credits given back, 0 charged; 1 credit more went to what had expired, been cut or was owed.',
  ]);
  const used = { ...release('j', 0, 3), rows: 1200 };
  const begun = [state('active', unlimited, 0), paid('in_1', unlimited, 0)];
  expect(last(2, [...begun, hold('j', 1200, 2), used], 4)).toEqual([
    'Job j started on an unlimited plan: nothing held.',
    'Job j ended on an unlimited plan: 1,200 rows, nothing charged.',
  ]);
});

test('states, free months and operators', () => {
  const ends = { cancelAt: 1_801_353_600 };
  expect(
    told(
      [
        allowance(0, 0),
        state('active', starter, 1, ends),
        paid('in_1', starter, 1),
        allowance(1, 2),
        adjustment('a', 1_000_000, 3),
        adjustment('b', -1, 4),
        suspension('suspend', 5),
        suspension('lift', 6),
        state('canceled', starter, 7, { phase: 'deleted', since: 1 }),
        state('active', null, 8, { subscription: 'sub_2' }),
      ],
      9,
    ),
  ).toEqual([
    'Free month: bonus credits set to 50.',
    'Subscription sub_1 is active on plan starter; it ends on 2027-01-31.',
    'Renewal of plan starter for the period ending 2027-02-01: plan credits set to 1,000; 50 unused credits expired.',
    'Free month: there was a plan, so nothing was granted.',
    'An operator added 1,000,000 bonus credits: "goodwill".',
    'An operator took back 1 credit: "goodwill".',
    'An operator suspended the account: "looks odd".',
    'An operator lifted the suspension: "looks odd".',
    'Subscription sub_1 of plan starter ended.',
    'Subscription sub_2 is active on no plan of ours.',
  ]);
});
