import { daySeconds, hourSeconds } from '../core/clock.ts';
import type { Invoice, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { failsToFinalize } from './finalization.ts';
import { collectInvoice } from './payment-collection.ts';
import { draftInvoice, finalizeInvoice, giveUpInvoice, voidInvoice } from './invoices.ts';
import { dropPendingUpdate, pendingInvoice } from './pending-update.ts';
import { periodFrom } from './periods.ts';
import { pendingLines } from './prorations.ts';
import { endSubscription } from './subscription-end.ts';
import { itemLines, periodOf, setPeriod } from './subscriptions.ts';

/** Something that falls due at a unix second; of two at once the lower rank goes first. */
export type Due = { at: number; rank: number; run: () => void };

/** A first invoice may stay unpaid this long. */
const incompleteSeconds = 23 * hourSeconds;

/** Ends a trial that has no card as its settings say; false if it goes on to an invoice. */
function endCardlessTrial(world: World, subscription: Subscription): boolean {
  const behaviour = subscription.trial_settings.end_behavior.missing_payment_method;
  const hasCard = (world.store.notes.cards[subscription.customer] ?? 'ok') !== 'none';
  if (hasCard || behaviour === 'create_invoice') return false;
  if (behaviour === 'cancel') {
    endSubscription(world, subscription, 'payment_failed');
    return true;
  }
  subscription.status = 'paused';
  world.emit('customer.subscription.paused', subscription);
  return true;
}

/**
 * Begins the next period: the subscription moves first, with a draft invoice that finalizes an hour
 * later. Source: https://docs.stripe.com/billing/subscriptions/webhooks
 */
export function renew(world: World, subscription: Subscription): Invoice | undefined {
  if (subscription.status === 'trialing' && endCardlessTrial(world, subscription)) return undefined;
  const recurring = subscription.items.data[0]?.price.recurring;
  if (!recurring) return undefined;
  const ended = periodOf(subscription);
  const period = periodFrom(subscription.billing_cycle_anchor, recurring, ended.end);
  const isKept =
    subscription.status === 'unpaid' || subscription.pause_collection?.behavior === 'keep_as_draft';
  return world.inOrder(['customer.subscription.updated', 'invoice.created'], () => {
    let invoice: Invoice | undefined;
    world.change('customer.subscription.updated', subscription, (one) => {
      setPeriod(one, period);
      if (one.status === 'trialing') one.status = 'active';
      invoice = draftInvoice(world, {
        currency: one.currency,
        customer: one.customer,
        finalizesAt: isKept ? null : world.clock.now() + hourSeconds,
        isHeld: isKept,
        lines: [...pendingLines(world, one), ...itemLines(world, one, period)],
        period: ended,
        reason: 'subscription_cycle',
        subscription: one,
      });
    });
    return invoice;
  });
}

/** Opens a renewal's draft and tries to pay it, or does what a paused collection says. */
export function finalizeAndCollect(world: World, invoice: Invoice): void {
  if (failsToFinalize(world, invoice)) return;
  const id = invoice.parent?.subscription_details?.subscription;
  const paused = id === undefined ? null : world.store.find('subscription', id)?.pause_collection;
  finalizeInvoice(world, invoice);
  if (paused?.behavior === 'void') voidInvoice(world, invoice);
  else if (paused?.behavior === 'mark_uncollectible') giveUpInvoice(world, invoice);
  else collectInvoice(world, invoice);
}

/** Renews without waiting for the period to end, and pays at once. */
export function renewNow(world: World, subscription: Subscription): Invoice | undefined {
  const invoice = renew(world, subscription);
  if (invoice) finalizeAndCollect(world, invoice);
  return invoice;
}

function expireIncomplete(world: World, subscription: Subscription): void {
  const invoice = world.store.find('invoice', subscription.latest_invoice ?? '');
  if (invoice?.status === 'open') voidInvoice(world, invoice);
  world.change('customer.subscription.updated', subscription, (one) => {
    one.status = 'incomplete_expired';
    one.ended_at = world.clock.now();
  });
}

function expirePendingUpdate(world: World, subscription: Subscription): void {
  const invoice = pendingInvoice(world, subscription);
  if (invoice?.status === 'open') voidInvoice(world, invoice);
  else dropPendingUpdate(world, subscription);
}

function tellTrialEnd(world: World, subscription: Subscription): void {
  world.store.notes.trialsTold[subscription.id] = true;
  world.emit('customer.subscription.trial_will_end', subscription);
}

function dueOfSubscription(world: World, one: Subscription): Due[] {
  if (one.ended_at !== null) return [];
  const due: Due[] = [];
  const add = (at: number | null | undefined, rank: number, run: () => void) =>
    at == null ? undefined : due.push({ at, rank, run });
  if (one.status === 'incomplete') {
    add((one.created ?? 0) + incompleteSeconds, 0, () => expireIncomplete(world, one));
    return due;
  }
  add(one.cancel_at, 0, () => endSubscription(world, one, 'cancellation_requested'));
  add(one.pending_update?.expires_at, 1, () => expirePendingUpdate(world, one));
  add(one.pause_collection?.resumes_at, 1, () =>
    world.change('customer.subscription.updated', one, (changed) => {
      changed.pause_collection = null;
    }),
  );
  if (one.status === 'trialing' && one.trial_end !== null && !world.store.notes.trialsTold[one.id])
    add(Math.max(one.created ?? 0, one.trial_end - 3 * daySeconds), 1, () =>
      tellTrialEnd(world, one),
    );
  if (one.status !== 'paused') add(periodOf(one).end, 3, () => renew(world, one));
  return due;
}

function dueOfInvoice(world: World, one: Invoice): Due[] {
  if (one.status === 'draft' && one.automatically_finalizes_at !== null)
    return [
      { at: one.automatically_finalizes_at, rank: 4, run: () => finalizeAndCollect(world, one) },
    ];
  if (one.status === 'open' && one.auto_advance && one.next_payment_attempt !== null)
    return [{ at: one.next_payment_attempt, rank: 4, run: () => collectInvoice(world, one) }];
  return [];
}

/** Everything that subscriptions and invoices are waiting for. */
export const billingDue = (world: World): Due[] => [
  ...world.store.played('subscription').flatMap((one) => dueOfSubscription(world, one)),
  ...world.store.played('invoice').flatMap((one) => dueOfInvoice(world, one)),
];
