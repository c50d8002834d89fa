import type Stripe from 'stripe';
import type { CatalogueItem } from '../../functions/billing/catalogue.pure.ts';
import type { Books } from './greedy-user.ts';
import { newestOf, planOf, readAccount, type Account, type Sale } from './plan-sales.ts';

const graceSeconds = 7 * 86_400;

/** `start` plus `count` months, on the last day of a shorter one. */
export function addMonths(start: number, count: number): number {
  const date = new Date(start * 1000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + count);
  const days = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, days));
  return date.getTime() / 1000;
}

type Lot = { subscription: string; left: number };
type Reader = { stripe: Stripe; prices: Map<string, CatalogueItem>; customer: string };

/**
 * The books of plans in their simplest form, from what Stripe says when it is asked: a paid plan is
 * SET, a smaller plan than the one granted is a CAP, a year grants its months. No packs, no refunds.
 */
export class BooksOfSales implements Books {
  #lots: Lot[] = [];
  #seen = new Set<string>();
  #months = new Map<string, number>();
  #account: Account | undefined;
  readonly #reader: Reader;
  readonly #now: () => number;

  constructor(reader: Reader, now: () => number) {
    this.#reader = reader;
    this.#now = now;
  }

  async balance(): Promise<number> {
    await this.#refresh();
    return this.#lots.reduce((sum, { left }) => sum + left, 0);
  }

  async unlimited(): Promise<boolean> {
    const { subscriptions } = await this.#refresh();
    return subscriptions.some((one) => {
      const sale = this.#newestOf(one.id);
      return (
        sale?.plan.credits === null && this.#planOf(one).credits === null && this.#isEntitled(one)
      );
    });
  }

  async spend(credits: number): Promise<void> {
    if (await this.unlimited()) return;
    let missing = credits;
    for (const lot of this.#lots) {
      const taken = Math.min(lot.left, missing);
      lot.left -= taken;
      missing -= taken;
    }
    if (missing > 0) throw new Error(`${missing} credits are missing`);
  }

  #planOf = (one: Stripe.Subscription): CatalogueItem =>
    planOf(this.#reader.prices, one.items.data[0]?.price.id);

  #newestOf = (subscription: string): Sale | undefined =>
    newestOf((this.#account?.sales ?? []).filter((sale) => sale.subscription === subscription));

  #isEntitled({ id, status }: Stripe.Subscription): boolean {
    if (status !== 'past_due') return status === 'active' || status === 'trialing';
    const open = this.#account?.invoices.findLast(
      ({ status: now, parent }) =>
        now === 'open' && parent?.subscription_details?.subscription === id,
    );
    return this.#now() < (open?.created ?? 0) + graceSeconds;
  }

  #set(subscription: string, credits: number | null): void {
    const isEnded = (id: string): boolean =>
      this.#account?.subscriptions.some(
        (one) => one.id === id && /^(canceled|incomplete_expired)$/.test(one.status),
      ) ?? false;
    this.#lots = this.#lots.filter(
      (lot) =>
        lot.subscription !== subscription && (credits === null || !isEnded(lot.subscription)),
    );
    if (credits !== null) this.#lots.push({ subscription, left: credits });
  }

  async #refresh(): Promise<Account> {
    const { stripe, prices, customer } = this.#reader;
    const account = await readAccount(stripe, prices, customer);
    this.#account = account;
    for (const sale of account.sales) {
      if (this.#seen.has(sale.invoice)) continue;
      this.#seen.add(sale.invoice);
      if (sale.end > sale.paidAt) this.#set(sale.subscription, sale.plan.credits);
    }
    for (const one of account.subscriptions) {
      this.#grantMonths(one);
      this.#cap(one);
    }
    return account;
  }

  #grantMonths(one: Stripe.Subscription): void {
    const sale = this.#newestOf(one.id);
    if (!sale?.plan.grantsMonthly || !this.#isEntitled(one) || one.status === 'past_due') return;
    const begun = Array.from({ length: 12 }, (_, month) => addMonths(sale.start, month)).filter(
      (at) => at <= this.#now(),
    ).length;
    const granted = this.#months.get(sale.invoice) ?? 1;
    this.#months.set(sale.invoice, Math.max(begun, granted));
    if (begun > granted) this.#set(one.id, sale.plan.credits);
  }

  #cap(one: Stripe.Subscription): void {
    const { credits } = this.#planOf(one);
    if (credits === null) return;
    for (const lot of this.#lots)
      if (lot.subscription === one.id) lot.left = Math.min(lot.left, credits);
  }
}
