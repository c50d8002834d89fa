import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import {
  noSubscription,
  readAccount,
  subscriptionOf,
  type Account,
  type StoredSubscription,
} from './billing-account.ts';
import { idempotentCall, idempotencyKeyOf } from './idempotency.ts';
import { releaseSchedule } from './release-schedule.ts';
import { isUnknown, withStripe } from '../clients/stripe-errors.ts';
import {
  expanded,
  fetchSubscription,
  isEnded,
  isEnding,
  scheduleOf,
  syncSubscription,
  stateOf,
  type SubscriptionView,
} from './stripe-subscription.ts';

type Input = { userId: string; idempotencyKey?: string | undefined };

type Ending = {
  ctx: Ctx;
  account: Account;
  stored: StoredSubscription;
  subscription: Stripe.Subscription;
  /** By Stripe's clock, unix seconds. */
  readAt: number;
  callersKey: string | undefined;
};

/** Reads the subscription, lets `change` make of it what is wanted, and shows the outcome. */
async function withSubscription(
  ctx: Ctx,
  input: Input,
  change: (ending: Ending) => Promise<Stripe.Subscription>,
): Promise<SubscriptionView> {
  const account = await readAccount(ctx, input.userId);
  const stored = subscriptionOf(account);
  return withStripe(async () => {
    const { subscription, readAt } = await fetchSubscription(ctx, stored.stripe_subscription_id);
    const callersKey = input.idempotencyKey;
    const changed = await change({ ctx, account, stored, subscription, readAt, callersKey });
    return syncSubscription(ctx, account, { subscription: changed, readAt });
  });
}

/** Updates what says when the subscription ends. */
async function update(
  { ctx, account, stored, subscription, callersKey }: Ending,
  intent: 'cancel' | 'resume',
  params: Stripe.SubscriptionUpdateParams,
): Promise<Stripe.Subscription> {
  const key = await idempotencyKeyOf(intent, account.userId, {
    callersKey,
    state: stateOf(stored, subscription),
    now: ctx.now(),
  });
  const { now } = await idempotentCall<Stripe.Subscription>({
    key,
    isCallers: callersKey !== undefined,
    act: (options) =>
      ctx.stripe.subscriptions.update(subscription.id, { ...params, ...expanded }, options),
    read: async () => (await fetchSubscription(ctx, subscription.id)).subscription,
    isDone: (now) => isEnded(now) || isEnding(now) === (intent === 'cancel'),
  });
  return now;
}

/** Stripe refuses to say when a subscription ends while a schedule does: the schedule goes first. */
async function releaseScheduleFirst(ending: Ending): Promise<Ending> {
  const schedule = scheduleOf(ending.subscription);
  if (!schedule) return ending;
  await releaseSchedule(ending, schedule);
  const { subscription } = await fetchSubscription(ending.ctx, ending.subscription.id);
  return { ...ending, subscription };
}

/**
 * Cancels at the end of the period that is paid for; a change that was planned for then is dropped.
 * Done already: the same answer again. Throws `no_subscription`, `payment_provider_unavailable`.
 * Source: docs.stripe.com/billing/subscriptions/cancel
 */
export const cancelAtPeriodEnd = (ctx: Ctx, input: Input): Promise<SubscriptionView> =>
  withSubscription(ctx, input, async (ending) => {
    if (isEnded(ending.subscription) || isEnding(ending.subscription)) return ending.subscription;
    return update(await releaseScheduleFirst(ending), 'cancel', { cancel_at_period_end: true });
  });

/** Cancels now, without money back; the credits stay until they are spent. */
export const cancelNow = (ctx: Ctx, input: Input): Promise<SubscriptionView> =>
  withSubscription(ctx, input, async ({ subscription }) => {
    if (isEnded(subscription)) return subscription;
    try {
      return await ctx.stripe.subscriptions.cancel(subscription.id);
    } catch (error) {
      // A try before this one did it, and its answer was lost: Stripe cancels only once.
      if (!isUnknown(error)) throw error;
      const now = await fetchSubscription(ctx, subscription.id);
      if (!isEnded(now.subscription)) throw error;
      return now.subscription;
    }
  });

/**
 * Takes a cancellation at the period's end back; without one nothing happens. Newer portals set
 * `cancel_at` alone. Throws `no_subscription` for one that has ended.
 */
export const resumeSubscription = (ctx: Ctx, input: Input): Promise<SubscriptionView> =>
  withSubscription(ctx, input, async (ending) => {
    const { subscription } = ending;
    if (isEnded(subscription)) {
      await syncSubscription(ctx, ending.account, { subscription, readAt: ending.readAt });
      throw noSubscription('The subscription has ended; buy a plan: POST /v1/billing/checkout.');
    }
    if (!isEnding(subscription)) return subscription;
    const free = await releaseScheduleFirst(ending);
    if (!isEnding(free.subscription)) return free.subscription;
    const params = free.subscription.cancel_at_period_end
      ? { cancel_at_period_end: false }
      : { cancel_at: '' as const };
    return update(free, 'resume', params);
  });
