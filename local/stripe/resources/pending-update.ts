import type { Invoice, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';

/** Whether an invoice is the one that a subscription's pending update waits for. */
export const isPendingFor = (world: World, one: Subscription, invoice: Invoice): boolean =>
  one.pending_update !== null && world.store.notes.pendingInvoices[one.id] === invoice.id;

/** The open invoice of a pending update. */
export const pendingInvoice = (world: World, one: Subscription): Invoice | undefined =>
  one.pending_update === null
    ? undefined
    : world.store.find('invoice', world.store.notes.pendingInvoices[one.id] ?? '');

/** Puts a paid pending update into force. Source: https://docs.stripe.com/billing/subscriptions/pending-updates */
export function applyPendingUpdate(world: World, subscription: Subscription): void {
  const pending = subscription.pending_update;
  if (!pending) return;
  world.change('customer.subscription.updated', subscription, (one) => {
    if (pending.subscription_items) one.items.data = pending.subscription_items;
    one.billing_cycle_anchor = pending.billing_cycle_anchor ?? one.billing_cycle_anchor;
    if (pending.metadata) one.metadata = pending.metadata;
    one.cancel_at_period_end = pending.cancel_at_period_end ?? one.cancel_at_period_end;
    if (pending.trial_end !== null) {
      one.status = 'active';
      one.trial_end = pending.trial_end;
    }
    one.pending_update = null;
  });
  world.emit('customer.subscription.pending_update_applied', subscription);
}

/** Forgets an update that was not paid in time. */
export function dropPendingUpdate(world: World, subscription: Subscription): void {
  if (!subscription.pending_update) return;
  world.change('customer.subscription.updated', subscription, (one) => {
    one.pending_update = null;
  });
  world.emit('customer.subscription.pending_update_expired', subscription);
}
