import { newId } from '../core/ids.ts';
import type { Invoice, InvoiceLine, Period, Price } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { pretaxCredits, type Totals } from './invoice-totals.ts';

/** What a line bills. Amounts in the currency's smallest unit, negative for a credit. */
export type LineDraft = {
  amount: number;
  description: string;
  period: Period;
  price: Price;
  quantity: number;
  isProration: boolean;
  subscription: string | null;
  /** The subscription item, or null for a one-time price. */
  item: string | null;
  invoiceItem: string | null;
  /** What a credit gives back: a line of an invoice, or an invoice item that waits for one. */
  credits?: { debit: string; invoice: string | null; line: string };
};

const formats = new Map<string, Intl.NumberFormat>();

/** $20.00, ¥2,000: in a zero-decimal currency the smallest unit is the whole one. */
export function money(amount: number, currency: string): string {
  const format =
    formats.get(currency) ?? new Intl.NumberFormat('en-US', { style: 'currency', currency });
  formats.set(currency, format);
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

const productName = (world: World, price: Price): string =>
  world.store.find('product', price.product)?.name ?? price.product;

/** `2 × Pro (at $20.00 / month)` */
export function describe(world: World, price: Price, quantity: number): string {
  const every = price.recurring ? ` / ${price.recurring.interval}` : '';
  return `${quantity} × ${productName(world, price)} (at ${money(price.unit_amount ?? 0, price.currency)}${every})`;
}

/** `Unused time on Pro after 21 Nov 2026`; Stripe's words for prorations. */
export function describeProration(
  world: World,
  price: Price,
  now: number,
  isCredit: boolean,
): string {
  const day = new Date(now * 1000).toLocaleDateString('en-GB', {
    day: '2-digit',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  });
  return `${isCredit ? 'Unused' : 'Remaining'} time on ${productName(world, price)} after ${day}`;
}

export const pricing = (price: Price): NonNullable<InvoiceLine['pricing']> => ({
  price_details: { price: price.id, product: price.product },
  type: 'price_details',
  unit_amount_decimal: price.unit_amount_decimal,
});

/** The parent of a line: its subscription item, or the invoice item of a one-time price. */
function parentOf(draft: LineDraft): NonNullable<InvoiceLine['parent']> {
  const shared = {
    proration: draft.isProration,
    proration_details: draft.isProration
      ? {
          credited_items:
            draft.credits?.invoice == null
              ? null
              : { invoice: draft.credits.invoice, invoice_line_items: [draft.credits.line] },
        }
      : null,
    subscription: draft.subscription,
  };
  if (draft.item === null)
    return {
      invoice_item_details: { ...shared, invoice_item: draft.invoiceItem ?? newId('invoiceitem') },
      subscription_item_details: null,
      type: 'invoice_item_details',
    };
  return {
    invoice_item_details: null,
    subscription_item_details: {
      ...shared,
      invoice_item: draft.invoiceItem,
      subscription_item: draft.item,
    },
    type: 'subscription_item_details',
  };
}

/** Adds a line to an invoice. Source: https://docs.stripe.com/api/invoice-line-item/object */
export function addLine(
  world: World,
  invoice: Invoice,
  draft: LineDraft,
  totals: Totals['lines'][number],
): InvoiceLine {
  const subscription =
    draft.subscription === null ? undefined : world.store.find('subscription', draft.subscription);
  return world.store.add('line_item', world.clock.now(), {
    amount: draft.amount,
    currency: draft.price.currency,
    description: draft.description,
    discount_amounts: totals.discountAmounts,
    discountable: !draft.isProration,
    invoice: invoice.id,
    metadata: { ...subscription?.metadata },
    parent: parentOf(draft),
    period: draft.period,
    pretax_credit_amounts: pretaxCredits(totals.discountAmounts),
    pricing: pricing(draft.price),
    quantity: draft.quantity,
    quantity_decimal: String(draft.quantity),
    subscription: draft.subscription,
    subtotal: draft.amount,
    taxes: totals.taxes,
  });
}
