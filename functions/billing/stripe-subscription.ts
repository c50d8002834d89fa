import type Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import { subscriptionView } from '../users/view.pure.ts';
import type { Decision, Effect } from '../webhooks/decision.pure.ts';
import { decideSubscription } from '../webhooks/events/subscription.pure.ts';
import type { Json } from '../webhooks/shapes.pure.ts';
import type { Account, StoredSubscription } from './billing-account.ts';

/** A subscription as Stripe has it. `schedule` and `latest_invoice` are expanded. */
export type Current = { subscription: Stripe.Subscription; readAt: number };

export const expanded = { expand: ['schedule', 'latest_invoice'] };

/** Reads the subscription; `readAt` is Stripe's clock, unix seconds. */
export async function fetchSubscription(ctx: Ctx, id: string): Promise<Current> {
  const subscription = await ctx.stripe.subscriptions.retrieve(id, expanded);
  const date = Date.parse(subscription.lastResponse.headers['date'] ?? '') || ctx.now().getTime();
  return { subscription, readAt: Math.floor(date / 1000) };
}

export const isEnded = ({ status }: Stripe.Subscription): boolean =>
  status === 'canceled' || status === 'incomplete_expired';

export const isEnding = (subscription: Stripe.Subscription): boolean =>
  subscription.cancel_at_period_end || subscription.cancel_at !== null;

/** The schedule that plans changes for the subscription, if any. */
export const scheduleOf = ({
  schedule,
}: Stripe.Subscription): Stripe.SubscriptionSchedule | undefined =>
  schedule !== null && typeof schedule === 'object' ? schedule : undefined;

/** The newest invoice, as it was when the subscription was read. */
export const latestInvoiceOf = (subscription: Stripe.Subscription): Stripe.Invoice | undefined => {
  const invoice = subscription.latest_invoice;
  return invoice !== null && typeof invoice === 'object' ? invoice : undefined;
};

/** What tells this state from the ones before and after it, for idempotency keys. */
export const stateOf = (stored: StoredSubscription, subscription: Stripe.Subscription) => [
  stored.stripe_event_at,
  subscription.id,
  ...subscription.items.data.flatMap(({ id, price }) => [id, price.id]),
  latestInvoiceOf(subscription)?.id,
  subscription.cancel_at,
  subscription.cancel_at_period_end,
  scheduleOf(subscription)?.id,
  subscription.pending_update?.expires_at,
];

/**
 * When the answer is from, for the rule that the newer one holds: no earlier than what the database
 * had before the call, and no later than Stripe's clock just before it, so that no event is shut out.
 */
function momentOf(stored: StoredSubscription, readAt: number): { eventAt: number; rank: number } {
  const storedAt = Math.floor(Date.parse(stored.stripe_event_at ?? '') / 1000);
  if (!(storedAt >= readAt)) return { eventAt: readAt, rank: 0 };
  return { eventAt: storedAt, rank: Math.max(0, stored.stripe_event_rank) };
}

export type SubscriptionView = ReturnType<typeof subscriptionView>;

function viewOf(account: Account, effect: Extract<Effect, { effect: 'subscription' }>) {
  const plan = account.plans.find(({ priceId }) => priceId === effect.priceId);
  const time = (seconds: number | null): string | null =>
    seconds === null ? null : new Date(seconds * 1000).toISOString();
  return subscriptionView({
    plan: plan?.key ?? null,
    status: effect.status,
    interval: plan?.interval ?? null,
    current_period_start: time(effect.periodStart),
    current_period_end: time(effect.periodEnd),
    cancel_at: time(effect.cancelAt),
    trial_end: time(effect.trialEnd),
  });
}

/**
 * Writes what Stripe answered into the database by the inbox's own effect, so that a read shows it at
 * once; its webhook says it again. No credits come from here. What the catalogue does not know cannot
 * be written and is left to the webhook.
 */
export async function syncSubscription(
  ctx: Ctx,
  account: Account,
  stored: StoredSubscription,
  { subscription, readAt }: Current,
): Promise<SubscriptionView> {
  const { eventAt, rank } = momentOf(stored, readAt);
  const type = isEnded(subscription)
    ? 'customer.subscription.deleted'
    : 'customer.subscription.updated';
  const read = decideSubscription(type, subscription as unknown as Json, eventAt);
  const effect = 'effects' in read ? read.effects[0] : undefined;
  if (!('effects' in read) || effect?.effect !== 'subscription')
    throw new Error('Stripe answered with a subscription that cannot be read.');

  const decision: Decision = {
    identity: { userIds: [account.userId], customerId: effect.customerId, email: null },
    effects: [{ ...effect, fetched: true, rank: isEnded(subscription) ? 2 : rank }],
  };
  try {
    await ctx.db.call('effects_apply', {
      p_event: `read:${subscription.id}`,
      p_decision: decision,
      p_options: { creditRenewal: ctx.config.creditRenewal },
    });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'RL404') throw error;
    ctx.log('subscription_not_shown', { subscriptionId: subscription.id });
  }
  return viewOf(account, effect);
}
