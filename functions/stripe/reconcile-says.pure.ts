import type { Fact, StateFact } from '../ledger/facts.pure.ts';
import { some } from '../ledger/sentences.pure.ts';
import type { Change } from './apply-reading.ts';
import type { StripeObject } from './reconcile-lists.ts';

const day = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10);

/** Minor units as people write them: the currency says how many digits they have. */
function money(amount: number, currency: string): string {
  const style = { style: 'currency', currency } as const;
  const digits = new Intl.NumberFormat('en', style).resolvedOptions().maximumFractionDigits ?? 2;
  return `${(amount / 10 ** digits).toFixed(digits)} ${currency.toUpperCase()}`;
}

/** An object of Stripe's as an operator would name it; what follows is a verb. */
function nameOf(object: StripeObject): string {
  const { id } = object;
  switch (object.object) {
    case 'invoice': {
      const { total, currency, status, status_transitions: times } = object;
      const paidAt = times.paid_at;
      const paid = paidAt === null ? ` (${status})` : `, paid on ${day(paidAt)},`;
      return `Invoice ${id} over ${money(total, currency)}${paid}`;
    }
    case 'checkout.session': {
      const { amount_total: total, currency } = object;
      const paid = total === null || currency === null ? '' : ` over ${money(total, currency)}`;
      return `Checkout session ${id}${paid}`;
    }
    case 'refund':
      return `Refund ${id} over ${money(object.amount, object.currency)} of ${day(object.created)} (${object.status})`;
    case 'dispute':
      return `Dispute ${id} over ${money(object.amount, object.currency)} of ${day(object.created)} (${object.status})`;
    case 'credit_note':
      return `Credit note ${id} over ${money(object.total, object.currency)} of ${day(object.created)} (${object.status})`;
    case 'subscription':
      return `Subscription ${id}`;
    case 'price':
      return `Price ${id}`;
    case 'product':
      return `Product ${id}`;
  }
}

const planOf = ({ terms, quantity }: StateFact): string =>
  `${terms ? `plan ${terms.plan}` : 'no plan of ours'}${quantity === 1 ? '' : ` × ${quantity}`}`;

/** Where a subscription stands, in the words that tell two states apart. */
function standing(state: StateFact): string {
  const { status, endedAt, periodEnd, cancelAt, trialEnd } = state;
  if (endedAt !== null) return `${status} since ${day(endedAt)}`;
  return [
    `${status} on ${planOf(state)}`,
    periodEnd === null ? '' : `until ${day(periodEnd)}`,
    cancelAt === null ? '' : `(it ends on ${day(cancelAt)})`,
    trialEnd === null ? '' : `(trial until ${day(trialEnd)})`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function stateSays(name: string, told: StateFact, before: Fact | undefined): string {
  const there = standing(told);
  if (before?.kind !== 'state') return `${name} is ${there} in Stripe, and here it is not known`;
  const here = standing(before);
  return here === there
    ? `${name} is ${there} in Stripe, here its period is another`
    : `${name} is ${there} in Stripe, here it is ${here}`;
}

const kinds = ['plan', 'bonus', 'purchased'] as const;

/** What a change does to an account, or would. */
function effectOf({ credits, userId, facts }: Change, dryRun: boolean): string {
  const would = dryRun ? ' would be' : '';
  // Only in a dry run: what it takes back is not in the books either.
  if (userId === null) return 'what its payment bought would be taken back with it';
  const user = `user ${userId}`;
  const given = kinds.filter((kind) => credits[kind] > 0);
  const taken = kinds.filter((kind) => credits[kind] < 0);
  const list = (names: typeof given) =>
    names.map((kind) => some(Math.abs(credits[kind]), `${kind} credit`)).join(' and ');
  const parts = [
    given.length > 0 && `${list(given)}${would} granted to ${user}`,
    taken.length > 0 && `${list(taken)}${would} taken from ${user}`,
  ].filter((part) => part !== false);
  if (parts.length > 0) return parts.join(', ');
  if (facts.length === 0) return `the payment's ids${would} linked`;
  return `${dryRun ? 'would be ' : ''}added to the books of ${user}, no credits ${dryRun ? 'would change' : 'changed'}`;
}

export type Said = {
  object: StripeObject;
  change: Change;
  /** What is told, and what was known before. */
  told: Fact | undefined;
  before: Fact | undefined;
  dryRun: boolean;
};

/** One plain sentence on what differs between Stripe and the books, and what was or would be done. */
export function sayDifference({ object, change, told, before, dryRun }: Said): string {
  const name = nameOf(object);
  if (change.status === 'failed') return `${name} cannot be applied: ${change.detail ?? 'unknown'}`;
  if (object.object === 'price' || object.object === 'product') {
    const done = dryRun ? 'would be taken over' : 'taken over';
    return `${name} is otherwise in Stripe than in the catalogue here: ${done}.`;
  }
  const effect = effectOf(change, dryRun);
  if (change.facts.length === 0) return `${name} is known here, but not by its payment: ${effect}.`;
  if (told?.kind === 'state') return `${stateSays(name, told, before)}: ${effect}.`;
  return `${name} ${before ? 'was otherwise' : 'was not'} in the books: ${effect}.`;
}
