import { invalid } from '../core/problem.ts';
import type {
  Invoice,
  Meta,
  Period,
  Price,
  Subscription,
  SubscriptionItem,
} from '../core/types.ts';
import type { World } from '../core/world.ts';
import { collectInvoice } from './payment-collection.ts';
import { describe, type LineDraft } from './invoice-lines.ts';
import { draftInvoice, finalizeInvoice } from './invoices.ts';
import { periodFrom } from './periods.ts';
import { createItem } from './subscription-items.ts';

export type NewSubscription = {
  customer: string;
  items: { price: Price; quantity: number; metadata?: Meta }[];
  /** One-time prices that ride on the first invoice. */
  extras?: { price: Price; quantity: number }[];
  metadata: Meta;
  billingMode?: 'classic' | 'flexible' | undefined;
  description?: string | null | undefined;
  /** Ids of discounts. */
  discounts?: string[] | undefined;
  isTaxed?: boolean | undefined;
  /** Unix seconds; null for no trial. */
  trialEnd: number | null;
  trialSettings?: Subscription['trial_settings'] | null;
};

/** The period of an item, which all items of a subscription share. */
export const periodOf = (subscription: Subscription): Period => {
  const [first] = subscription.items.data;
  return { start: first?.current_period_start ?? 0, end: first?.current_period_end ?? 0 };
};

export function setPeriod(subscription: Subscription, period: Period): void {
  for (const item of subscription.items.data) {
    item.current_period_start = period.start;
    item.current_period_end = period.end;
  }
}

/** Refuses items that cannot be billed together. */
export function checkItems(prices: Price[]): void {
  const [first] = prices;
  for (const price of prices) {
    if (!price.recurring || !first?.recurring)
      throw invalid(
        `The price specified is set to \`type=one_time\` but this field only accepts prices with \`type=recurring\`.`,
        { param: 'items' },
      );
    if (price.currency !== first.currency)
      throw invalid('All prices on a subscription must have the same currency.', {
        param: 'items',
      });
    if (
      price.recurring.interval !== first.recurring.interval ||
      price.recurring.interval_count !== first.recurring.interval_count
    )
      throw invalid(
        'All prices on a subscription must have the same `recurring.interval` and `recurring.interval_count`.',
        { param: 'items' },
      );
  }
  const ids = prices.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined)
    throw invalid(`Cannot add multiple subscription items with the same plan: ${twice}`, 'items');
}

/** A subscription stays in its currency. */
export function checkCurrency({ currency }: Subscription, prices: Price[]): void {
  if (prices.some((price) => price.currency !== currency))
    throw invalid(`The price's currency differs from the subscription's (${currency}).`, 'items');
}

/** A metered item, which can only be told of, has no quantity; none of its use is known here. */
export const quantityOf = (item: Pick<Partial<SubscriptionItem>, 'quantity'>): number =>
  item.quantity ?? 0;

/** What items cost in a period, before discounts. */
export const priceOf = (items: { price: Price; quantity: number }[]): number =>
  items.reduce((sum, { price, quantity }) => sum + (price.unit_amount ?? 0) * quantity, 0);

/** A line for each item over a period; in a trial it costs nothing. */
export const itemLines = (
  world: World,
  subscription: Subscription,
  period: Period,
  isTrial = false,
): LineDraft[] =>
  subscription.items.data.map((item) => ({
    amount: isTrial ? 0 : (item.price.unit_amount ?? 0) * quantityOf(item),
    description: isTrial
      ? `Trial period for ${world.store.find('product', item.price.product)?.name ?? ''}`
      : describe(world, item.price, quantityOf(item)),
    invoiceItem: null,
    isProration: false,
    item: item.id,
    period,
    price: item.price,
    quantity: quantityOf(item),
    subscription: subscription.id,
  }));

/** The default since API version 2025-09-30. Source: https://docs.stripe.com/billing/subscriptions/billing-mode */
export const billingMode = (type: 'classic' | 'flexible') => ({
  flexible: type === 'flexible' ? { proration_discounts: 'included' as const } : null,
  type,
});

/** Makes a subscription with its first, open invoice; nothing is paid yet. */
export function openSubscription(
  world: World,
  input: NewSubscription,
): { subscription: Subscription; invoice: Invoice } {
  const { store, clock } = world;
  const now = clock.now();
  const recurring = input.items[0]?.price.recurring;
  if (!recurring) throw invalid('A subscription needs a recurring price.', { param: 'items' });
  const anchor = input.trialEnd ?? now;
  const period =
    input.trialEnd === null ? periodFrom(now, recurring, now) : { start: now, end: anchor };
  const subscription = store.add('subscription', now, {
    billing_cycle_anchor: anchor,
    billing_mode: billingMode(input.billingMode ?? 'flexible'),
    currency: input.items[0]?.price.currency ?? '',
    customer: input.customer,
    description: input.description ?? null,
    discounts: input.discounts ?? [],
    metadata: { ...input.metadata },
    start_date: now,
    status: input.trialEnd === null ? 'incomplete' : 'trialing',
    trial_end: input.trialEnd,
    trial_start: input.trialEnd === null ? null : now,
  });
  subscription.automatic_tax.enabled = input.isTaxed ?? false;
  if (input.trialSettings) subscription.trial_settings = input.trialSettings;
  subscription.items.url = `/v1/subscription_items?subscription=${subscription.id}`;
  subscription.items.data = input.items.map((item) =>
    createItem(world, { ...item, subscription: subscription.id }),
  );
  setPeriod(subscription, period);
  const extras = (input.extras ?? []).map(({ price, quantity }): LineDraft => ({
    amount: (price.unit_amount ?? 0) * quantity,
    description: describe(world, price, quantity),
    invoiceItem: null,
    isProration: false,
    item: null,
    period: { start: now, end: now },
    price,
    quantity,
    subscription: subscription.id,
  }));
  const invoice = draftInvoice(world, {
    currency: subscription.currency,
    customer: input.customer,
    finalizesAt: null,
    lines: [...itemLines(world, subscription, period, input.trialEnd !== null), ...extras],
    period: { start: now, end: now },
    reason: 'subscription_create',
    subscription,
  });
  world.emit('customer.subscription.created', subscription);
  finalizeInvoice(world, invoice);
  return { subscription, invoice };
}

/** Makes a subscription and tries to pay its first invoice at once. */
export function startSubscription(world: World, input: NewSubscription) {
  const opened = openSubscription(world, input);
  return { ...opened, outcome: collectInvoice(world, opened.invoice) };
}
