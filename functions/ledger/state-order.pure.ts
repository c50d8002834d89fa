import { canonical } from '../shared/canonical.pure.ts';
import type { Fact, StateContent, StateFact } from './facts.pure.ts';

const contentOf = (state: StateFact): StateContent => ({
  status: state.status,
  priceId: state.terms?.priceId ?? null,
  quantity: state.quantity,
  periodStart: state.periodStart,
  periodEnd: state.periodEnd,
  cancelAt: state.cancelAt,
  trialEnd: state.trialEnd,
});

/** Whether two states say the same of a subscription. */
export const isSameState = (a: StateFact, b: StateFact): boolean =>
  canonical(contentOf(a)) === canonical(contentOf(b));

/** Whether `state` can be what `next` says was there before it. */
function precedes(state: StateFact, next: StateFact): boolean {
  if (!next.before) return false;
  const content: Partial<StateContent> = contentOf(state);
  return Object.entries(next.before).every(
    ([name, value]) => content[name as keyof StateContent] === value,
  );
}

/** Updates of one second in the order that their `before` tells; what it does not tell, the key does. */
export function chained(states: StateFact[]): StateFact[] {
  const rest = states.filter(({ isRead }) => !isRead);
  const ordered: StateFact[] = [];
  while (rest.length > 0) {
    const first = rest.findIndex(
      (state) =>
        !rest.some((other) => other !== state && precedes(other, state) && !precedes(state, other)),
    );
    ordered.push(...rest.splice(Math.max(first, 0), 1));
  }
  for (const read of states.filter(({ isRead }) => isRead))
    ordered.splice(placeOf(read, ordered), 0, read);
  return ordered;
}

/**
 * Where a state that was read stands among the updates of its second: after what had been told by then,
 * before the first that says that it found just this, else last. There and back again says nothing.
 */
function placeOf(read: StateFact, states: StateFact[]): number {
  const sent = states.filter(({ isRead }) => !isRead);
  const [first, last] = [sent[0], sent.at(-1)];
  const isCircle = first && last && precedes(last, first);
  const isTold = (state: StateFact) => state.isRead ?? state.decidedAtMs <= read.decidedAtMs;
  const told = states.findLastIndex(isTold);
  const next = states.findIndex((state, i) => i > told && precedes(read, state));
  return isCircle || next < 0 ? states.length : next;
}

export const isUpdate = (fact: Fact | undefined): fact is StateFact =>
  fact?.kind === 'state' && fact.phase === 'updated';

/** Whether two updates of one second do not tell which came first: then Stripe is asked what is. */
export const isTie = (a: StateFact, b: StateFact): boolean =>
  isUpdate(a) &&
  isUpdate(b) &&
  !a.isRead &&
  !b.isRead &&
  a.key !== b.key &&
  a.subscription === b.subscription &&
  a.atUs === b.atUs &&
  precedes(a, b) === precedes(b, a);
