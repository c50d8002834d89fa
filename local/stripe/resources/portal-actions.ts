import { invalid } from '../core/problem.ts';
import type { PortalConfiguration, Price, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { findCode } from './coupons.ts';
import { scheduleSwitch } from './schedules.ts';
import { endSubscription } from './subscription-end.ts';
import { updateSubscription } from './subscription-update.ts';
import { periodOf } from './subscriptions.ts';

const yearlyMonths = 12;

/** Whether the next period would be shorter. */
const isShorter = (next: Price, now: Price): boolean => {
  const months = ({ recurring }: Price): number =>
    (recurring?.interval === 'year' ? yearlyMonths : 1) * (recurring?.interval_count ?? 1);
  return months(next) < months(now);
};

/** Cancels as the portal does: newer portals set `cancel_at` and leave `cancel_at_period_end` false. */
export function cancelInPortal(
  world: World,
  configuration: PortalConfiguration,
  one: Subscription,
): void {
  const feature = configuration.features.subscription_cancel;
  if (one.schedule !== null) throw invalid('This subscription is managed by a schedule.');
  if (!feature.enabled) throw invalid('This portal does not let customers cancel.');
  if (feature.mode === 'immediately') {
    endSubscription(world, one, 'cancellation_requested');
    return;
  }
  world.change('customer.subscription.updated', one, (changed) => {
    changed.cancel_at = periodOf(changed).end;
    changed.canceled_at = world.clock.now();
    changed.cancellation_details['reason'] = 'cancellation_requested';
  });
}

/** Takes a cancellation back. */
export function keepInPortal(world: World, one: Subscription): void {
  if (one.cancel_at === null) throw invalid('This subscription is not about to be cancelled.');
  updateSubscription(world, one, { cancel_at_period_end: false });
}

/** The prices that a portal lets customers switch to. */
export function offered(world: World, configuration: PortalConfiguration): Price[] {
  const feature = configuration.features.subscription_update;
  if (!feature.enabled || !feature.default_allowed_updates.includes('price')) return [];
  return (feature.products ?? [])
    .flatMap(({ prices }) => prices)
    .map((id) => world.store.find('price', id))
    .filter((price): price is Price => price?.active === true);
}

export const takesCodes = ({ features }: PortalConfiguration): boolean =>
  features.subscription_update.enabled &&
  features.subscription_update.default_allowed_updates.includes('promotion_code');

/** Switches to another price: now, or at the period's end where the configuration says so. */
export function switchInPortal(
  world: World,
  configuration: PortalConfiguration,
  one: Subscription,
  { priceId, code }: { priceId: string; code: string | null },
): void {
  const feature = configuration.features.subscription_update;
  const price = offered(world, configuration).find(({ id }) => id === priceId);
  const [item] = one.items.data;
  if (!price || !item) throw invalid('This portal does not offer that price.');
  const isCheaper = (price.unit_amount ?? 0) < (item.price.unit_amount ?? 0);
  const isLater = feature.schedule_at_period_end.conditions.some(
    ({ type }) =>
      (type === 'decreasing_item_amount' && isCheaper) ||
      (type === 'shortening_interval' && isShorter(price, item.price)),
  );
  const promotion = code === null ? null : findCode(world, code);
  if (promotion && !takesCodes(configuration))
    throw invalid('This portal takes no promotion codes.');
  if (promotion && isLater)
    throw invalid('This stand-in plays no promotion code for a later switch.');
  if (isLater) {
    scheduleSwitch(world, one, price);
    return;
  }
  const isTrial = one.status === 'trialing';
  const endsTrial = isTrial && feature.trial_update_behavior === 'end_trial';
  const isReset = feature.billing_cycle_anchor === 'now' && (!isTrial || endsTrial);
  updateSubscription(world, one, {
    billing_cycle_anchor: { type: isReset ? 'now' : 'unchanged' },
    items: [{ id: item.id, price: price.id }],
    proration_behavior: feature.proration_behavior as 'none',
    ...(promotion && { discounts: [{ promotion_code: promotion.id }] }),
    ...(endsTrial && { trial_end: 'now' as const }),
  });
}
