import type Stripe from 'stripe';
import { DomainError } from '../errors.ts';
import { changeKey, type PlanChange } from './plan-change.ts';
import { idempotentCall } from './idempotency.ts';
import { fetchSubscription, isEnding, scheduleOf } from './stripe-subscription.ts';

type Schedule = Stripe.SubscriptionSchedule;
type Phase = Stripe.SubscriptionScheduleUpdateParams.Phase;
type Discount = Stripe.SubscriptionScheduleUpdateParams.Phase.Discount;

const idOfExpandable = (value: string | { id: string }): string =>
  typeof value === 'string' ? value : value.id;

/** The schedule's phase that runs now. */
const phaseNow = (schedule: Schedule): Stripe.SubscriptionSchedule.Phase | undefined =>
  schedule.phases.find(({ start_date }) => start_date === schedule.current_phase?.start_date);

/** The prices that follow the running phase. */
const nextPrices = (schedule: Schedule): string[] =>
  schedule.phases
    .find(({ start_date }) => start_date >= (schedule.current_phase?.end_date ?? 0))
    ?.items.map(({ price }) => idOfExpandable(price)) ?? [];

const phaseItem = ({
  price,
  quantity,
}: Stripe.SubscriptionItem): Stripe.SubscriptionScheduleUpdateParams.Phase.Item => ({
  price: price.id,
  ...(quantity !== undefined && { quantity }),
});

/** The running phase, told again until the period ends: what an update leaves out, Stripe takes out. */
function runningPhase(change: PlanChange, schedule: Schedule): Phase {
  const { item, subscription } = change;
  const phase = phaseNow(schedule);
  const discounts = (phase?.discounts ?? []).flatMap(
    ({ coupon, discount, promotion_code }): Discount[] => {
      if (discount !== null) return [{ discount: idOfExpandable(discount) }];
      if (promotion_code !== null) return [{ promotion_code: idOfExpandable(promotion_code) }];
      return coupon === null ? [] : [{ coupon: idOfExpandable(coupon) }];
    },
  );
  return {
    items: subscription.items.data.map(phaseItem),
    start_date: phase?.start_date ?? item.current_period_start,
    end_date: item.current_period_end,
    ...(discounts.length > 0 && { discounts }),
    ...(phase?.trial_end != null && { trial_end: phase.trial_end }),
  };
}

/** The phase with the new plan. It names the discounts that there are: without, it would end them. */
function nextPhase({ subscription, target, item }: PlanChange): Phase {
  const discounts = subscription.discounts.map((each) => ({ discount: idOfExpandable(each) }));
  return {
    items: subscription.items.data.map((each) => ({
      ...phaseItem(each),
      ...(each.id === item.id && { price: target.priceId }),
    })),
    duration: { interval: target.interval === 'year' ? 'year' : 'month', interval_count: 1 },
    proration_behavior: 'none',
    ...(discounts.length > 0 && { discounts }),
  };
}

/** The subscription's schedule, made if there is none: a new one only repeats the current period. */
async function ensureSchedule(change: PlanChange): Promise<Schedule> {
  const { ctx, subscription } = change;
  const existing = scheduleOf(subscription);
  if (existing) return existing;
  const { subscriptionSchedules } = ctx.stripe;
  const { now } = await idempotentCall<Schedule>({
    key: await changeKey(change, 'schedule'),
    isCallers: false,
    act: (options) => subscriptionSchedules.create({ from_subscription: subscription.id }, options),
    read: async () => {
      const current = await fetchSubscription(ctx, subscription.id);
      return scheduleOf(current.subscription) ?? ({ status: 'released' } as Schedule);
    },
    isDone: ({ status }) => status === 'active',
  });
  return now;
}

/**
 * Plans the switch for the end of the period that is paid for. A change that was planned before is
 * replaced. After the new plan's first period the schedule lets the subscription go.
 * Source: docs.stripe.com/billing/subscriptions/subscription-schedules
 */
export async function planChange(change: PlanChange): Promise<void> {
  const { ctx, subscription, target } = change;
  if (isEnding(subscription))
    throw new DomainError(
      'subscription_ending',
      'The subscription ends with this period. Resume it first: POST /v1/billing/subscription/resume.',
    );
  const schedule = await ensureSchedule(change);
  const isPlanned = (now: Schedule): boolean => nextPrices(now).includes(target.priceId);
  if (isPlanned(schedule)) return;
  const { subscriptionSchedules } = ctx.stripe;
  await idempotentCall<Schedule>({
    key: await changeKey(change, 'plan', [schedule.id, ...nextPrices(schedule)]),
    isCallers: change.callersKey !== undefined,
    act: (options) =>
      subscriptionSchedules.update(
        schedule.id,
        {
          end_behavior: 'release',
          proration_behavior: 'none',
          phases: [runningPhase(change, schedule), nextPhase(change)],
        },
        options,
      ),
    read: () => subscriptionSchedules.retrieve(schedule.id),
    isDone: isPlanned,
  });
}
