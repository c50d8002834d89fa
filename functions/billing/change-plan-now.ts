import Stripe from 'stripe';
import { changeKey, type PlanChange } from './plan-change.ts';
import { idempotentCall } from './idempotency.ts';
import { releaseSchedule } from './release-schedule.ts';
import { paymentFailed } from './stripe-errors.ts';
import { expanded, fetchSubscription, latestInvoiceOf, scheduleOf } from './stripe-subscription.ts';

const holds = (subscription: Stripe.Subscription, priceId: string): boolean =>
  subscription.items.data[0]?.price.id === priceId;

const isPendingFor = (subscription: Stripe.Subscription, priceId: string): boolean =>
  subscription.pending_update?.subscription_items?.[0]?.price.id === priceId;

/** The invoice that a change waits for, if one does. */
function openInvoiceOf({ subscription }: PlanChange): Stripe.Invoice | undefined {
  const invoice = latestInvoiceOf(subscription);
  return subscription.pending_update && invoice?.status === 'open' ? invoice : undefined;
}

/**
 * Gives up a change that was asked for before and not paid: its invoice is void.
 * Source: docs.stripe.com/billing/subscriptions/pending-updates#canceling-changing
 */
export async function dropOpenChange(change: PlanChange): Promise<void> {
  const invoice = openInvoiceOf(change);
  if (!invoice) return;
  await change.ctx.stripe.invoices.voidInvoice(invoice.id, undefined, {
    idempotencyKey: `rowloom:void:${invoice.id}`,
  });
}

/** The same change, asked for before and not paid: its invoice is, so that there is no second one. */
export async function payOpenChange(change: PlanChange): Promise<Stripe.Subscription | undefined> {
  const { ctx, subscription, target } = change;
  const invoice = openInvoiceOf(change);
  if (!invoice || !isPendingFor(subscription, target.priceId)) return undefined;
  try {
    // Every try is its own, maybe with another card; an invoice is paid once, whatever the key.
    await ctx.stripe.invoices.pay(invoice.id, undefined, { idempotencyKey: crypto.randomUUID() });
  } catch (error) {
    if (error instanceof Stripe.errors.StripeCardError)
      throw paymentFailed(invoice.hosted_invoice_url ?? null, error);
    // Paid a moment ago, or void: what is there now tells.
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
  }
  const { subscription: paid } = await fetchSubscription(ctx, subscription.id);
  return settled(change, { said: paid, now: paid });
}

type Outcome = { said: Stripe.Subscription; now: Stripe.Subscription };

/**
 * The subscription with its new plan, and nothing planned against it. A change that was made before
 * under this key, and undone since, is not made again. Throws `payment_failed`.
 */
async function settled(change: PlanChange, { said, now }: Outcome): Promise<Stripe.Subscription> {
  const { priceId } = change.target;
  if (!holds(now, priceId)) {
    if (holds(said, priceId)) return now;
    throw paymentFailed(latestInvoiceOf(now)?.hosted_invoice_url ?? null);
  }
  const schedule = scheduleOf(now);
  if (schedule) await releaseSchedule(change, schedule);
  return { ...now, schedule: null };
}

/**
 * Switches to another price, if its invoice is paid. `pending_if_incomplete` allows few parameters:
 * items, proration, trial and, since 2026, metadata and cancellation.
 * Source: docs.stripe.com/billing/subscriptions/pending-updates-reference
 */
export async function switchNow(change: PlanChange): Promise<Stripe.Subscription> {
  const { ctx, subscription, item, target } = change;
  const { quantity } = item;
  const update = (options: { idempotencyKey: string }) =>
    ctx.stripe.subscriptions.update(
      subscription.id,
      {
        items: [
          { id: item.id, price: target.priceId, ...(quantity !== undefined && { quantity }) },
        ],
        proration_behavior: 'always_invoice',
        payment_behavior: 'pending_if_incomplete',
        ...expanded,
      },
      options,
    );
  const outcome = await idempotentCall<Stripe.Subscription>({
    key: await changeKey(change, 'change'),
    isCallers: change.callersKey !== undefined,
    act: (options) => updateBesideSchedule(change, () => update(options)),
    read: async () => (await fetchSubscription(ctx, subscription.id)).subscription,
    isDone: (now) => holds(now, target.priceId) || isPendingFor(now, target.priceId),
  });
  return settled(change, outcome);
}

/** A planned change is kept until the new one is paid, unless Stripe does not take both. */
async function updateBesideSchedule<T>(change: PlanChange, update: () => Promise<T>): Promise<T> {
  const schedule = scheduleOf(change.subscription);
  try {
    return await update();
  } catch (error) {
    if (!schedule || !(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
    await releaseSchedule(change, schedule);
    return update();
  }
}
