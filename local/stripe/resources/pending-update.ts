import type { Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';

/** Puts a paid pending update into force. Source: https://docs.stripe.com/billing/subscriptions/pending-updates */
export function applyPendingUpdate(world: World, subscription: Subscription): void {
  const pending = subscription.pending_update;
  if (!pending) return;
  world.change('customer.subscription.updated', subscription, (one) => {
    if (pending.subscription_items) one.items.data = pending.subscription_items;
    one.billing_cycle_anchor = pending.billing_cycle_anchor ?? one.billing_cycle_anchor;
    one.pending_update = null;
  });
  world.emit('customer.subscription.pending_update_applied', subscription);
}
