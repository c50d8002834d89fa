import {
  joinFacts,
  timelineOf,
  type Fact,
  type PlanFact,
  type StateFact,
} from '../ledger/facts.pure.ts';
import { isSameState } from '../ledger/state-order.pure.ts';
import type { Timeline } from '../ledger/timeline.pure.ts';
import { canonical } from '../shared/canonical.pure.ts';

/**
 * Whether reading a fact again adds to what is known. Another catalogue reads old facts with other numbers,
 * of which the earliest decided stand: that alone is no news.
 */
export function isNews(known: Fact | undefined, told: Fact): boolean {
  if (!known) return true;
  const { differs: _before, ...before } = known;
  const { differs: _after, ...after } = joinFacts(known, told);
  return canonical(after) !== canonical(before);
}

/** A state that was read is news if it differs from the newest that is known of its time. */
export const isNewState = (newest: Fact | undefined, told: Fact): boolean =>
  !(newest?.kind === 'state' && told.kind === 'state' && isSameState(newest, told));

/** What of the facts that were read a timeline does not know. */
export function newsOf({ facts: known }: Timeline, told: readonly Fact[]): Fact[] {
  return told.filter((fact) => {
    if (fact.kind !== 'state')
      return isNews(
        known.find(({ key }) => key === fact.key),
        fact,
      );
    const newest = timelineOf(known).findLast(
      (one) =>
        one.kind === 'state' && one.subscription === fact.subscription && one.atUs <= fact.atUs,
    );
    return isNewState(newest, fact);
  });
}

/** What ends when an invoice is paid. */
const owing = ['incomplete', 'past_due'];

/** A state that says so follows its money within this, microseconds. */
const soonUs = 3600 * 1e6;

/**
 * Nobody owes what is paid: a subscription that was known to wait for the money of an invoice has been active
 * since it was paid, whatever told so was lost. `states`: what is known of the subscription.
 */
export function activated(
  { atUs, decidedAtMs, ...paid }: PlanFact,
  states: readonly StateFact[],
): StateFact | undefined {
  // In their order: of several in one second, what each says was there before it tells.
  const sorted = timelineOf(states).filter((one) => one.kind === 'state');
  const before = sorted.findLast((one) => one.atUs <= atUs);
  if (!before || paid.form !== 'full' || !owing.includes(before.status)) return undefined;
  // What came in the second of the payment may have come after it.
  const then = sorted.filter((one) => one.atUs === atUs);
  const after = sorted.find((one) => one.atUs > atUs && one.atUs - atUs < soonUs);
  if ([...then, after].some((one) => one && !owing.includes(one.status))) return undefined;
  const { before: _before, differs: _differs, ...known } = before;
  const { subscription, invoice, terms, quantity, periodStart, periodEnd } = paid;
  return {
    ...known,
    key: `state:${subscription}:${Math.floor(atUs / 1e6)}:paid:${invoice}`,
    atUs,
    decidedAtMs,
    phase: 'updated',
    isRead: true,
    status: 'active',
    terms,
    quantity,
    periodStart,
    periodEnd,
  };
}
