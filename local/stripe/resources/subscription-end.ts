import type { Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { voidInvoice } from './invoices.ts';
import { pendingInvoice } from './pending-update.ts';

type EndReason = 'cancellation_requested' | 'payment_failed';

/** Ends a subscription now. Source: https://docs.stripe.com/billing/subscriptions/cancel */
export function endSubscription(world: World, subscription: Subscription, reason: EndReason): void {
  const now = world.clock.now();
  const details = subscription.cancellation_details;
  subscription.cancellation_details = { ...details, reason: details['reason'] ?? reason };
  subscription.canceled_at ??= now;
  subscription.ended_at = now;
  subscription.status = 'canceled';
  const waiting = pendingInvoice(world, subscription);
  subscription.pending_update = null;
  stopCollection(world, subscription);
  world.emit('customer.subscription.deleted', subscription);
  if (waiting?.status === 'open') voidInvoice(world, waiting);
  const schedule = world.store.find('subscription_schedule', subscription.schedule ?? '');
  if (schedule?.status !== 'active') return;
  Object.assign(schedule, { canceled_at: now, current_phase: null, status: 'canceled' });
  world.emit('subscription_schedule.canceled', schedule);
}

/** Unpaid invoices stay as they are and can still be paid, but no longer by themselves. */
function stopCollection(world: World, subscription: Subscription): void {
  for (const invoice of world.store.of('invoice', 'subscription', subscription.id)) {
    if (invoice.status !== 'draft' && invoice.status !== 'open') continue;
    world.change('invoice.updated', invoice, (one) => {
      one.auto_advance = false;
      one.automatically_finalizes_at = null;
      one.next_payment_attempt = null;
    });
  }
}
