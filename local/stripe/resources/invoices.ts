import type { BillingReason, Invoice, Period, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { applyBalance, unapplyBalance } from './customer-balance.ts';
import { discountsFor, setDiscounts, useUpDiscounts } from './discounts.ts';
import { forgetFailure } from './finalization.ts';
import { addLine, type LineDraft } from './invoice-lines.ts';
import { pretaxCredits, totalsOf } from './invoice-totals.ts';
import { createIntent } from './payments.ts';
import { dropPendingUpdate, isPendingFor } from './pending-update.ts';
import { automaticTax, isInclusive, taxOf } from './taxes.ts';

type InvoiceDraft = {
  customer: string;
  currency: string;
  reason: BillingReason;
  subscription: Subscription | null;
  lines: LineDraft[];
  /** The invoice's own period: of a renewal it is the one that ended, not the one it pays for. */
  period: Period;
  /** When it finalizes by itself, in unix seconds; null for at once, by the caller. */
  finalizesAt: number | null;
  /** Left as a draft until somebody finalizes it. */
  isHeld?: boolean;
};

/** Makes a draft invoice and tells of it. Source: https://docs.stripe.com/api/invoices/object */
export function draftInvoice(world: World, draft: InvoiceDraft): Invoice {
  const { store, clock } = world;
  const customer = store.need('customer', draft.customer);
  const subscription = draft.subscription;
  if (subscription) setDiscounts(world, subscription, subscription.discounts);
  const isTaxed = subscription?.automatic_tax.enabled ?? false;
  const totals = totalsOf(
    draft.lines.map((line) => ({
      amount: line.amount,
      isDiscountable: !line.isProration,
      isInclusive: isInclusive(world, line.price),
    })),
    subscription ? discountsFor(world, subscription) : [],
    taxOf(world, isTaxed),
  );
  const { discountAmounts, total } = totals;
  const invoice = store.add('invoice', clock.now(), {
    amount_due: Math.max(0, total + customer.balance),
    amount_remaining: Math.max(0, total + customer.balance),
    auto_advance: draft.isHeld !== true,
    automatic_tax: { disabled_reason: null, ...automaticTax(isTaxed, 'complete') },
    automatically_finalizes_at: draft.finalizesAt,
    billing_reason: draft.reason,
    currency: draft.currency,
    customer: draft.customer,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    discounts: discountAmounts.map(({ discount }) => discount),
    metadata: {},
    next_payment_attempt: draft.finalizesAt,
    parent: subscription && {
      quote_details: null,
      subscription_details: {
        metadata: { ...subscription.metadata },
        subscription: subscription.id,
      },
      type: 'subscription_details',
    },
    period_end: draft.period.end,
    period_start: draft.period.start,
    starting_balance: customer.balance,
    subtotal: totals.subtotal,
    subtotal_excluding_tax: totals.subtotalExcludingTax,
    total,
    total_discount_amounts: discountAmounts,
    total_excluding_tax: totals.totalExcludingTax,
    total_pretax_credit_amounts: pretaxCredits(discountAmounts),
    total_taxes: totals.taxes,
  });
  invoice.lines.url = `/v1/invoices/${invoice.id}/lines`;
  const lines = draft.lines.flatMap((line, index) => {
    const own = totals.lines[index];
    return own ? [addLine(world, invoice, line, own)] : [];
  });
  invoice.lines.data = lines.slice(0, 10);
  invoice.lines.has_more = lines.length > 10;
  for (const { invoiceItem } of draft.lines) {
    const item = invoiceItem === null ? undefined : store.find('invoiceitem', invoiceItem);
    if (item) item.invoice = invoice.id;
  }
  customer.currency ??= draft.currency;
  if (subscription) subscription.latest_invoice = invoice.id;
  world.emit('invoice.created', invoice);
  return invoice;
}

/** Makes a draft of what a subscription bills at this moment, whatever its period. */
export const draftForNow = (world: World, one: Subscription, lines: LineDraft[]): Invoice =>
  draftInvoice(world, {
    currency: one.currency,
    customer: one.customer,
    finalizesAt: null,
    lines,
    period: { start: world.clock.now(), end: world.clock.now() },
    reason: 'subscription_update',
    subscription: one,
  });

const reasons: Record<string, string> = {
  manual: 'Payment for Invoice',
  subscription_create: 'Subscription creation',
  subscription_cycle: 'Subscription update',
  subscription_update: 'Subscription update',
};

/** Opens a draft: number, hosted page, and a payment intent where there is something to pay. */
export function finalizeInvoice(world: World, invoice: Invoice): void {
  const { store, clock } = world;
  const customer = store.need('customer', invoice.customer);
  forgetFailure(invoice);
  applyBalance(world, invoice);
  const page = `${world.base}/invoices/${invoice.id}`;
  Object.assign(invoice, {
    automatically_finalizes_at: null,
    effective_at: clock.now(),
    hosted_invoice_url: page,
    invoice_pdf: `${page}/pdf`,
    number: `${customer.invoice_prefix}-${String(customer.next_invoice_sequence++).padStart(4, '0')}`,
    status: 'open',
  });
  invoice.status_transitions['finalized_at'] = clock.now();
  if (invoice.amount_due > 0) {
    const intent = createIntent(world, {
      amount: invoice.amount_due,
      currency: invoice.currency,
      customer: invoice.customer,
      description: reasons[invoice.billing_reason] ?? null,
    });
    store.add('invoice_payment', clock.now(), {
      amount_requested: invoice.amount_due,
      currency: invoice.currency,
      invoice: invoice.id,
      payment: { payment_intent: intent.id, type: 'payment_intent' },
    });
  }
  world.emit('invoice.finalized', invoice);
  const id = invoice.parent?.subscription_details?.subscription;
  const subscription = id === undefined ? undefined : store.find('subscription', id);
  if (subscription) useUpDiscounts(world, subscription, invoice);
}

/** Voids an open invoice and cancels its payment. */
export function voidInvoice(world: World, invoice: Invoice): void {
  closePayments(world, invoice);
  invoice.status = 'void';
  invoice.auto_advance = false;
  invoice.next_payment_attempt = null;
  invoice.status_transitions['voided_at'] = world.clock.now();
  world.emit('invoice.voided', invoice);
  unapplyBalance(world, invoice);
  for (const one of world.store.of('subscription', 'customer', invoice.customer))
    if (isPendingFor(world, one, invoice)) dropPendingUpdate(world, one);
}

/** Gives an open invoice up as a bad debt; it can still be paid. */
export function giveUpInvoice(world: World, invoice: Invoice): void {
  invoice.status = 'uncollectible';
  invoice.auto_advance = false;
  invoice.next_payment_attempt = null;
  invoice.status_transitions['marked_uncollectible_at'] = world.clock.now();
  world.emit('invoice.marked_uncollectible', invoice);
}

/** Cancels what an invoice still waits for. */
export function closePayments(world: World, invoice: Invoice): void {
  for (const payment of world.store.of('invoice_payment', 'invoice', invoice.id)) {
    if (payment.status !== 'open') continue;
    payment.status = 'canceled';
    payment.status_transitions['canceled_at'] = world.clock.now();
    const intent = world.store.need('payment_intent', payment.payment.payment_intent);
    Object.assign(intent, { status: 'canceled', canceled_at: world.clock.now() });
    world.emit('payment_intent.canceled', intent);
  }
}
