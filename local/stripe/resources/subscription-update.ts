import { declined, invalid } from '../core/problem.ts';
import type { Invoice, PendingUpdate, Period, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { collectInvoice } from './payment-collection.ts';
import type { LineDraft } from './invoice-lines.ts';
import { draftInvoice, finalizeInvoice } from './invoices.ts';
import { given, mergeMetadata } from './metadata.ts';
import { periodFrom } from './periods.ts';
import { addPendingLines, pendingLines, prorationLines } from './prorations.ts';
import { changesOf, type ItemPlan, plannedItems, planItems } from './subscription-plan.ts';
import type { Update } from './subscription-params.ts';
import { itemLines, periodOf, setPeriod } from './subscriptions.ts';

const UNPAID_UPDATE_SECONDS = 23 * 3600;

/** What a pending update may hold. Source: https://docs.stripe.com/billing/subscriptions/pending-updates-reference */
const pendable = new Set<string>([
  'billing_cycle_anchor',
  'cancel_at_period_end',
  'items',
  'metadata',
  'off_session',
  'payment_behavior',
  'proration_behavior',
  'proration_date',
  'trial_end',
]);

function check(world: World, subscription: Subscription, params: Update): void {
  const given = Object.keys(params);
  if (
    subscription.ended_at !== null &&
    given.some((key) => key !== 'metadata' && key !== 'cancellation_details')
  )
    throw invalid('A canceled subscription can only update its cancellation_details and metadata.');
  if (params.cancel_at_period_end !== undefined && params.cancel_at !== undefined)
    throw invalid('You may only specify one of these parameters: cancel_at, cancel_at_period_end.');
  if (typeof params.cancel_at === 'number' && params.cancel_at <= world.clock.now())
    throw invalid('`cancel_at` must be in the future.', { param: 'cancel_at' });
  if (typeof params.trial_end === 'number' && params.trial_end <= world.clock.now())
    throw invalid('Invalid timestamp: must be an integer Unix timestamp in the future.', {
      param: 'trial_end',
    });
  const wrong = given.find((key) => !pendable.has(key));
  if (params.payment_behavior === 'pending_if_incomplete' && wrong !== undefined)
    throw invalid(
      `When \`payment_behavior\` is set to \`pending_if_incomplete\`, you cannot pass \`${wrong}\`.`,
      { param: wrong },
    );
}

/** The fields that no invoice depends on. */
function editFields(world: World, one: Subscription, params: Update): void {
  const now = world.clock.now();
  one.metadata = mergeMetadata(one.metadata, params.metadata);
  if (params.cancellation_details)
    Object.assign(one.cancellation_details, given(params.cancellation_details));
  if (params.default_payment_method !== undefined)
    one.default_payment_method = params.default_payment_method;
  if (params.description !== undefined) one['description'] = params.description;
  if (params.trial_settings) one.trial_settings = params.trial_settings;
  if (params.pause_collection !== undefined)
    one.pause_collection =
      params.pause_collection === ''
        ? null
        : {
            behavior: params.pause_collection.behavior,
            resumes_at: params.pause_collection.resumes_at ?? null,
          };
  if (params.cancel_at_period_end !== undefined || params.cancel_at !== undefined) {
    const at =
      params.cancel_at_period_end === true ? periodOf(one).end : (params.cancel_at ?? null);
    one.cancel_at = at;
    one.cancel_at_period_end = params.cancel_at_period_end ?? false;
    one.canceled_at = at === null ? null : now;
    one.cancellation_details['reason'] = at === null ? null : 'cancellation_requested';
  }
}

/** How an update bills: whether the period begins anew, and the prorations. */
type Billing = { period: Period; anchor: number; isReset: boolean; prorations: LineDraft[] };

function billingOf(world: World, one: Subscription, params: Update, plan: ItemPlan): Billing {
  const now = world.clock.now();
  const period = periodOf(one);
  const isTrialing = one.status === 'trialing';
  const isReset =
    params.trial_end === 'now' ||
    params.billing_cycle_anchor === 'now' ||
    (plan.isNewInterval && !isTrialing);
  const recurring = plan.slots.find(({ isGone }) => !isGone)?.price.recurring;
  const isFree =
    isTrialing || params.proration_behavior === 'none' || typeof params.trial_end === 'number';
  const changes = plan.isChanged || isReset ? changesOf(world, one, plan) : [];
  const unused = isReset
    ? one.items.data.map(({ id, price, quantity }) => ({
        after: null,
        before: { price, quantity },
        item: id,
      }))
    : changes;
  const prorations = isFree
    ? []
    : prorationLines(world, one, { changes: unused, now: params.proration_date ?? now, period });
  if (typeof params.trial_end === 'number')
    return {
      anchor: params.trial_end,
      isReset: false,
      period: { start: period.start, end: params.trial_end },
      prorations,
    };
  if (!isReset || !recurring)
    return { anchor: one.billing_cycle_anchor, isReset, period, prorations };
  return { anchor: now, isReset, period: periodFrom(now, recurring, now), prorations };
}

function editItems(
  world: World,
  one: Subscription,
  plan: ItemPlan,
  billing: Billing,
  params: Update,
): void {
  if (plan.isChanged) one.items.data = plannedItems(world, one, plan);
  one.billing_cycle_anchor = billing.anchor;
  setPeriod(one, billing.period);
  if (params.trial_end === 'now' && one.status === 'trialing') {
    one.status = 'active';
    one.trial_end = world.clock.now();
  }
  if (typeof params.trial_end === 'number') {
    one.status = 'trialing';
    one.trial_start ??= world.clock.now();
    one.trial_end = params.trial_end;
  }
}

/** The invoice of an update; with `isReset` it bills the whole new period of the planned items. */
function invoiceUpdate(world: World, one: Subscription, plan: ItemPlan, billing: Billing): Invoice {
  const now = world.clock.now();
  const planned = { ...one, items: { ...one.items, data: plannedItems(world, one, plan) } };
  return draftInvoice(world, {
    currency: one.currency,
    customer: one.customer,
    finalizesAt: null,
    lines: [
      ...pendingLines(world, one),
      ...(billing.isReset ? itemLines(world, planned, billing.period) : []),
    ],
    period: { start: now, end: now },
    reason: 'subscription_update',
    subscription: one,
  });
}

/**
 * Updates a subscription: fields, items, prorations, and their invoice where one is due now.
 * @throws Problem 400 for what Stripe refuses, 402 with `error_if_incomplete` and a bad card.
 */
export function updateSubscription(world: World, one: Subscription, params: Update): Subscription {
  check(world, one, params);
  const plan = planItems(world, one, params.items);
  const card = world.store.notes.cards[one.customer] ?? 'ok';
  const billing = billingOf(world, one, params, plan);
  const isBilled =
    billing.isReset || (params.proration_behavior === 'always_invoice' && plan.isChanged);
  if (params.payment_behavior === 'error_if_incomplete' && isBilled && card !== 'ok')
    throw declined();
  const isPending =
    params.payment_behavior === 'pending_if_incomplete' && isBilled && card !== 'ok';
  let invoice: Invoice | undefined;
  world.inOrder(['customer.subscription.updated', 'invoiceitem.created', 'invoice.created'], () =>
    world.change('customer.subscription.updated', one, () => {
      addPendingLines(world, one, billing.prorations);
      if (isBilled) invoice = invoiceUpdate(world, one, plan, billing);
      editFields(world, one, params);
      if (isPending) one.pending_update = pendingUpdate(world, one, plan, billing);
      else editItems(world, one, plan, billing, params);
    }),
  );
  if (!invoice) return one;
  finalizeInvoice(world, invoice);
  if (params.payment_behavior !== 'default_incomplete') collectInvoice(world, invoice);
  return one;
}

/** What waits for the invoice to be paid: the items, with the period that they will have. */
function pendingUpdate(
  world: World,
  one: Subscription,
  plan: ItemPlan,
  billing: Billing,
): PendingUpdate {
  const planned = { ...one, items: { ...one.items, data: plannedItems(world, one, plan) } };
  setPeriod(planned, billing.period);
  return {
    billing_cycle_anchor: billing.isReset ? billing.anchor : null,
    cancel_at_period_end: null,
    discount: null,
    discounts: null,
    expires_at: world.clock.now() + UNPAID_UPDATE_SECONDS,
    metadata: null,
    subscription_items: planned.items.data,
    trial_end: null,
    trial_from_plan: null,
  };
}
