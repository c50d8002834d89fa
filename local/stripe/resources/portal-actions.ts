import { invalid } from '../core/problem.ts';
import type { PortalConfiguration, Price, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { scheduleSwitch } from './schedules.ts';
import { endSubscription } from './subscription-end.ts';
import { updateSubscription } from './subscription-update.ts';
import { periodOf } from './subscriptions.ts';

type CancelFeature = { enabled: boolean; mode: 'at_period_end' | 'immediately' };
type UpdateFeature = {
  enabled: boolean;
  default_allowed_updates: string[];
  products: { product: string; prices: string[] }[] | null;
  proration_behavior: 'always_invoice' | 'create_prorations' | 'none';
  schedule_at_period_end: { conditions: { type: string }[] };
};

/** Cancels as the portal does: newer portals set `cancel_at` and leave `cancel_at_period_end` false. */
export function cancelInPortal(
  world: World,
  configuration: PortalConfiguration,
  one: Subscription,
): void {
  const feature = configuration.features['subscription_cancel'] as CancelFeature;
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
  const feature = configuration.features['subscription_update'] as UpdateFeature;
  if (!feature.enabled || !feature.default_allowed_updates.includes('price')) return [];
  return (feature.products ?? [])
    .flatMap(({ prices }) => prices)
    .map((id) => world.store.find('price', id))
    .filter((price): price is Price => price?.active === true);
}

/** Switches to another price: now, or at the period's end where the configuration says so. */
export function switchInPortal(
  world: World,
  configuration: PortalConfiguration,
  one: Subscription,
  priceId: string,
): void {
  const feature = configuration.features['subscription_update'] as UpdateFeature;
  const price = offered(world, configuration).find(({ id }) => id === priceId);
  const [item] = one.items.data;
  if (!price || !item) throw invalid('This portal does not offer that price.');
  const isCheaper = (price.unit_amount ?? 0) < (item.price.unit_amount ?? 0);
  const isLater = feature.schedule_at_period_end.conditions.some(
    ({ type }) => type === 'decreasing_item_amount' && isCheaper,
  );
  if (isLater) {
    scheduleSwitch(world, one, price);
    return;
  }
  updateSubscription(world, one, {
    items: [{ id: item.id, price: price.id }],
    proration_behavior: feature.proration_behavior,
  });
}
