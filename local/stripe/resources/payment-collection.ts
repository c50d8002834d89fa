import { daySeconds } from '../core/clock.ts';
import { declined, invalid } from '../core/problem.ts';
import type { Invoice, PaymentIntent, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { closePayments } from './invoices.ts';
import { confirmIntent, type Outcome } from './payments.ts';
import { applyPendingUpdate, isPendingFor } from './pending-update.ts';
import { endSubscription } from './subscription-end.ts';

/** Days until each retry of a failed payment; what follows the last one is a setting. */
const retriesAfterDays = [3, 5, 7];

/** The order in which Stripe tells of a payment. */
export const paymentOrder = [
  'customer.created',
  'payment_intent.created',
  'charge.succeeded',
  'charge.pending',
  'charge.failed',
  'payment_intent.payment_failed',
  'payment_intent.processing',
  'invoice.created',
  'customer.subscription.created',
  'customer.discount.created',
  'customer.updated',
  'invoice.finalized',
  'customer.subscription.pending_update_applied',
  'customer.subscription.updated',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
  'payment_intent.succeeded',
  'invoice.payment_failed',
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
] as const;

/** The same for a payment that fails: the subscription learns of it last. */
const failureOrder = [
  'payment_intent.created',
  'charge.failed',
  'payment_intent.payment_failed',
  'payment_intent.requires_action',
  'invoice.created',
  'invoice.finalized',
  'invoice.payment_failed',
  'invoice.payment_action_required',
  'invoice.updated',
  'customer.subscription.updated',
  'customer.subscription.deleted',
] as const;

const subscriptionOf = (world: World, invoice: Invoice): Subscription | undefined => {
  const id = invoice.parent?.subscription_details?.subscription;
  return id === undefined ? undefined : world.store.find('subscription', id);
};

/** The open payment of an invoice, with its intent. */
export function paymentOf(world: World, invoice: Invoice) {
  const payment = world.store
    .of('invoice_payment', 'invoice', invoice.id)
    .find((one) => one.status === 'open');
  const intent = payment && world.store.need('payment_intent', payment.payment.payment_intent);
  return payment && intent ? { payment, intent } : undefined;
}

/** Whether the bank still has an invoice's payment, which can then be neither repeated nor called off. */
export const isProcessing = (world: World, invoice: Invoice): boolean =>
  paymentOf(world, invoice)?.intent.status === 'processing';

/** Marks an invoice as paid and tells of it; `revived` runs before the others hear. */
function payInFull(
  world: World,
  invoice: Invoice,
  revived: (intent: PaymentIntent | undefined) => void,
): void {
  const now = world.clock.now();
  const open = paymentOf(world, invoice);
  Object.assign(invoice, {
    amount_paid: invoice.amount_due,
    amount_remaining: 0,
    attempted: true,
    auto_advance: false,
    next_payment_attempt: null,
    status: 'paid',
  });
  invoice.status_transitions['paid_at'] = now;
  revived(open?.intent);
  world.emit('invoice.paid', invoice);
  world.emit('invoice.payment_succeeded', invoice);
  if (!open) return;
  Object.assign(open.payment, { amount_paid: invoice.amount_due, status: 'paid' });
  open.payment.status_transitions['paid_at'] = now;
  world.emit('invoice_payment.paid', open.payment);
}

/** Marks an invoice as paid, with all that follows for its subscription. */
export function markPaid(world: World, invoice: Invoice): void {
  const subscription = subscriptionOf(world, invoice);
  payInFull(world, invoice, (intent) => {
    if (subscription) revive(world, subscription, invoice, intent);
  });
}

/** A paid latest invoice makes an incomplete or overdue subscription active again. */
function revive(
  world: World,
  subscription: Subscription,
  invoice: Invoice,
  intent?: PaymentIntent,
): void {
  if (isPendingFor(world, subscription, invoice)) applyPendingUpdate(world, subscription);
  if (subscription.ended_at !== null) return;
  world.change('customer.subscription.updated', subscription, (one) => {
    if (isOverdue(one) && one.latest_invoice === invoice.id) one.status = 'active';
    one.default_payment_method ??= intent?.payment_method ?? null;
  });
}

export const isOverdue = ({ status }: Subscription): boolean =>
  ['incomplete', 'past_due', 'unpaid'].includes(status);

/** Tells of a failed try; unless it was made by hand, the next one is planned. */
function markFailed(world: World, invoice: Invoice, outcome: Outcome, isByHand: boolean): void {
  if (isByHand) world.emit('invoice.payment_failed', invoice);
  else planRetry(world, invoice);
  if (outcome === 'action') world.emit('invoice.payment_action_required', invoice);
}

function planRetry(world: World, invoice: Invoice): void {
  const { clock } = world;
  const subscription = subscriptionOf(world, invoice);
  const retryDays = retriesAfterDays[invoice.attempt_count - 1];
  // A first payment is not tried again, unless it was a bank's and the subscription had begun.
  const isFirst =
    invoice.billing_reason === 'subscription_create' && subscription?.status === 'incomplete';
  const willRetry = invoice.auto_advance && !isFirst && retryDays !== undefined;
  invoice.next_payment_attempt = willRetry ? clock.now() + retryDays * daySeconds : null;
  world.emit('invoice.payment_failed', invoice);
  if (!subscription || subscription.ended_at !== null || isFirst) return;
  if (isPendingFor(world, subscription, invoice)) return;
  const after = !willRetry && invoice.auto_advance ? world.store.notes.afterRetries : 'past_due';
  if (after === 'cancel') endSubscription(world, subscription, 'payment_failed');
  else if (after === 'unpaid' || subscription.status !== 'unpaid')
    world.change('customer.subscription.updated', subscription, (one) => {
      one.status = after;
    });
}

/** The order in which the customer's card will let things happen. */
export const orderFor = (world: World, customer: string): readonly string[] =>
  (world.store.notes.cards[customer] ?? 'ok') === 'ok' ? paymentOrder : failureOrder;

/**
 * Tries to pay an invoice of an update that waits for its money; what becomes of the subscription is
 * the caller's. Gives whether it was paid.
 */
export function payUpdate(world: World, invoice: Invoice): boolean {
  const open = paymentOf(world, invoice);
  Object.assign(invoice, { attempt_count: open ? 1 : 0, attempted: true });
  const card = world.store.notes.cards[invoice.customer] ?? 'ok';
  const outcome = open ? confirmIntent(world, open.intent, card) : 'paid';
  if (outcome === 'paid') payInFull(world, invoice, () => undefined);
  else {
    if (outcome === 'action') world.emit('invoice.payment_action_required', invoice);
    world.emit('invoice.payment_failed', invoice);
  }
  return outcome === 'paid';
}

/**
 * Tries to pay an open invoice with the customer's card; a retry is the same invoice and intent.
 * A try by hand after the first counts as no attempt and leaves the retries as they are planned.
 */
export function collectInvoice(world: World, invoice: Invoice, isAsked = false): Outcome {
  const open = paymentOf(world, invoice);
  if (!open) {
    world.inOrder(paymentOrder, () => markPaid(world, invoice));
    return 'paid';
  }
  const card = world.store.notes.cards[invoice.customer] ?? 'ok';
  return world.inOrder(orderFor(world, invoice.customer), () => {
    const isByHand = isAsked && invoice.attempted;
    if (!isByHand) invoice.attempt_count += 1;
    invoice.attempted = true;
    const outcome = confirmIntent(world, open.intent, card);
    if (outcome === 'paid') markPaid(world, invoice);
    else markFailed(world, invoice, outcome, isByHand);
    return outcome;
  });
}

/** Records the bank's late word on an invoice: paid, or failed like any other try. */
export function settleInvoice(world: World, invoice: Invoice, outcome: Outcome): void {
  invoice.attempt_count += 1;
  invoice.attempted = true;
  if (outcome === 'paid') markPaid(world, invoice);
  else markFailed(world, invoice, outcome, false);
}

/** Pays an invoice because somebody asks. @throws Problem 400 if it is closed, 402 on a decline. */
export function payInvoice(world: World, invoice: Invoice, isOutOfBand: boolean): Invoice {
  if (invoice.status === 'paid') throw invalid('Invoice is already paid');
  if (invoice.status === 'void' || invoice.status === 'draft')
    throw invalid(`This invoice cannot be paid: its status is ${invoice.status}.`);
  if (isProcessing(world, invoice))
    throw invalid('This invoice cannot be paid: a payment of it is still processing.');
  if (isOutOfBand) {
    world.inOrder(paymentOrder, () => {
      closePayments(world, invoice);
      markPaid(world, invoice);
    });
    return invoice;
  }
  const outcome = collectInvoice(world, invoice, true);
  if (outcome === 'action')
    throw declined({
      code: 'invoice_payment_intent_requires_action',
      decline_code: undefined,
      message:
        'This payment requires additional user action before it can be completed successfully.',
    });
  if (outcome === 'failed')
    throw declined({ charge: paymentOf(world, invoice)?.intent.latest_charge ?? undefined });
  return invoice;
}
