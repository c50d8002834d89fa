import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import type { PlanChange } from './plan-change.ts';
import { latestInvoiceOf } from './stripe-subscription.ts';

/** Eight years of months: an older invoice is neither open nor of the present period. */
const newestInvoices = 100;
/** Paid ones whose lines are read: a change that waited to be paid is older than what came since. */
const newestPaid = 10;

/** The invoice that a change waits for, if one does. */
export function openInvoiceOf({ subscription }: PlanChange): Stripe.Invoice | undefined {
  const invoice = latestInvoiceOf(subscription);
  return subscription.pending_update && invoice?.status === 'open' ? invoice : undefined;
}

/** All lines of an invoice, which itself holds ten. */
async function linesOf(ctx: Ctx, invoice: Stripe.Invoice) {
  if (!invoice.lines.has_more) return invoice.lines.data;
  const lines: Stripe.InvoiceLineItem[] = [];
  for await (const line of ctx.stripe.invoices.listLineItems(invoice.id, { limit: 100 }))
    lines.push(line);
  return lines;
}

const priceOf = (line: Stripe.InvoiceLineItem): string | undefined => {
  const price = line.pricing?.price_details?.price;
  return typeof price === 'object' ? price.id : price;
};

/** A line that sells time, not one that gives some back. */
const isSale = ({ amount, parent }: Stripe.InvoiceLineItem): boolean =>
  amount > 0 || parent?.subscription_item_details?.proration !== true;

/** The last line that sold a plan: with it, what was billed is what is held, or not. */
async function lastSale({ ctx, account, item }: PlanChange, paid: Stripe.Invoice[]) {
  const isPlan = (price: string | undefined): boolean =>
    price === item.price.id || account.plans.some(({ priceId }) => priceId === price);
  const lines = (await Promise.all(paid.map((invoice) => linesOf(ctx, invoice)))).flat();
  return lines
    .filter((line) => isPlan(priceOf(line)) && isSale(line))
    .reduce<Stripe.InvoiceLineItem | undefined>(
      (last, line) => (last && last.period.start >= line.period.start ? last : line),
      undefined,
    );
}

/**
 * The subscription's invoices, newest first. Read before the subscription: then what it holds is never
 * older than what was billed for it.
 */
export const readInvoices = async (ctx: Ctx, subscription: string): Promise<Stripe.Invoice[]> =>
  (await ctx.stripe.invoices.list({ subscription, limit: newestInvoices })).data;

/** An invoice that waits to be paid, and not for a change of ours: the oldest that is open. */
export function invoiceDue(
  change: PlanChange,
  invoices: Stripe.Invoice[],
): Stripe.Invoice | undefined {
  const latest = latestInvoiceOf(change.subscription);
  const waiting = openInvoiceOf(change)?.id;
  const others = [...(latest ? [latest] : []), ...invoices].filter(({ id }) => id !== waiting);
  return (
    others.findLast(({ status }) => status === 'open') ??
    others.findLast(({ status, amount_due: due }) => status === 'draft' && due > 0)
  );
}

/**
 * Whether what the subscription holds now was paid, at its price and to its period's end: only that
 * may be credited. A plan that differs from the last one sold came without an invoice (a downgrade at
 * once, ours or the dashboard's), a period that no paid line reaches was not paid.
 * Source: docs.stripe.com/billing/subscriptions/billing-mode/compare
 */
export async function isPaid(change: PlanChange, invoices: Stripe.Invoice[]): Promise<boolean> {
  const { item } = change;
  const paid = invoices.filter(({ status }) => status === 'paid');
  const sale = await lastSale(change, paid.slice(0, newestPaid));
  return (
    sale !== undefined &&
    priceOf(sale) === item.price.id &&
    sale.quantity === (item.quantity ?? null) &&
    sale.period.end === item.current_period_end
  );
}
