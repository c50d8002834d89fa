import {
  joinFacts,
  type AdjustmentFact,
  type AllowanceFact,
  type CustomerFact,
  type Fact,
  type HoldFact,
  type InvoiceFact,
  type PackFact,
  type PlanFact,
  type PlanTerms,
  type ReleaseFact,
  type ReversalFact,
  type SignupFact,
  type StateFact,
  type SuspensionFact,
} from '../../functions/ledger/facts.pure.ts';
import { entitled } from '../../functions/ledger/entitlement.pure.ts';
import { fold, standingsOf, type Folded } from '../../functions/ledger/fold.pure.ts';

/** Facts for tests. Times are days from 1 January 2027, UTC, or dates; Stripe's are whole seconds. */
export type When = number | string;

const begin = Date.UTC(2027, 0, 1) / 1000;

/** Unix seconds. */
export const second = (when: When): number =>
  typeof when === 'string' ? Date.parse(when) / 1000 : begin + Math.round(when * 86_400);

/** Microseconds since 1970: of Stripe's facts whole seconds, of our own to the microsecond. */
export const stripeUs = (when: When): number => second(when) * 1e6;
const ourUs = (when: When): number =>
  typeof when === 'string' ? Date.parse(when) * 1e3 : begin * 1e6 + Math.round(when * 86_400e6);

/** A second, in days: `4 + 2 * aSecond`. */
export const aSecond = 1 / 86_400;

const terms = (plan: string, credits: number | null, rest: Partial<PlanTerms> = {}): PlanTerms => ({
  plan,
  priceId: `price_${plan}`,
  credits,
  trialCredits: 200,
  interval: 'month',
  grantsMonthly: false,
  ...rest,
});

export const starter = terms('starter', 1000);
export const pro = terms('pro', 5000);
export const unlimited = terms('unlimited', null);
/** 1,000 a month, paid by the year. */
export const yearly = terms('yearly', 1000, { interval: 'year', grantsMonthly: true });
/** 12,000 at once, paid by the year. */
export const yearlyAtOnce = terms('yearly_at_once', 12_000, { interval: 'year' });

const prices: Record<string, number> = {
  starter: 2900,
  pro: 7900,
  unlimited: 19_900,
  yearly: 24_000,
  yearly_at_once: 24_000,
};

const monthOf = (at: When): [number, number] => [second(at), second(at) + 30 * 86_400];

export function yearOf(at: When): [number, number] {
  const start = new Date(second(at) * 1000);
  const day = start.getUTCDate();
  const end = Date.UTC(start.getUTCFullYear() + 1, start.getUTCMonth(), day) / 1000;
  return [second(at), end + (second(at) % 86_400)];
}

const periodOf = (of: PlanTerms | null, at: When) =>
  of?.interval === 'year' ? yearOf(at) : monthOf(at);

export const signup = (at: When, credits = 100): SignupFact => ({
  kind: 'signup',
  key: 'signup',
  atUs: ourUs(at),
  decidedAtMs: ourUs(at) / 1e3,
  credits,
});

type Changes<T> = Partial<Omit<T, 'kind' | 'key'>> & { key?: string };

/** A period bought, from `at` on; its subscription is `sub_1`, its price the catalogue's. */
export function paid(
  invoice: string,
  of: PlanTerms,
  at: When,
  { period = periodOf(of, at), ...changes }: Changes<PlanFact> & { period?: [number, number] } = {},
): PlanFact {
  const quantity = changes.quantity ?? 1;
  const charge = (prices[of.plan] ?? 1000) * quantity;
  const [periodStart, periodEnd] = period;
  return {
    kind: 'plan',
    key: `invoice:${invoice}`,
    atUs: stripeUs(at),
    decidedAtMs: stripeUs(at) / 1e3,
    invoice,
    subscription: 'sub_1',
    reason: 'cycle',
    form: 'full',
    terms: of,
    quantity,
    periodStart,
    periodEnd,
    charge,
    total: changes.charge === undefined ? charge : Math.max(0, changes.charge),
    mode: 'reset-all',
    ...changes,
  };
}

/** A change within the period that began at `since`. */
export const prorated = (
  invoice: string,
  of: PlanTerms,
  at: When,
  { since, ...changes }: Changes<PlanFact> & { since: When; charge: number },
): PlanFact =>
  paid(invoice, of, at, {
    form: 'proration',
    reason: 'update',
    period: [second(at), periodOf(of, since)[1]],
    ...changes,
  });

/** A line of zero of a priced plan, for two weeks. */
export const tried = (
  invoice: string,
  of: PlanTerms,
  at: When,
  changes: Changes<PlanFact> = {},
): PlanFact =>
  paid(invoice, of, at, {
    form: 'trial',
    charge: 0,
    period: [second(at), second(at) + 14 * 86_400],
    ...changes,
  });

/** `sub_1` as it was from `at` on, in the period that began at `since` (its own time if not said). */
export function state(
  status: string,
  of: PlanTerms | null,
  at: When,
  { since = at, ...changes }: Changes<StateFact> & { since?: When } = {},
): StateFact {
  const [periodStart, periodEnd] = periodOf(of, since);
  const subscription = changes.subscription ?? 'sub_1';
  const phase = changes.phase ?? 'updated';
  return {
    kind: 'state',
    key: `state:${subscription}:${second(at)}:${phase}`,
    atUs: stripeUs(at),
    decidedAtMs: stripeUs(at) / 1e3,
    subscription,
    phase,
    status,
    terms: of,
    quantity: 1,
    periodStart,
    periodEnd,
    cancelAt: null,
    trialEnd: null,
    endedAt: null,
    customer: 'cus_1',
    graceDays: 7,
    ...changes,
  };
}

/** 500 credits for 10.00. */
export const pack = (session: string, at: When, changes: Changes<PackFact> = {}): PackFact => ({
  kind: 'pack',
  key: `session:${session}`,
  atUs: stripeUs(at),
  decidedAtMs: stripeUs(at) / 1e3,
  session,
  pack: 'small',
  quantity: 1,
  credits: 500,
  total: 1000,
  ...changes,
});

const paymentOf = (id: string): string =>
  id.startsWith('in_') ? `invoice:${id}` : `session:${id}`;

const reversal =
  (source: ReversalFact['source']) =>
  (
    id: string,
    payment: string,
    amount: number,
    at: When,
    changes: Changes<ReversalFact> = {},
  ): ReversalFact => ({
    kind: 'reversal',
    key: `${source}:${id}`,
    atUs: stripeUs(at),
    decidedAtMs: stripeUs(at) / 1e3,
    reversal: id,
    payment: paymentOf(payment),
    source,
    amount,
    taken: true,
    finality: 0,
    ...changes,
  });

export const refund = reversal('refund');
export const dispute = reversal('dispute');
export const creditNote = reversal('credit_note');
/** A charge's own word on how much of it was refunded. */
export const chargeRefunded = reversal('charge');

/** The same reversal as it ended: a refund that failed, a dispute that was won. */
export const undone = (fact: ReversalFact): ReversalFact => ({
  ...fact,
  decidedAtMs: fact.decidedAtMs + 1,
  taken: false,
  finality: 2,
});
/** A dispute that was lost. */
export const lost = (fact: ReversalFact): ReversalFact => ({ ...fact, finality: 1 });

const invoiceFact =
  (state: InvoiceFact['state']) =>
  (invoice: string, at: When, changes: Changes<InvoiceFact> = {}): InvoiceFact => ({
    kind: 'invoice',
    key: `invoice-${state}:${invoice}`,
    atUs: stripeUs(at),
    decidedAtMs: stripeUs(at) / 1e3,
    invoice,
    subscription: 'sub_1',
    state,
    ...changes,
  });

export const paymentFailed = invoiceFact('open');
export const closed = invoiceFact('closed');

const ours = (key: string, at: When) => ({
  key,
  atUs: ourUs(at),
  decidedAtMs: ourUs(at) / 1e3,
});

/** That a customer is the account's own, as the database keeps it: without a time. */
export const customer = (id: string, changes: Changes<CustomerFact> = {}): CustomerFact => ({
  kind: 'customer',
  key: `customer:${id}`,
  atUs: 0,
  decidedAtMs: 0,
  customer: id,
  ...changes,
});

export const allowance = (month: number, at: When, credits = 50): AllowanceFact => ({
  kind: 'allowance',
  ...ours(`allowance:${month}`, at),
  credits,
});

export const adjustment = (id: string, credits: number, at: When): AdjustmentFact => ({
  kind: 'adjustment',
  ...ours(`adjustment:${id}`, at),
  credits,
  reason: 'goodwill',
});

export const suspension = (action: 'suspend' | 'lift', at: When): SuspensionFact => ({
  kind: 'suspension',
  ...ours(`suspension:${second(at)}`, at),
  action,
  reason: 'looks odd',
});

export const hold = (job: string, credits: number, at: When, run = 1): HoldFact => ({
  kind: 'hold',
  ...ours(`hold:${job}:${run}`, at),
  job,
  run,
  credits,
});

export const release = (job: string, credits: number, at: When, run = 1): ReleaseFact => ({
  kind: 'release',
  ...ours(`release:${job}:${run}`, at),
  job,
  run,
  hold: `hold:${job}:${run}`,
  credits,
  rows: 0,
});

/** A job that used so many credits, all of them at once. */
export const spent = (job: string, credits: number, at: When): Fact[] => [
  hold(job, credits, at),
  release(job, 0, at),
];

/** A job that is paused and resumed: it uses `used` of `credits` in its first run, all of the rest in its second. */
export const pausedAndResumed = (
  job: string,
  {
    credits,
    used,
    at,
    pausedAt,
    resumedAt,
  }: Record<'credits' | 'used' | 'at' | 'pausedAt' | 'resumedAt', number>,
): Fact[] => [
  hold(job, credits, at, 1),
  release(job, credits - used, pausedAt, 1),
  hold(job, credits - used, resumedAt, 2),
  release(job, 0, resumedAt + aSecond, 2),
];

/** What the database keeps: facts by key, joined as they arrive. */
export function joined(arrivals: readonly Fact[]): Fact[] {
  const known = new Map<string, Fact>();
  for (const fact of arrivals) {
    const before = known.get(fact.key);
    known.set(fact.key, before ? joinFacts(before, fact) : fact);
  }
  return [...known.values()];
}

/** The books at a moment, of what had happened by then. */
export const booksAt = (facts: readonly Fact[], at: When): Folded =>
  fold(
    joined(facts).filter((fact) => fact.kind === 'signup' || fact.atUs <= ourUs(at)),
    ourUs(at),
  );

const nameOf = (key: string): string => key.replace(/^(?:invoice|session):/, '');

/** What is left, by what paid for it (or the lot's own key). */
export function leftOf({ books }: Folded): Record<string, number> {
  const left: Record<string, number> = {};
  for (const { payment, key, remaining } of books.lots) {
    const name = nameOf(payment ?? key);
    if (remaining !== 0) left[name] = (left[name] ?? 0) + remaining;
  }
  return left;
}

export const leftAt = (facts: readonly Fact[], at: When): Record<string, number> =>
  leftOf(booksAt(facts, at));

export const entitledAt = (facts: readonly Fact[], at: When): string | null =>
  entitled(standingsOf(booksAt(facts, at)), ourUs(at))?.plan ?? null;

/** All that two books must have in common to be the same. */
export const snapshot = ({ books, shortfall, suspended, nextDueUs, subscriptions }: Folded) => ({
  lots: books.lots,
  holds: [...books.holds]
    .map(([key, { takes, ...held }]) => ({
      key,
      ...held,
      takes: takes.map(({ lot, credits }) => [lot.key, credits]),
    }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
  balance: books.balance,
  shortfall,
  suspended,
  nextDueUs,
  standings: subscriptions.standings(),
});
