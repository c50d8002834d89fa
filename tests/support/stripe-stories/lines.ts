import { periodFrom } from '../../../local/stripe/resources/periods.ts';
import type { Kinds, Price, Story } from './story.ts';

export type Line = Kinds['line_item'];
export type Item = Kinds['subscription_item'];
export type Period = { start: number; end: number };

/** What a line bills; `amount` is negative for a credit. */
export type Draft = {
  price: Price;
  amount: number;
  quantity: number;
  period: Period;
  /** The subscription item, or null for what is billed once. */
  item: Item | null;
  proration?: boolean;
  /** The pending invoice item that it comes from. */
  invoiceItem?: string;
  description?: string;
};

export const periodOf = (item: Item): Period => ({
  start: item.current_period_start,
  end: item.current_period_end,
});

export const isMetered = ({ recurring }: Price): boolean => recurring?.usage_type === 'metered';

/** The period after `from`, counted from the anchor. */
export const nextPeriod = ({ recurring }: Price, from: number, anchor = from): Period =>
  periodFrom(anchor, recurring ?? { interval: 'month', interval_count: 1 }, from);

/** An item's whole period; a metered one bills the period before by `units`. */
export function fullLine(item: Item, units?: number, period: Period = periodOf(item)): Draft {
  const quantity = units ?? item.quantity;
  const amount = (item.price.unit_amount ?? 0) * quantity;
  return { amount, item, period, price: item.price, quantity };
}

/** What is billed once: a set-up fee, a service, a correction. */
export const onceLine = (story: Story, price: Price, quantity = 1): Draft => ({
  amount: (price.unit_amount ?? 0) * quantity,
  item: null,
  period: { start: story.at, end: story.at },
  price,
  quantity,
});

/**
 * The unused (`-1`) or remaining (`1`) time of an item's period from now on, to the second.
 * Source: https://docs.stripe.com/billing/subscriptions/prorations
 */
export function proration(story: Story, item: Item, sign: -1 | 1): Draft {
  const { start, end } = periodOf(item);
  const { quantity } = item;
  const whole = (item.price.unit_amount ?? 0) * quantity;
  return {
    amount: sign * Math.round((whole * (end - story.at)) / (end - start)),
    description: `${sign < 0 ? 'Unused' : 'Remaining'} time`,
    item: structuredClone(item),
    period: { start: story.at, end },
    price: item.price,
    proration: true,
    quantity,
  };
}

/** The charge that a credit gives back: the newest one of the same item. */
function creditedBy(story: Story, draft: Draft) {
  if (!draft.proration || draft.amount >= 0) return null;
  const charged = story
    .all('line_item')
    .findLast(
      ({ amount, parent }) =>
        amount > 0 && parent?.subscription_item_details?.subscription_item === draft.item?.id,
    );
  if (!charged) return null;
  return { invoice: charged.invoice ?? '', invoice_line_items: [charged.id] };
}

function parentOf(story: Story, draft: Draft, subscription: string | null): Line['parent'] {
  const isProration = draft.proration === true;
  const { item, invoiceItem: invoice_item = null } = draft;
  const shared = {
    proration: isProration,
    proration_details: isProration ? { credited_items: creditedBy(story, draft) } : null,
    subscription,
  };
  const once = { ...shared, invoice_item: invoice_item ?? story.id('ii_1') };
  return {
    invoice_item_details: item ? null : once,
    subscription_item_details: item && { ...shared, invoice_item, subscription_item: item.id },
    type: item ? 'subscription_item_details' : 'invoice_item_details',
  };
}

export const pricingOf = (price: Price) => ({
  price_details: { price: price.id, product: price.product },
  type: 'price_details' as const,
  unit_amount_decimal: price.unit_amount_decimal,
});

/** What is taken off every line that may be discounted, and the tax that is put on the rest. */
export type Terms = {
  percentOff?: { percent: number; discount: string };
  taxPercent?: number;
};

const share = (amount: number, percent: number): number => Math.round((amount * percent) / 100);

/** A line with its part of discount and (exclusive) tax. Source: https://docs.stripe.com/api/invoice-line-item/object */
export function makeLine(
  story: Story,
  invoice: { id: string; subscription: Kinds['subscription'] | null },
  draft: Draft,
  { percentOff, taxPercent }: Terms,
): Line {
  const off = percentOff && !draft.proration ? share(draft.amount, percentOff.percent) : 0;
  const taxable = draft.amount - off;
  if (draft.invoiceItem) story.find('invoiceitem', draft.invoiceItem).invoice = invoice.id;
  return story.make('line_item', {
    amount: draft.amount,
    currency: draft.price.currency,
    description: draft.description ?? `${draft.quantity} × ${draft.price.nickname ?? 'item'}`,
    discount_amounts: percentOff ? [{ amount: off, discount: percentOff.discount }] : [],
    discountable: !draft.proration,
    invoice: invoice.id,
    metadata: draft.item ? { ...invoice.subscription?.metadata } : {},
    parent: parentOf(story, draft, invoice.subscription?.id ?? null),
    period: draft.period,
    pricing: pricingOf(draft.price),
    quantity: draft.quantity,
    quantity_decimal: String(draft.quantity),
    subscription: invoice.subscription?.id ?? null,
    subtotal: draft.amount,
    taxes: taxPercent === undefined ? [] : [tax(story, taxPercent, taxable)],
  });
}

/** What a flat rate, exclusive, comes to; `amount` where it was rounded line by line. */
export function tax(story: Story, percentage: number, taxable: number, amount?: number) {
  const known = story.all('tax_rate').find((one) => one.percentage === percentage);
  return {
    amount: amount ?? share(taxable, percentage),
    tax_behavior: 'exclusive' as const,
    tax_rate_details: { tax_rate: (known ?? story.make('tax_rate', { percentage })).id },
    taxability_reason: 'standard_rated' as const,
    taxable_amount: taxable,
    type: 'tax_rate_details' as const,
  };
}
