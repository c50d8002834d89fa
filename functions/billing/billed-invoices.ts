import type Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import type { PlanChange } from './plan-change.ts';
import { latestInvoiceOf } from './stripe-subscription.ts';

/** Invoices of one status that are looked at: a subscription has few that are neither paid nor void. */
const mostInvoices = 100;
/** The newest paid ones: a change that waited to be paid may be older than what was paid since. */
const mostPaid = 10;

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

/** A subscription's invoices that are not void, by status, newest first. */
export type Invoices = Record<'open' | 'draft' | 'paid', Stripe.Invoice[]>;

/** Read before the subscription: then what is held is never older than what was billed. */
export async function readInvoices(ctx: Ctx, subscription: string): Promise<Invoices> {
  const list = async (status: keyof Invoices, limit: number) =>
    (await ctx.stripe.invoices.list({ subscription, status, limit })).data;
  const [open, draft, paid] = await Promise.all([
    list('open', mostInvoices),
    list('draft', mostInvoices),
    list('paid', mostPaid),
  ]);
  return { open, draft, paid };
}

/** An invoice that waits to be paid, and not for a change of ours: the oldest that is open. */
export function invoiceDue(change: PlanChange, invoices: Invoices): Stripe.Invoice | undefined {
  const latest = latestInvoiceOf(change.subscription);
  const waiting = openInvoiceOf(change)?.id;
  return [...(latest ? [latest] : []), ...invoices.draft, ...invoices.open].findLast(
    ({ id, status, amount_due: due }) =>
      id !== waiting && (status === 'open' || (status === 'draft' && due > 0)),
  );
}

/**
 * Whether what the subscription holds now was paid, at its price and to its period's end: only that
 * may be credited. A plan that differs from the last one sold came without an invoice (a downgrade at
 * once, ours or the dashboard's), a period that no paid line reaches was not paid.
 * Source: docs.stripe.com/billing/subscriptions/billing-mode/compare
 */
export async function isPaid(change: PlanChange, { paid }: Invoices): Promise<boolean> {
  const { item } = change;
  const sale = await lastSale(change, paid);
  return (
    sale !== undefined &&
    priceOf(sale) === item.price.id &&
    sale.quantity === (item.quantity ?? null) &&
    sale.period.end === item.current_period_end
  );
}
