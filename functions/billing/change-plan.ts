import type Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import {
  noSubscription,
  readAccount,
  subscriptionOf,
  type Account,
  type PlanPrice,
} from './billing-account.ts';
import type { PlanChange } from './plan-change.ts';
import { planChange } from './change-plan-later.ts';
import { dropOpenChange, payOpenChange, switchNow } from './change-plan-now.ts';
import { releaseSchedule } from './release-schedule.ts';
import { withStripe } from './stripe-errors.ts';
import {
  fetchSubscription,
  isEnded,
  scheduleOf,
  syncSubscription,
  type Current,
  type SubscriptionView,
} from './stripe-subscription.ts';

export type ChangePlanInput = {
  userId: string;
  plan: string;
  /** At once, with the difference invoiced; or when the period that is paid for ends. */
  when: 'now' | 'period_end';
  idempotencyKey?: string | undefined;
};

/** The subscription to change, as Stripe has it. Throws `no_subscription`. */
async function begin(ctx: Ctx, account: Account, input: ChangePlanInput, target: PlanPrice) {
  const stored = subscriptionOf(account);
  if (stored.status === 'canceled' || stored.status === 'incomplete_expired')
    throw noSubscription();
  const current = await fetchSubscription(ctx, stored.stripe_subscription_id);
  const { subscription } = current;
  const [item] = subscription.items.data;
  if (isEnded(subscription)) {
    await syncSubscription(ctx, account, stored, current);
    throw noSubscription();
  }
  if (subscription.status === 'incomplete' || !item)
    throw noSubscription('The first payment of the subscription has not been made yet.');
  const change: PlanChange = {
    ctx,
    account,
    stored,
    subscription,
    item,
    target,
    callersKey: input.idempotencyKey,
  };
  return { change, current };
}

/** Wants the plan that is there: then nothing else is planned or waits to be paid. */
async function stay(change: PlanChange): Promise<Stripe.Subscription> {
  const schedule = scheduleOf(change.subscription);
  if (schedule) await releaseSchedule(change, schedule);
  await dropOpenChange(change);
  return { ...change.subscription, schedule: null };
}

async function carryOut(
  change: PlanChange,
  when: ChangePlanInput['when'],
): Promise<Stripe.Subscription> {
  const { account, item, target, subscription } = change;
  // By plan, not by price: who holds an older price of the plan keeps it.
  const held = account.plans.find(({ priceId }) => priceId === item.price.id);
  if (held?.key === target.key) return stay(change);
  if (when === 'period_end') {
    await planChange(change);
    return subscription;
  }
  const paid = await payOpenChange(change);
  if (paid) return paid;
  await dropOpenChange(change);
  return switchNow(change);
}

/**
 * Changes the plan. `now`: Stripe invoices the difference at once and changes nothing unless it is
 * paid; `period_end`: a schedule does it. The current plan takes a planned change back. Credits come
 * with the invoice. Throws `unknown_plan`, `no_subscription`, `subscription_ending`, `payment_failed`
 * `{invoiceUrl}`, `payment_provider_unavailable`.
 * Source: docs.stripe.com/billing/subscriptions/pending-updates
 */
export async function changePlan(ctx: Ctx, input: ChangePlanInput): Promise<SubscriptionView> {
  const account = await readAccount(ctx, input.userId);
  const target = account.plans.find(({ key, active }) => active && key === input.plan);
  if (!target)
    throw new DomainError(
      'unknown_plan',
      'There is no such plan; GET /v1/billing/plans lists what there is.',
    );
  return withStripe(async () => {
    const { change, current } = await begin(ctx, account, input, target);
    const show = (subscription: Stripe.Subscription): Promise<SubscriptionView> => {
      const shown: Current = { subscription, readAt: current.readAt };
      return syncSubscription(ctx, account, change.stored, shown);
    };
    return show(await carryOut(change, input.when));
  });
}
