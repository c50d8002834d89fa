import fc from 'fast-check';
import type { Fact } from '../../functions/ledger/facts.pure.ts';
import {
  customer,
  dispute,
  lost,
  pack,
  paid,
  paymentFailed,
  pro,
  prorated,
  refund,
  second,
  starter,
  state,
  tried,
  undone,
  unlimited,
  yearly,
  yearlyAtOnce,
} from './facts.ts';

/** What others pay for an account by choosing it, for property tests: plans, packs, and what becomes of them. */

const plans = fc.constantFrom(starter, pro, unlimited, yearly, yearlyAtOnce);
const times = fc.integer({ min: 0, max: 60 });

const payments = fc
  .record({
    at: times,
    of: plans,
    form: fc.constantFrom('full', 'full', 'late', 'proration', 'trial', 'pack', 'guest'),
    quantity: fc.integer({ min: 1, max: 3 }),
    mode: fc.constantFrom('reset-all', 'keep-purchased'),
    back: fc.constantFrom('nothing', 'refund', 'part', 'failed', 'dispute', 'lost', 'won'),
    after: fc.integer({ min: 0, max: 20 }),
    status: fc.constantFrom('active', 'trialing', 'past_due', 'unpaid', 'canceled'),
    payer: fc.constantFrom('1', '2'),
    isTold: fc.boolean(),
  })
  .map(({ at, of, form, quantity, mode, back, after, status, payer, isTold }): Fact[] => {
    const customerId = `cus_other_${payer}`;
    const subscription = `sub_other_${payer}`;
    const chosen = { customer: customerId, isChosen: true } as const;
    const key = `${payer}_${at}_${of.plan}_${form}_${quantity}_${status}`;
    // Among the account's own, `in_1` … `in_6`, when they are of one second.
    const invoice = `in_${Number(payer) * 2}_other_${key}`;
    const session = `cs_other_${key}`;
    const bought = { ...chosen, subscription, quantity, mode } as const;
    const isPack = form === 'pack' || form === 'guest';
    const paidFor = (): Fact & { total: number } => {
      if (form === 'guest') return pack(session, at, { customer: null, isChosen: true });
      if (isPack) return pack(session, at, chosen);
      if (form === 'trial') return tried(invoice, of, at, bought);
      if (form === 'proration')
        return prorated(invoice, of, at, { since: at - 9, charge: 900, ...bought });
      if (form === 'late')
        return paid(invoice, of, at, { ...bought, period: [second(at - 40), second(at - 10)] });
      return paid(invoice, of, at, bought);
    };
    const fact = paidFor();
    const facts: Fact[] = [fact];
    if (!isPack) {
      facts.push(
        state(status, of, at, { ...chosen, subscription, key: `state:${subscription}:${key}` }),
      );
      if (status === 'past_due')
        facts.push(paymentFailed(invoice, at + 1, { ...chosen, subscription }));
    }
    if (isTold) facts.push(customer(customerId, { atUs: fact.atUs, isChosen: true }));
    if (back === 'nothing') return facts;
    const make = back === 'refund' || back === 'part' || back === 'failed' ? refund : dispute;
    const amount = back === 'part' ? Math.ceil(fact.total / 3) : fact.total;
    const taken = make(`other_${key}`, isPack ? session : invoice, amount, at + after);
    const ends = {
      refund: taken,
      part: taken,
      failed: undone(taken),
      dispute: taken,
      lost: lost(taken),
      won: undone(taken),
    };
    return [...facts, ends[back]];
  });

/** Facts of two strangers and of guests who chose an account; each happening once. */
export const outsiders: fc.Arbitrary<Fact[]> = fc
  .array(payments, { minLength: 1, maxLength: 6 })
  .map((all) => [...new Map(all.flat().map((fact) => [fact.key, fact])).values()]);

/** The same facts, told by somebody with a customer of their own whom we know. */
export const ownedBy = (facts: readonly Fact[], customerId: string): Fact[] => [
  customer(customerId),
  ...facts.map((fact) =>
    'customer' in fact || fact.kind === 'plan' || fact.kind === 'pack'
      ? { ...fact, customer: customerId }
      : fact,
  ),
];
