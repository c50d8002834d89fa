import type { PackFact, PlanFact, StateFact, Fact } from './facts.pure.ts';
import { positionOf } from './facts.pure.ts';
import { isEnded } from './subscriptions.pure.ts';

/** What `rowloom.ledger_step` does in one statement for a fact that stands after all that is known. */
export type LedgerStep = {
  position: string;
  reset?: { subscription: string; keepPurchased: boolean };
  open?: {
    key: string;
    kind: 'plan' | 'purchased';
    subscription: string | null;
    payment: string;
    credits: number;
  };
  state?: Omit<StateFact, 'before' | 'key' | 'kind'> & { credits: number };
  paid?: Pick<PlanFact, 'subscription' | 'terms' | 'quantity' | 'periodStart' | 'periodEnd'> & {
    credits: number;
    /** Of lots that this plan's period has opened already: then it is not the first. */
    prefixes: string[];
  };
  entry?: EntrySource;
};

/** What an entry says about the fact that it comes from. */
export type EntrySource = {
  kind: string;
  sourceType: string;
  sourceId: string;
  details: Record<string, unknown>;
};

/** Credits of an unlimited plan, where only their order counts. */
export const unlimitedCredits = Number.MAX_SAFE_INTEGER;

const planKinds = { create: 'plan_grant', cycle: 'plan_renewal', update: 'plan_change' } as const;

const source = (
  kind: string,
  sourceType: string,
  sourceId: string,
  details: Record<string, unknown> = {},
): EntrySource => ({ kind, sourceType, sourceId, details });

/** The entry of a fact; undefined for those that are no news by themselves. */
export function entrySourceOf(fact: Fact): EntrySource | undefined {
  switch (fact.kind) {
    case 'signup':
      return source('signup', 'signup', fact.key.slice('signup:'.length));
    case 'allowance':
      return source('allowance', 'allowance', fact.key);
    case 'plan': {
      const { invoice, subscription, terms, quantity } = fact;
      const details = { plan: terms.plan, quantity, subscriptionId: subscription };
      return source(planKinds[fact.reason], 'stripe_invoice', invoice, details);
    }
    case 'pack': {
      const { session, pack, quantity } = fact;
      return source('pack', 'stripe_checkout_session', session, { pack, quantity });
    }
    case 'reversal': {
      const { reversal, amount, payment, taken } = fact;
      const kind = taken ? 'clawback' : 'reinstatement';
      return source(kind, `stripe_${fact.source}`, reversal, { payment, amountCents: amount });
    }
    case 'adjustment':
      return source('adjustment', 'admin', fact.key, { reason: fact.reason });
    case 'hold':
    case 'release':
      return source(fact.kind, 'job', fact.job);
    default:
      return undefined;
  }
}

function planStep(fact: PlanFact, position: string): LedgerStep | null {
  const { subscription, terms, quantity, periodStart, periodEnd, invoice, key } = fact;
  const isPlain = fact.form === 'full' && terms.credits !== null && !terms.grantsMonthly;
  if (!isPlain || (!fact.isTimeGuessed && fact.atUs >= periodEnd * 1e6)) return null;
  const credits = (terms.credits ?? 0) * quantity;
  const period = `${subscription}:${periodEnd}:`;
  const lot = `plan:${period}${terms.plan}:${invoice}`;
  const entry = entrySourceOf(fact);
  return {
    position,
    reset: { subscription, keepPurchased: fact.mode === 'keep-purchased' },
    open: { key: lot, kind: 'plan', subscription, payment: key, credits },
    paid: {
      subscription,
      terms,
      quantity,
      periodStart,
      periodEnd,
      credits,
      prefixes: [`plan:${period}`, `left:${period}`],
    },
    ...(entry && { entry }),
  };
}

function packStep(fact: PackFact, position: string): LedgerStep {
  const { key, credits } = fact;
  const entry = entrySourceOf(fact);
  return {
    position,
    open: { key, kind: 'purchased', subscription: null, payment: key, credits },
    ...(entry && { entry }),
  };
}

/** States in which nothing waits for money. */
const plainStatuses = ['active', 'trialing', 'incomplete', 'incomplete_expired', 'canceled'];

function stateStep(fact: StateFact, position: string): LedgerStep | null {
  const { before: _before, key: _key, kind: _kind, ...state } = fact;
  if (!plainStatuses.includes(fact.status) || !fact.terms) return null;
  const credits =
    fact.terms.credits === null ? unlimitedCredits : fact.terms.credits * fact.quantity;
  // As the fold has it: an end that Stripe does not date is when it was told.
  const toldAt = fact.endedAt ?? Math.floor(fact.atUs / 1e6);
  const endedAt = isEnded(fact.status) ? toldAt : null;
  return { position, state: { ...state, endedAt, credits } };
}

/** A fact as one step of SQL; null: what it does depends on history, so that only the fold can say. */
export function stepOf(fact: Fact): LedgerStep | null {
  const position = positionOf(fact);
  if ('isChosen' in fact) return null;
  switch (fact.kind) {
    case 'plan':
      return planStep(fact, position);
    case 'pack':
      return packStep(fact, position);
    case 'state':
      return stateStep(fact, position);
    default:
      return null;
  }
}
