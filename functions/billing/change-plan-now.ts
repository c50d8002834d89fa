import Stripe from 'stripe';
import { changeKey, type PlanChange } from './plan-change.ts';
import { idempotentCall } from './idempotency.ts';
import { openInvoiceOf } from './billed-invoices.ts';
import { releaseSchedule } from './release-schedule.ts';
import { paymentFailed } from '../clients/stripe-errors.ts';
import { expanded, fetchSubscription, latestInvoiceOf, scheduleOf } from './stripe-subscription.ts';

type Items = { price: { id: string } }[] | null | undefined;

const haveItem = (items: Items, priceId: string): boolean =>
  items?.some(({ price }) => price.id === priceId) ?? false;

const holds = ({ items }: Stripe.Subscription, priceId: string): boolean =>
  haveItem(items.data, priceId);

const isPendingFor = ({ pending_update: pending }: Stripe.Subscription, priceId: string): boolean =>
  haveItem(pending?.subscription_items, priceId);

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

/** What a change at once is invoiced for. */
export type Billing =
  /** The whole price, less the unused time of the plan that was paid. */
  | 'difference'
  /** The whole price: what is there was not paid, or would come back although it was used. */
  | 'full'
  /** Nothing, and nothing comes back. */
  | 'nothing';

/**
 * `pending_if_incomplete` allows few parameters: items, anchor, proration, trial and, since 2026,
 * metadata and cancellation. A plan that comes without an invoice comes as an item of its own: the
 * flexible billing mode credits an item with what was billed for it, in the portal too.
 * Source: docs.stripe.com/billing/subscriptions/pending-updates-reference
 */
function updateParams(change: PlanChange, billing: Billing): Stripe.SubscriptionUpdateParams {
  const { subscription, item, target } = change;
  const { quantity } = item;
  const plan = { price: target.priceId, ...(quantity !== undefined && { quantity }) };
  if (billing === 'nothing')
    return { items: [{ id: item.id, deleted: true }, plan], proration_behavior: 'none' };
  return {
    items: [{ id: item.id, ...plan }],
    billing_cycle_anchor: { type: 'now' },
    // A period cannot begin before the trial ends.
    ...(subscription.status === 'trialing' && { trial_end: 'now' }),
    proration_behavior: billing === 'difference' ? 'always_invoice' : 'none',
    payment_behavior: 'pending_if_incomplete',
  };
}

/** Switches to another price at once, if its invoice is paid; a new period begins with it. */
export async function switchNow(
  change: PlanChange,
  billing: Billing,
): Promise<Stripe.Subscription> {
  const { ctx, subscription, target } = change;
  const params = { ...updateParams(change, billing), ...expanded };
  const outcome = await idempotentCall<Stripe.Subscription>({
    key: await changeKey(change, 'change'),
    isCallers: change.callersKey !== undefined,
    act: (options) =>
      updateBesideSchedule(change, () =>
        ctx.stripe.subscriptions.update(subscription.id, params, options),
      ),
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
