import type { Payment } from './books.pure.ts';
import type { ReversalFact, SuspensionFact } from './facts.pure.ts';

export type Suspended = {
  sinceUs: number;
  reason: string;
  /** What suspends; absent: an operator's word. */
  dispute?: string;
};

/** Who may use their account no more: by an operator's word, or by a dispute of what was used up. */
export class Suspensions {
  readonly #disputes: ReversalFact[] = [];
  readonly #unlimitedAndUsed = new Set<string>();
  readonly #paidOutside = new Set<string>();
  #ordered: Suspended | null = null;
  #orderedUs = -Infinity;

  order({ atUs, action, reason }: SuspensionFact): void {
    this.#orderedUs = atUs;
    this.#ordered = action === 'lift' ? null : { sinceUs: atUs, reason };
  }

  dispute(fact: ReversalFact): void {
    this.#disputes.push(fact);
  }

  /** An unlimited plan's payment, from the moment that a job ran on it. */
  useUnlimited(payment: string): void {
    this.#unlimitedAndUsed.add(payment);
  }

  /** Somebody else's payment: what they take back suspends nobody. */
  payOutside(payment: string): void {
    this.#paidOutside.add(payment);
  }

  /** Until the dispute is won, or an operator lifts it. `uncovered`: used, and paid by nothing. */
  present(payments: Iterable<Payment>, uncovered: number): Suspended | null {
    if (this.#ordered) return this.#ordered;
    let shortfall = uncovered;
    for (const payment of payments)
      if (!this.#paidOutside.has(payment.key)) shortfall += payment.shortfall;
    const dispute = this.#disputes.find(
      ({ atUs, payment }) =>
        atUs > this.#orderedUs &&
        !this.#paidOutside.has(payment) &&
        (shortfall > 0 || this.#unlimitedAndUsed.has(payment)),
    );
    if (!dispute) return null;
    const { atUs: sinceUs, reversal } = dispute;
    return { sinceUs, reason: `dispute ${reversal}`, dispute: reversal };
  }
}
