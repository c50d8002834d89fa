import { daySeconds } from '../core/clock.ts';
import { invalid, onlyOne } from '../core/problem.ts';
import { hash, list, metadata, moments, natural, need, oneOf, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Schedule, SchedulePhase, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { mergeMetadata } from './metadata.ts';
import { discountRules } from './discounts.ts';
import { addIntervals } from './periods.ts';
import { cancelSchedule, makePhase, releaseSchedule, scheduleFrom } from './schedules.ts';
import { behaviours } from './subscription-params.ts';
import { readPrice } from './subscription-plan.ts';
import { checkCurrency, checkItems } from './subscriptions.ts';

const phase = hash({
  discounts: discountRules,
  duration: hash({
    interval: need(oneOf('day', 'week', 'month', 'year')),
    interval_count: natural,
  }),
  end_date: natural,
  items: need(list(hash({ price: need(str), quantity: natural }), 20)),
  metadata,
  proration_behavior: behaviours,
  start_date: natural,
  trial_end: natural,
});
/** Source: https://docs.stripe.com/billing/subscriptions/subscription-schedules */
const maxPhaseSeconds = 5 * 366 * daySeconds;

type PhaseParams = typeof phase extends { read: (...args: never[]) => infer T } ? T : never;

/** Phases follow each other without gaps; the last one ends after its duration or one interval. */
function readPhases(
  world: World,
  one: Subscription,
  given: PhaseParams[],
  first: number,
): SchedulePhase[] {
  let start = first;
  return given.map((input, index) => {
    const param = `phases[${index}]`;
    if (input.start_date !== undefined && input.start_date !== start)
      throw invalid('Each phase must begin when the previous one ends.', {
        param: `${param}[start_date]`,
      });
    const prices = input.items.map(({ price }) => readPrice(world, price, `${param}[items]`));
    const recurring = prices[0]?.recurring;
    if (!recurring) throw invalid('Phases need recurring prices.', { param: `${param}[items]` });
    checkItems(prices);
    checkCurrency(one, prices);
    for (const { coupon, promotion_code: code } of input.discounts ?? []) {
      if (coupon !== undefined) world.store.need('coupon', coupon, `${param}[discounts]`);
      if (code !== undefined) world.store.need('promotion_code', code, `${param}[discounts]`);
    }
    const { duration } = input;
    onlyOne(input, 'duration', 'end_date');
    if (duration?.interval_count === 0)
      throw invalid('A phase lasts at least one interval.', `${param}[duration]`);
    const end = input.end_date ?? addIntervals(start, duration ? defined(duration) : recurring, 1);
    if (!(end < start + maxPhaseSeconds))
      throw invalid('A phase lasts at most five years.', `${param}[end_date]`);
    if (end <= start || end <= world.clock.now())
      throw invalid('A phase must end after it begins.', { param: `${param}[end_date]` });
    if (index > 0 && input.trial_end !== undefined)
      throw invalid('This stand-in does not play trials of later phases.', {
        param: `${param}[trial_end]`,
      });
    const made = makePhase(world, {
      discounts: input.discounts ?? [],
      end,
      items: input.items.map(({ price, quantity }) => ({ price, quantity: quantity ?? 1 })),
      metadata: mergeMetadata({}, input.metadata),
      proration: input.proration_behavior ?? 'create_prorations',
      start,
      trialEnd: input.trial_end ?? null,
    });
    start = end;
    return made;
  });
}

const defined = (duration: {
  interval: 'day' | 'week' | 'month' | 'year';
  interval_count?: number;
}) => ({
  interval: duration.interval,
  interval_count: duration.interval_count ?? 1,
});

/** The phase that runs is told again by an update; that it changes is not played. */
function checkRunning(world: World, schedule: Schedule, phase: SchedulePhase): void {
  const one = world.store.need('subscription', schedule.subscription ?? '');
  const items = one.items.data.map(({ price, quantity }) => `${quantity} × ${price.id}`);
  const told = phase.items.map(({ price, quantity = 1 }) => `${quantity} × ${price}`);
  const trialEnd = one.status === 'trialing' ? one.trial_end : null;
  const discounts = phase.discounts.map(({ discount }) => discount);
  if (
    items.join() !== told.join() ||
    discounts.join() !== one.discounts.join() ||
    Object.keys(phase.metadata ?? {}).length > 0 ||
    (phase.trial_end ?? trialEnd) !== trialEnd
  )
    throw invalid('This stand-in does not play changes of the phase that runs.', 'phases[0]');
}

const update = route(
  'POST',
  '/v1/subscription_schedules/:schedule',
  {
    end_behavior: oneOf('cancel', 'release'),
    metadata,
    phases: list(phase, 10),
    // It is about changes of the phase that runs, and those are refused.
    proration_behavior: behaviours,
  },
  ({ world, id, params }) => {
    const schedule = world.store.need('subscription_schedule', id);
    if (schedule.status !== 'active')
      throw invalid(`You cannot update a subscription schedule that is ${schedule.status}.`);
    const current = schedule.current_phase;
    const owner = world.store.need('subscription', schedule.subscription ?? '');
    const start = current?.start_date ?? 0;
    const phases = params.phases && readPhases(world, owner, params.phases, start);
    if (phases?.[0]) checkRunning(world, schedule, phases[0]);
    return world.change('subscription_schedule.updated', schedule, (one) => {
      one.end_behavior = params.end_behavior ?? one.end_behavior;
      one.metadata = mergeMetadata(one.metadata, params.metadata);
      if (!phases?.[0]) return;
      one.phases = phases;
      one.current_phase = { end_date: phases[0].end_date, start_date: phases[0].start_date };
    });
  },
);

/** Subscription schedules, begun from a subscription. Source: https://docs.stripe.com/api/subscription_schedules */
export const scheduleRoutes: Route[] = [
  route(
    'POST',
    '/v1/subscription_schedules',
    { from_subscription: need(str), metadata },
    ({ world, params }) => {
      const one = world.store.need('subscription', params.from_subscription, 'from_subscription');
      const schedule = scheduleFrom(world, one);
      schedule.metadata = mergeMetadata({}, params.metadata);
      return schedule;
    },
  ),
  update,
  ...(['release', 'cancel'] as const).map((verb) =>
    route('POST', `/v1/subscription_schedules/:schedule/${verb}`, {}, ({ world, id }) => {
      const schedule = world.store.need('subscription_schedule', id);
      if (schedule.status !== 'active')
        throw invalid(`You cannot ${verb} a subscription schedule that is ${schedule.status}.`);
      return (verb === 'release' ? releaseSchedule : cancelSchedule)(world, schedule);
    }),
  ),
  ...reads('subscription_schedule', '/v1/subscription_schedules', {
    created: moments,
    customer: str,
  }),
];
