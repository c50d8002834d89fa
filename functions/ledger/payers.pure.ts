import type { Fact } from './facts.pure.ts';

/** Facts that somebody paid for, or that are about what somebody pays for. */
type PaidFact = Extract<Fact, { isChosen?: true }>;

export const isPaid = (fact: Fact): fact is PaidFact =>
  fact.kind === 'customer' ||
  fact.kind === 'state' ||
  fact.kind === 'invoice' ||
  fact.kind === 'plan' ||
  fact.kind === 'pack';

/** Those who pay for an account: its own customers, and others who only chose it. */
export type Payers = {
  /** The customer to whom the account is linked by choice alone: it has no other. */
  chosen: string | null;
  /** Somebody else's: adds what was paid, resets and entitles nothing, and costs the account nothing. */
  isOutside: (fact: Fact) => boolean;
  /** Whether the account has a customer at all. */
  isLinked: boolean;
};

/**
 * Anybody can choose an account to pay for. The first customer who does is its own, unless one is its own by
 * what we know: then all who choose are outside, as are guests. Of the facts alone, so that no order of
 * arrival decides it.
 */
export function payersOf(facts: readonly Fact[]): Payers {
  const paid = facts.filter(isPaid);
  const known = new Set(
    paid.flatMap(({ customer, isChosen }) => (isChosen || customer == null ? [] : [customer])),
  );
  const choosing = paid.flatMap(({ atUs, customer }) =>
    customer == null ? [] : [{ atUs, customer }],
  );
  // Where nobody is known, all of them chose.
  const [first] = choosing.toSorted(
    (a, b) => a.atUs - b.atUs || (a.customer < b.customer ? -1 : 1),
  );
  const chosen = known.size === 0 ? (first?.customer ?? null) : null;
  const isOwn = (customer: string | null | undefined): boolean =>
    customer != null && (known.has(customer) || customer === chosen);
  return {
    chosen,
    isOutside: (fact) => isPaid(fact) && fact.isChosen === true && !isOwn(fact.customer),
    isLinked: known.size > 0 || chosen !== null,
  };
}
