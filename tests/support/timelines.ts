import fc from 'fast-check';
import type { Fact } from '../../functions/ledger/facts.pure.ts';
import {
  adjustment,
  allowance,
  aSecond,
  chargeRefunded,
  closed,
  creditNote,
  customer,
  dispute,
  hold,
  lost,
  pack,
  paid,
  paymentFailed,
  pro,
  prorated,
  refund,
  release,
  signup,
  starter,
  state,
  suspension,
  tried,
  undone,
  unlimited,
  yearly,
  yearlyAtOnce,
} from './facts.ts';

/** Timelines for property tests: every kind of fact, few seconds, so that there are ties. */

const plans = fc.constantFrom(starter, pro, unlimited, yearly, yearlyAtOnce);
const statuses = fc.constantFrom(
  'active',
  'active',
  'active',
  'trialing',
  'past_due',
  'unpaid',
  'paused',
  'incomplete',
  'canceled',
);
const times = fc.integer({ min: 0, max: 24 }).map((slot) => slot * 5);
const subscriptions = fc.constantFrom('sub_1', 'sub_2');
const quantities = fc.constantFrom(1, 1, 1, 2, 3);
const ids = fc.integer({ min: 1, max: 6 });

const common = { at: times, subscription: subscriptions, quantity: quantities, of: plans, id: ids };

const stateFacts = fc
  .record({ ...common, status: statuses, phase: fc.constantFrom('updated', 'created', 'deleted') })
  .map(({ at, of, status, id, ...rest }) =>
    state(status, of, at, {
      since: Math.floor(at / 30) * 30,
      key: `state:${rest.subscription}:${at}:${rest.phase}:${id}`,
      ...rest,
    }),
  );

const planFacts = fc
  .record({
    ...common,
    form: fc.constantFrom('full', 'full', 'proration', 'trial'),
    charge: fc.constantFrom(-500, 0, 1500, 2900),
    isLate: fc.boolean(),
  })
  .map(({ at, of, form, id, charge, isLate, ...rest }) => {
    const invoice = `in_${id}`;
    if (form === 'trial') return tried(invoice, of, at, rest);
    if (form === 'proration')
      return prorated(invoice, of, at, { since: Math.floor(at / 30) * 30, charge, ...rest });
    const begun = Math.floor(at / 30) * 30;
    const { periodStart, periodEnd } = paid(invoice, of, isLate ? begun : at);
    return paid(invoice, of, at, { period: [periodStart, periodEnd], ...rest });
  });

const otherFacts: fc.Arbitrary<Fact[]> = fc
  .record({ amount: fc.integer({ min: 0, max: 2000 }), ...common })
  .chain(({ at, id, amount, subscription }) =>
    fc.constantFrom<Fact[]>(
      [pack(`cs_${id}`, at, { credits: amount })],
      [pack(`cs_${id}`, at)],
      [adjustment(`${id}`, amount - 1000, at)],
      [allowance(id, at, amount)],
      [suspension(amount % 2 ? 'lift' : 'suspend', at)],
      [paymentFailed(`in_${id}`, at, { subscription })],
      [closed(`in_${id}`, at, { subscription })],
      [signup(at, amount)],
    ),
  );

const jobs = fc
  .record({
    at: times,
    id: ids,
    credits: fc.integer({ min: 0, max: 3000 }),
    share: fc.integer({ min: 0, max: 10 }),
    micros: fc.integer({ min: 0, max: 3 }),
    lasts: fc.integer({ min: 0, max: 12 }),
    isOpen: fc.boolean(),
  })
  .map(({ at, id, credits, share, micros, lasts, isOpen }): Fact[] => {
    const from = at + micros * 1e-6 * aSecond;
    const start = hold(`${id}`, credits, from);
    if (isOpen) return [start];
    return [start, release(`${id}`, Math.floor((credits * share) / 10), from + lasts * 5)];
  });

/** Reversals of any payment, with what they come to in the end. */
const reversals = fc
  .record({
    at: times,
    id: ids,
    of: fc.constantFrom('in', 'cs'),
    number: ids,
    amount: fc.integer({ min: 1, max: 30_000 }),
    source: fc.constantFrom(refund, dispute, creditNote, chargeRefunded),
    end: fc.constantFrom('open', 'lost', 'undone'),
  })
  .map(({ at, id, of, number, amount, source, end }): Fact[] => {
    const back = source(`${of}_${number}_${id}`, `${of}_${number}`, amount, at);
    if (end === 'open' || source === chargeRefunded) return [back];
    return [back, end === 'lost' ? lost(back) : undone(back)];
  });

const chunks = fc.oneof(
  { weight: 4, arbitrary: planFacts.map((fact): Fact[] => [fact]) },
  { weight: 4, arbitrary: stateFacts.map((fact): Fact[] => [fact]) },
  { weight: 4, arbitrary: otherFacts },
  { weight: 4, arbitrary: jobs },
  { weight: 3, arbitrary: reversals },
);

/** Of these a telling says who pays, and whether that was somebody's choice. */
const isPaid = ({ kind }: Fact): boolean => ['state', 'plan', 'pack', 'invoice'].includes(kind);

const inMode = (fact: Fact, mode: 'reset-all' | 'keep-purchased'): Fact =>
  fact.kind === 'plan' ? { ...fact, mode } : fact;

/** A user's facts as they happen; some keys are told more than once, with other numbers too. */
export const timelines: fc.Arbitrary<Fact[]> = fc
  .record({
    mode: fc.constantFrom('reset-all', 'keep-purchased'),
    told: fc.array(chunks, { minLength: 1, maxLength: 22 }),
  })
  .map(({ mode, told }) => told.flat().map((fact) => inMode(fact, mode)));

/** One happening told several times: other times, numbers, statuses, deciding moments. */
export const tellings: fc.Arbitrary<Fact[]> = fc
  .record({
    fact: fc.oneof(
      chunks.map(([fact]) => fact as Fact),
      stateFacts,
      planFacts,
      ids.map((id) => customer(`cus_${id}`)),
    ),
    others: fc.array(
      fc.record({
        at: fc.integer({ min: 0, max: 3 }),
        decided: fc.integer({ min: 0, max: 2 }),
        credits: fc.constantFrom(10, 20),
        amount: fc.integer({ min: 1, max: 3 }),
        finality: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
        taken: fc.boolean(),
        status: fc.constantFrom('active', 'past_due'),
        quantity: fc.constantFrom(1, 2),
        payment: fc.constantFrom('session:cs_1', 'session:cs_2'),
        before: fc.constantFrom({ quantity: 1 }, { quantity: 2 }, { status: 'active' }, undefined),
        differs: fc.constantFrom(true, undefined),
        isTimeGuessed: fc.constantFrom(true, undefined),
        isChosen: fc.constantFrom(true, undefined),
        payer: fc.constantFrom('cus_1', 'cus_2', null),
      }),
      { minLength: 3, maxLength: 3 },
    ),
  })
  .map(({ fact, others }) =>
    others.map(({ at, decided, differs, before, isTimeGuessed, isChosen, payer, ...numbers }) => {
      const own = Object.fromEntries(Object.entries(numbers).filter(([name]) => name in fact));
      return {
        ...fact,
        ...own,
        ...(fact.kind === 'state' && before && { before }),
        ...(fact.kind === 'plan' && isTimeGuessed && { isTimeGuessed }),
        ...(isPaid(fact) && { customer: payer }),
        ...((isPaid(fact) || fact.kind === 'customer') && isChosen && { isChosen }),
        ...(differs && { differs }),
        atUs: fact.atUs + at * 1e6,
        decidedAtMs: decided,
      } as Fact;
    }),
  );
