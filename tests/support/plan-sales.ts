import type Stripe from 'stripe';
import {
  catalogue,
  lookupKeyOf,
  type CatalogueItem,
} from '../../functions/billing/catalogue.pure.ts';

/** A plan that a paid invoice sold, and what it gave back. Money in cents, times in unix seconds. */
export type Sale = {
  invoice: string;
  subscription: string;
  plan: CatalogueItem;
  start: number;
  end: number;
  paidAt: number;
  /** Plans whose unused time it credited. */
  credited: CatalogueItem[];
};

export type Account = {
  /** In the order in which they were paid. */
  sales: Sale[];
  subscriptions: Stripe.Subscription[];
  invoices: Stripe.Invoice[];
  /** What the customer has paid and not got back, as money or as balance. */
  keptCents: number;
};

/** The sale whose period began last; of two in one second the one that was paid last. */
export const newestOf = (sales: Sale[]): Sale | undefined =>
  sales.toSorted((a, b) => a.start - b.start).at(-1);

export const planOf = (
  prices: Map<string, CatalogueItem>,
  id: string | undefined,
): CatalogueItem => {
  const plan = prices.get(id ?? '');
  if (!plan) throw new Error(`no plan has the price ${id}`);
  return plan;
};

/** The catalogue's plans by the id of their price. */
export async function plansByPrice(stripe: Stripe): Promise<Map<string, CatalogueItem>> {
  const { data } = await stripe.prices.list({ limit: 100 });
  const byKey = new Map(catalogue.map((item) => [lookupKeyOf(item), item]));
  return new Map(
    data.flatMap(({ id, lookup_key: key }) => {
      const item = byKey.get(key ?? '');
      return item?.kind === 'plan' ? [[id, item] as const] : [];
    }),
  );
}

function saleOf(prices: Map<string, CatalogueItem>, invoice: Stripe.Invoice): Sale | undefined {
  const lines = invoice.lines.data.map((line) => ({
    ...line,
    plan: planOf(prices, line.pricing?.price_details?.price as string | undefined),
    isProration: line.parent?.subscription_item_details?.proration === true,
  }));
  const [sold, ...more] = lines.filter(({ isProration }) => !isProration);
  const subscription = invoice.parent?.subscription_details?.subscription;
  if (!sold || more.length > 0 || typeof subscription !== 'string')
    throw new Error(`${invoice.id} sells ${more.length + (sold ? 1 : 0)} plans`);
  return {
    invoice: invoice.id,
    subscription,
    plan: sold.plan,
    start: sold.period.start,
    end: sold.period.end,
    paidAt: invoice.status_transitions.paid_at ?? 0,
    credited: lines.filter(({ amount }) => amount < 0).map(({ plan }) => plan),
  };
}

/** All that Stripe knows of a customer's plans and money. */
export async function readAccount(
  stripe: Stripe,
  prices: Map<string, CatalogueItem>,
  customer: string,
): Promise<Account> {
  const [owner, invoices, subscriptions] = await Promise.all([
    stripe.customers.retrieve(customer),
    stripe.invoices.list({ customer, limit: 100 }).autoPagingToArray({ limit: 1000 }),
    stripe.subscriptions.list({ customer, status: 'all', limit: 100 }),
  ]);
  if (owner.deleted) throw new Error('The customer is gone.');
  const paid = invoices.filter(({ status }) => status === 'paid').toReversed();
  const sales = paid.flatMap((invoice) => saleOf(prices, invoice) ?? []);
  return {
    sales: sales.toSorted((a, b) => a.paidAt - b.paidAt),
    subscriptions: subscriptions.data,
    invoices,
    keptCents: paid.reduce(
      (sum, { amount_paid: cents }) => sum + cents,
      Math.min(0, owner.balance),
    ),
  };
}
