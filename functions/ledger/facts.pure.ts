import { canonical } from '../shared/canonical.pure.ts';
import { chained, isUpdate } from './state-order.pure.ts';

/**
 * What happened to a user, learned from Stripe's objects or from ourselves. A fact is the same whichever
 * event told it; learning it again joins. The books are `fold(facts, now)`, see `fold.pure.ts`.
 */

/** What a plan meant when a fact about it was decided: later changes of the catalogue do not reach it. */
export type PlanTerms = {
  plan: string;
  priceId: string;
  /** A period's credits, or a month's where `grantsMonthly`; null: unlimited. */
  credits: number | null;
  trialCredits: number;
  interval: 'month' | 'year';
  grantsMonthly: boolean;
};

export type RenewalMode = 'reset-all' | 'keep-purchased';

type Told = {
  /** The same happening has the same key, whatever told it. */
  key: string;
  /** When it happened: microseconds since 1970, UTC; Stripe's times are whole seconds. */
  atUs: number;
  /** When its numbers were decided, milliseconds since 1970. */
  decidedAtMs: number;
  /** It was learned with other numbers as well; the earliest decided stand. */
  differs?: true;
};

/** Who pays: see payers.pure.ts. */
type Paid = {
  /** Of Stripe; null: a guest. */
  customer?: string | null;
  /** Whoever pays chose the account, by a reference or an e-mail address: nothing of ours says that it is theirs. */
  isChosen?: true;
};

/** A customer that pays for this account. */
export type CustomerFact = Told & Paid & { kind: 'customer'; customer: string };

export type SignupFact = Told & { kind: 'signup'; credits: number };

/** A free month's bonus: granted if there is no plan at its time. */
export type AllowanceFact = Told & { kind: 'allowance'; credits: number };

/** A subscription as it was from `atUs` on. */
export type StateFact = Told & {
  isChosen?: true;
  kind: 'state';
  subscription: string;
  /** Within one second: created < updated < deleted. */
  phase: 'created' | 'updated' | 'deleted';
  status: string;
  /** The plan of its items; null: none of them is a plan of ours. */
  terms: PlanTerms | null;
  quantity: number;
  /** Unix seconds, all five. */
  periodStart: number | null;
  periodEnd: number | null;
  cancelAt: number | null;
  trialEnd: number | null;
  endedAt: number | null;
  customer: string | null;
  /** Days that `past_due` still entitles. */
  graceDays: number;
  /** It was read, not sent: of the states of one second the last, unless another says otherwise. */
  isRead?: true;
  /** What an update says was there before it: orders two updates of one second. */
  before?: Partial<StateContent>;
};

/** The part of a state that an update can change. */
export type StateContent = {
  status: string;
  priceId: string | null;
  quantity: number;
  periodStart: number | null;
  periodEnd: number | null;
  cancelAt: number | null;
  trialEnd: number | null;
};

/** A paid invoice with a line of a plan. */
export type PlanFact = Told &
  Paid & {
    kind: 'plan';
    invoice: string;
    subscription: string;
    /** Why the invoice was made, for the entry's kind. */
    reason: 'create' | 'cycle' | 'update';
    /** `full`: a period bought; `proration`: a change within one; `trial`: a line of zero of a priced plan. */
    form: 'full' | 'proration' | 'trial';
    terms: PlanTerms;
    quantity: number;
    /** Of the plan's line, unix seconds; a proration begins with the change. */
    periodStart: number;
    periodEnd: number;
    /** What the plan lines charge in sum, and what the whole invoice came to: minor units. */
    charge: number;
    total: number;
    mode: RenewalMode;
    /** Nobody said when it was paid: the event's time stands in, and is not held against its period. */
    isTimeGuessed?: true;
  };

/** A paid checkout session of packs. */
export type PackFact = Told &
  Paid & {
    kind: 'pack';
    session: string;
    pack: string;
    quantity: number;
    /** Of all its packs together. */
    credits: number;
    /** Minor units. */
    total: number;
  };

/** Money that goes back, or a charge's own word on how much of it did (`charge`). */
export type ReversalFact = Told & {
  kind: 'reversal';
  reversal: string;
  /** The key of the fact that it takes back. */
  payment: string;
  source: 'refund' | 'charge' | 'dispute' | 'credit_note';
  /** Minor units. */
  amount: number;
  /** Whether the money is gone; a more final status replaces a less final one. */
  taken: boolean;
  finality: 0 | 1 | 2;
};

/** An invoice whose payment failed (`open`), or that will not be paid any more. */
export type InvoiceFact = Told &
  Paid & {
    kind: 'invoice';
    invoice: string;
    subscription: string;
    state: 'open' | 'closed';
  };

/** An operator's correction: bonus credits, or credits taken back. */
export type AdjustmentFact = Told & { kind: 'adjustment'; credits: number; reason: string };

export type SuspensionFact = Told & {
  kind: 'suspension';
  action: 'suspend' | 'lift';
  reason: string;
};

/** Credits that a job's run may need; on an unlimited plan it is usage and takes none. */
export type HoldFact = Told & { kind: 'hold'; job: string; run: number; credits: number };

/** A run's end: what of its hold comes back. */
export type ReleaseFact = Told & {
  kind: 'release';
  job: string;
  run: number;
  hold: string;
  credits: number;
  /** Rows that succeeded, for the entry of a run that was not metered. */
  rows: number;
};

export type Fact =
  | SignupFact
  | CustomerFact
  | StateFact
  | InvoiceFact
  | PlanFact
  | PackFact
  | ReversalFact
  | AllowanceFact
  | AdjustmentFact
  | SuspensionFact
  | HoldFact
  | ReleaseFact;

const digits = (value: number, length: number): string => String(value).padStart(length, '0');

/**
 * Within one second: states, plans (by period), months, packs, reversals, then our own facts by our
 * clock, which never stand before what was known when they were made.
 */
const rankOf = (fact: Fact): string => {
  switch (fact.kind) {
    case 'state':
      return { created: '10', updated: '11', deleted: '12' }[fact.phase];
    case 'invoice':
      return '13';
    case 'plan':
      return '20';
    case 'pack':
      return '40';
    case 'reversal':
      return '50';
    default:
      return '60';
  }
};

/** Where a fact stands in its user's timeline: text that sorts by byte. Sign-up stands first, then customers. */
export function positionOf(fact: Fact): string {
  if (fact.kind === 'signup') return '0';
  if (fact.kind === 'customer') return `0.${fact.key}`;
  return `${positionAt(fact.atUs, rankOf(fact))}.${tieOf(fact)}`;
}

/** Plans stand by period, a subscription's first before its others; the states of one together. */
function tieOf(fact: Fact): string {
  if (fact.kind === 'state') return `${fact.subscription}.${fact.key}`;
  if (fact.kind !== 'plan') return fact.key;
  return `${digits(fact.periodStart, 11)}.${fact.reason === 'create' ? 0 : 1}.${fact.key}`;
}

const positionAt = (atUs: number, rank: string): string =>
  `${digits(Math.floor(atUs / 1e6), 11)}.${rank}.${digits(atUs % 1e6, 6)}`;

/** Where a month that falls due at `atUs` stands: after plans, before packs. */
export const monthPosition = (atUs: number): string => positionAt(atUs, '30');

/** Everything of a fact but its time, who decided it when, whose it is, and how final it is. */
function numbersOf({ isChosen: _isChosen, ...fact }: Fact & { isChosen?: true }): string {
  const { atUs: _at, decidedAtMs: _decided, differs: _differs, ...rest } = fact;
  if (rest.kind === 'state') return canonical({ ...rest, before: undefined });
  if (rest.kind === 'plan') return canonical({ ...rest, isTimeGuessed: undefined });
  if (rest.kind !== 'reversal') return canonical(rest);
  return canonical({ kind: rest.kind, payment: rest.payment });
}

const before = (a: Fact, b: Fact): boolean => {
  if (a.decidedAtMs !== b.decidedAtMs) return a.decidedAtMs < b.decidedAtMs;
  return numbersOf(a) <= numbersOf(b);
};

/** What two tellings come to that is not decided by the earlier one: status, order, a known time. */
function laterWord(a: Fact, b: Fact): object {
  if (a.kind === 'reversal' && b.kind === 'reversal') {
    const weight = (fact: ReversalFact) => fact.finality * 2 + Number(!fact.taken);
    const more = weight(b) - weight(a) || b.amount - a.amount;
    const { finality, amount, taken } = more > 0 ? b : a;
    return { finality, amount, taken };
  }
  if (a.kind === 'state' && b.kind === 'state') {
    const known = [a.before, b.before].filter((told) => told !== undefined);
    const [before] = known.toSorted((x, y) => (canonical(x) < canonical(y) ? -1 : 1));
    return before ? { before } : {};
  }
  return {};
}

/**
 * Two tellings of one fact as one: the earliest time and the earliest decided numbers stand, the most
 * final status holds. Commutative, associative and idempotent.
 */
export function joinFacts(a: Fact, b: Fact): Fact {
  const [first, second] = before(a, b) ? [a, b] : [b, a];
  const differs = a.differs ?? b.differs ?? (numbersOf(a) !== numbersOf(b) || undefined);
  const joined: Fact = {
    ...first,
    ...laterWord(first, second),
    atUs: Math.min(a.atUs, b.atUs),
    ...(differs && { differs }),
  };
  // One telling that knows the time, or whose it is, is enough.
  if (joined.kind === 'plan' && !('isTimeGuessed' in second)) delete joined.isTimeGuessed;
  if ('isChosen' in joined && !('isChosen' in second)) delete joined.isChosen;
  return joined;
}

/** Whether a telling adds nothing to what is known. */
export const isKnown = (known: Fact, told: Fact): boolean =>
  canonical(joinFacts(known, told)) === canonical(known);

/** A user's facts in the one order in which they are folded. */
export function timelineOf(facts: readonly Fact[]): Fact[] {
  const sorted = facts
    .map((fact) => ({ fact, position: positionOf(fact) }))
    .toSorted((a, b) => (a.position < b.position ? -1 : 1))
    .map(({ fact }) => fact);
  const moments = Map.groupBy(sorted, (fact) =>
    isUpdate(fact) ? `${fact.subscription}:${fact.atUs}` : fact.key,
  );
  return [...moments.values()].flatMap((group) => (group.every(isUpdate) ? chained(group) : group));
}
