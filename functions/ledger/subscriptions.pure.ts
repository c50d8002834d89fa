import type { Account, Books, Payment } from './books.pure.ts';
import type { Standing } from './entitlement.pure.ts';
import type { InvoiceFact, PlanFact, StateFact } from './facts.pure.ts';

/** The months of a yearly plan that are granted one by one. */
export type Yearly = {
  fact: PlanFact;
  payment: Payment;
  /** Unix seconds: months begin on its day. */
  anchor: number;
  count: number;
  /** The month that falls due next, and the last one that was granted: 0 is the first. */
  next: number;
  granted: number;
};

/** All that the timeline has told of one subscription. */
export type Subscription = {
  account: Account;
  state: StateFact | null;
  pastDueSinceUs: number | null;
  /** The paid invoice with the latest period start, and the money behind it. */
  newest: { fact: PlanFact; payment: Payment } | null;
  /** Since when the payment of an invoice fails; without those that were paid or closed. */
  failing: Map<string, number>;
  settled: Set<string>;
  yearly: Yearly | null;
};

/** Whether all the money of a payment went back. */
export const isTakenBack = ({ total, taken }: Payment): boolean => total > 0 && taken >= total;

export class Subscriptions {
  readonly #books: Books;
  readonly all = new Map<string, Subscription>();

  constructor(books: Books) {
    this.#books = books;
  }

  of(id: string): Subscription {
    let subscription = this.all.get(id);
    if (!subscription) {
      subscription = {
        account: this.#books.account(id),
        state: null,
        pastDueSinceUs: null,
        newest: null,
        failing: new Map(),
        settled: new Set(),
        yearly: null,
      };
      this.all.set(id, subscription);
    }
    return subscription;
  }

  learnState(fact: StateFact): Subscription {
    const subscription = this.of(fact.subscription);
    const isPastDue = fact.status === 'past_due';
    subscription.pastDueSinceUs = isPastDue ? (subscription.pastDueSinceUs ?? fact.atUs) : null;
    subscription.state = fact;
    subscription.account.isEnded = isEnded(fact.status);
    if (subscription.account.isEnded) subscription.yearly = null;
    return subscription;
  }

  learnInvoice({ subscription: id, invoice, state, atUs }: InvoiceFact): void {
    const { failing, settled } = this.of(id);
    if (state === 'closed') settle({ failing, settled }, invoice);
    else if (!settled.has(invoice) && !failing.has(invoice)) failing.set(invoice, atUs);
  }

  /** → whether it is the paid invoice whose period begins last */
  learnPaid(fact: PlanFact, payment: Payment): boolean {
    const subscription = this.of(fact.subscription);
    settle(subscription, fact.invoice);
    const { newest } = subscription;
    if (newest && fact.periodStart < newest.fact.periodStart) return false;
    // A change that costs nothing lives on the money of what it changes.
    const isFree = fact.form === 'proration' && fact.total <= 0;
    const isItsPeriod = newest?.fact.periodEnd === fact.periodEnd;
    subscription.newest = { fact, payment: isFree && isItsPeriod ? newest.payment : payment };
    return true;
  }

  /** Before the first invoice of a subscription is paid: another that is paid and lives; null: none. */
  besides(id: string): string | null {
    if (this.of(id).newest) return null;
    for (const { account, state, newest } of this.all.values())
      if (newest && isLive(state?.status ?? 'active')) return account.id;
    return null;
  }

  standings(): Standing[] {
    return [...this.all.values()].map(standingOf);
  }
}

/** Of what was paid: `incomplete` is a state whose successor has not been heard of. */
const isLive = (status: string): boolean =>
  !isEnded(status) && status !== 'unpaid' && status !== 'paused';

export const isEnded = (status: string): boolean =>
  status === 'canceled' || status === 'incomplete_expired';

function settle({ failing, settled }: Pick<Subscription, 'failing' | 'settled'>, invoice: string) {
  settled.add(invoice);
  failing.delete(invoice);
}

/** A subscription of which only a paid invoice is known lives. */
export function standingOf(subscription: Subscription): Standing {
  const { account, state, newest, failing, pastDueSinceUs } = subscription;
  const oldest = failing.size === 0 ? null : Math.min(...failing.values());
  return {
    subscription: account.id,
    status: state?.status ?? 'active',
    terms: state ? state.terms : (newest?.fact.terms ?? null),
    paid: newest?.fact.terms ?? null,
    takenBack: newest ? isTakenBack(newest.payment) : false,
    failingSinceUs: state?.status === 'past_due' ? (oldest ?? pastDueSinceUs) : null,
    graceDays: state?.graceDays ?? 0,
  };
}
