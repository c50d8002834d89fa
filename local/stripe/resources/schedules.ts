import { invalid, Problem } from '../core/problem.ts';
import type { Price, Schedule, SchedulePhase, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import type { Due } from './billing-cycle.ts';
import { type DiscountParams, findCoupon } from './discounts.ts';
import { addIntervals } from './periods.ts';
import { endSubscription } from './subscription-end.ts';
import { updateSubscription } from './subscription-update.ts';
import { checkCurrency, periodOf, priceOf, quantityOf } from './subscriptions.ts';

type Discounts = SchedulePhase['discounts'];

const phaseDefaults = {
  add_invoice_items: [],
  application_fee_percent: null,
  billing_cycle_anchor: null,
  billing_thresholds: null,
  collection_method: null,
  default_payment_method: null,
  default_tax_rates: [],
  description: null,
  invoice_settings: null,
  on_behalf_of: null,
  transfer_data: null,
};

/** One phase in Stripe's form. */
export function makePhase(
  world: World,
  input: {
    start: number;
    end: number;
    items: { price: string; quantity: number }[];
    proration: string;
    discounts?: DiscountParams[];
    metadata?: Record<string, string>;
    trialEnd?: number | null;
  },
): SchedulePhase {
  const items = input.items.map(({ price, quantity }) => ({
    billing_thresholds: null,
    discounts: [],
    metadata: {},
    plan: price,
    price,
    quantity,
    tax_rates: [],
  }));
  const currency = world.store.find('price', items[0]?.price ?? '')?.currency ?? 'usd';
  return {
    ...structuredClone(phaseDefaults),
    currency,
    discounts: (input.discounts ?? []).map(({ coupon, discount, promotion_code: code }) => ({
      coupon: coupon ?? null,
      discount: discount ?? null,
      promotion_code: code ?? null,
    })),
    end_date: input.end,
    items,
    metadata: { ...input.metadata },
    proration_behavior: input.proration,
    start_date: input.start,
    trial_end: input.trialEnd ?? null,
  };
}

/** Puts a subscription under a schedule whose only phase is its current period. */
export function scheduleFrom(world: World, one: Subscription): Schedule {
  if (one.schedule !== null)
    throw invalid(
      `You cannot migrate a subscription that is already attached to a schedule: ${one.schedule}.`,
      { param: 'from_subscription' },
    );
  if (one.ended_at !== null)
    throw invalid('You cannot schedule a canceled subscription.', { param: 'from_subscription' });
  const { start, end } = periodOf(one);
  const items = one.items.data.map((item) => ({
    price: item.price.id,
    quantity: quantityOf(item),
  }));
  const schedule = world.store.add('subscription_schedule', world.clock.now(), {
    current_phase: { end_date: end, start_date: start },
    customer: one.customer,
    phases: [
      makePhase(world, {
        discounts: one.discounts.map((discount) => ({ discount })),
        end,
        items,
        proration: 'create_prorations',
        start,
        trialEnd: one.status === 'trialing' ? one.trial_end : null,
      }),
    ],
    status: 'active',
    subscription: one.id,
  });
  world.emit('subscription_schedule.created', schedule);
  world.change('customer.subscription.updated', one, (changed) => {
    changed.schedule = schedule.id;
  });
  return schedule;
}

/** Switches to a price when the current period ends, through a schedule. */
export function scheduleSwitch(world: World, one: Subscription, price: Price): Schedule {
  const schedule =
    one.schedule === null
      ? scheduleFrom(world, one)
      : world.store.need('subscription_schedule', one.schedule);
  const { end } = periodOf(one);
  if (!price.recurring) throw invalid('A subscription needs a recurring price.');
  checkCurrency(one, [price]);
  const next = makePhase(world, {
    discounts: one.discounts.map((discount) => ({ discount })),
    end: addIntervals(end, price.recurring, 1),
    items: [{ price: price.id, quantity: one.items.data[0]?.quantity ?? 1 }],
    proration: 'none',
    start: end,
  });
  return world.change('subscription_schedule.updated', schedule, (changed) => {
    changed.phases = [...changed.phases.slice(0, 1), next];
  });
}

/** Lets a subscription go on without its schedule, as it is now. */
export function releaseSchedule(world: World, schedule: Schedule): Schedule {
  const one = world.store.find('subscription', schedule.subscription ?? '');
  Object.assign(schedule, {
    current_phase: null,
    released_at: world.clock.now(),
    released_subscription: schedule.subscription,
    status: 'released',
    subscription: null,
  });
  world.emit('subscription_schedule.released', schedule);
  if (one)
    world.change('customer.subscription.updated', one, (changed) => {
      changed.schedule = null;
    });
  return schedule;
}

/** Ends a schedule together with its subscription. */
export function cancelSchedule(world: World, schedule: Schedule): Schedule {
  const one = world.store.need('subscription', schedule.subscription ?? '');
  endSubscription(world, one, 'cancellation_requested');
  return schedule;
}

const discountOf = ({ coupon, discount, promotion_code: code }: Discounts[number]) => ({
  ...(coupon !== null && { coupon }),
  ...(discount !== null && { discount }),
  ...(code !== null && { promotion_code: code }),
});

/** Whether a discount that a phase names can still be given: coupons end and are deleted meanwhile. */
function isThere(
  world: World,
  one: Subscription,
  amount: number,
  named: Discounts[number],
): boolean {
  if (named.discount !== null) return one.discounts.includes(named.discount);
  try {
    findCoupon(
      world,
      discountOf(named),
      { amount, currency: one.currency, customer: one.customer },
      '',
    );
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

/** Puts a phase into force on the subscription: what it leaves out, discounts too, is gone. */
function enterPhase(world: World, schedule: Schedule, phase: SchedulePhase): void {
  const one = world.store.need('subscription', schedule.subscription ?? '');
  const items = phase.items.map(({ price, quantity = 1 }, index) => {
    const id = one.items.data[index]?.id;
    return id === undefined ? { price, quantity } : { id, price, quantity };
  });
  const gone = one.items.data.slice(items.length).map(({ id }) => ({ deleted: true, id }));
  const amount = priceOf(
    items.map(({ price, quantity }) => ({ price: world.store.need('price', price), quantity })),
  );
  const isAtPeriodEnd = phase.start_date === periodOf(one).end;
  updateSubscription(
    world,
    one,
    {
      discounts: phase.discounts
        .filter((each) => isThere(world, one, amount, each))
        .map(discountOf),
      items: [...items, ...gone],
      metadata: phase.metadata,
      proration_behavior: isAtPeriodEnd ? 'none' : (phase.proration_behavior as 'none'),
    },
    true,
  );
  world.change('subscription_schedule.updated', schedule, (changed) => {
    changed.current_phase = { end_date: phase.end_date, start_date: phase.start_date };
  });
}

function finish(world: World, schedule: Schedule): void {
  if (schedule.end_behavior === 'release') {
    releaseSchedule(world, schedule);
    return;
  }
  const one = world.store.need('subscription', schedule.subscription ?? '');
  Object.assign(schedule, {
    completed_at: world.clock.now(),
    current_phase: null,
    status: 'completed',
  });
  world.emit('subscription_schedule.completed', schedule);
  endSubscription(world, one, 'cancellation_requested');
}

/** Phases that begin and schedules that end; before the renewal of the same second. */
export const schedulesDue = (world: World): Due[] =>
  world.store.played('subscription_schedule').flatMap((schedule): Due[] => {
    const current = schedule.current_phase;
    if (schedule.status !== 'active' || !current) return [];
    const one = world.store.find('subscription', schedule.subscription ?? '');
    if (!one || one.ended_at !== null) return [];
    const next = schedule.phases.find((phase) => phase.start_date >= current.end_date);
    const run = next ? () => enterPhase(world, schedule, next) : () => finish(world, schedule);
    return [{ at: current.end_date, rank: 2, run }];
  });
