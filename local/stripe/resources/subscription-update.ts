import { declined } from '../core/problem.ts';
import type { Invoice, PendingUpdate, Period, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { collectInvoice, isOverdue, orderFor, payUpdate } from './payment-collection.ts';
import type { LineDraft } from './invoice-lines.ts';
import { readDiscounts, setDiscounts } from './discounts.ts';
import { draftForNow, finalizeInvoice, voidInvoice } from './invoices.ts';
import { given, mergeMetadata } from './metadata.ts';
import { pendingInvoice } from './pending-update.ts';
import { periodFrom } from './periods.ts';
import { addPendingLines, type ItemChange, pendingLines, prorationLines } from './prorations.ts';
import { checkUpdate } from './subscription-check.ts';
import { changesOf, type ItemPlan, plannedItems, planItems } from './subscription-plan.ts';
import type { Update } from './subscription-params.ts';
import { itemLines, periodOf, priceOf, quantityOf, setPeriod } from './subscriptions.ts';

const unpaidUpdateSeconds = 23 * 3600;

/** The fields that no invoice depends on. */
function editFields(world: World, one: Subscription, params: Update): void {
  const now = world.clock.now();
  one.metadata = mergeMetadata(one.metadata, params.metadata);
  if (params.cancellation_details)
    Object.assign(one.cancellation_details, given(params.cancellation_details));
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

/** How an update bills: whether a period begins anew, and the prorations. */
type Billing = {
  period: Period;
  anchor: number;
  /** What the invoice charges beside prorations: a whole new period, a free trial, or nothing. */
  charges: 'period' | 'trial' | null;
  prorations: LineDraft[];
};

/** Every item as if it ended now. */
export const endings = (one: Subscription): ItemChange[] =>
  one.items.data.map((item) => ({
    after: null,
    before: { price: item.price, quantity: quantityOf(item) },
    item: item.id,
  }));

function billingOf(world: World, one: Subscription, params: Update, plan: ItemPlan): Billing {
  const now = world.clock.now();
  const period = periodOf(one);
  const { trial_end: trialEnd } = params;
  const isTrialing = one.status === 'trialing';
  const isReset =
    trialEnd === 'now' ||
    params.billing_cycle_anchor?.type === 'now' ||
    (plan.isNewInterval && !isTrialing && trialEnd === undefined);
  const recurring = plan.slots.find(({ isGone }) => !isGone)?.price.recurring;
  const isEnding = isReset || typeof trialEnd === 'number';
  const changes = plan.isChanged || isReset ? changesOf(world, one, plan) : [];
  const prorations =
    isTrialing || params.proration_behavior === 'none'
      ? []
      : prorationLines(world, one, {
          changes: isEnding ? endings(one) : changes,
          now: params.proration_date ?? now,
          period,
        });
  if (typeof trialEnd === 'number')
    return {
      anchor: trialEnd,
      charges: 'trial',
      period: { start: isTrialing ? period.start : now, end: trialEnd },
      prorations,
    };
  if (!isReset || !recurring)
    return { anchor: one.billing_cycle_anchor, charges: null, period, prorations };
  return { anchor: now, charges: 'period', period: periodFrom(now, recurring, now), prorations };
}

function editItems(
  world: World,
  one: Subscription,
  plan: ItemPlan,
  billing: Billing,
  params: Update,
): void {
  const now = world.clock.now();
  if (plan.isChanged || plan.isRelabelled) one.items.data = plannedItems(world, one, plan);
  one.billing_cycle_anchor = billing.anchor;
  setPeriod(one, billing.period);
  if (params.trial_end === 'now' && one.status === 'trialing') {
    one.status = 'active';
    one.trial_end = now;
  }
  if (typeof params.trial_end !== 'number') return;
  // Source: https://docs.stripe.com/billing/subscriptions/billing-mode/compare
  if (one.billing_mode.type === 'flexible' && one.status !== 'trialing') one.trial_start = now;
  one.trial_start ??= now;
  one.status = 'trialing';
  one.trial_end = params.trial_end;
}

/** A subscription as it will be, its items included. */
const asPlanned = (world: World, one: Subscription, plan: ItemPlan): Subscription => ({
  ...one,
  items: { ...one.items, data: plannedItems(world, one, plan) },
});

/** What an update bills: what waits to be invoiced, and the period or trial that begins. */
function billedLines(world: World, one: Subscription, plan: ItemPlan, billing: Billing) {
  const planned = asPlanned(world, one, plan);
  const { charges, period } = billing;
  const isTrial = charges === 'trial';
  const start = isTrial ? world.clock.now() : period.start;
  return [
    ...pendingLines(world, one),
    ...(charges === null ? [] : itemLines(world, planned, { start, end: period.end }, isTrial)),
  ];
}

/** What an update would ask for, before discounts and tax. */
function dueOf(world: World, one: Subscription, plan: ItemPlan, billing: Billing): number {
  const { balance } = world.store.need('customer', one.customer);
  return [...billing.prorations, ...billedLines(world, one, plan, billing)].reduce(
    (sum, { amount }) => sum + amount,
    balance,
  );
}

/**
 * Updates a subscription: fields, items, prorations, and their invoice where one is due now.
 * A change that a schedule planned may be to a price that was archived meanwhile.
 * @throws Problem 400 for what Stripe refuses, 402 with `error_if_incomplete` and a bad card.
 */
export function updateSubscription(
  world: World,
  one: Subscription,
  params: Update,
  isPlanned = false,
): Subscription {
  checkUpdate(world, one, params);
  const plan = planItems(world, one, params.items, isPlanned);
  const billing = billingOf(world, one, params, plan);
  const isBilled =
    billing.charges !== null ||
    (params.proration_behavior === 'always_invoice' && billing.prorations.length > 0);
  const card = world.store.notes.cards[one.customer] ?? 'ok';
  const isError = params.payment_behavior === 'error_if_incomplete' && card !== 'ok';
  if (isError && isBilled && dueOf(world, one, plan, billing) > 0) throw declined();
  const redeemer = {
    amount: priceOf(plan.slots.filter(({ isGone }) => !isGone)),
    currency: one.currency,
    customer: one.customer,
    has: one.discounts,
  };
  const discounts = params.discounts && readDiscounts(world, params.discounts, redeemer);
  // Source: https://docs.stripe.com/changelog/endive/2026-09-30/scheduled-subscription-cancellation
  const waiting = pendingInvoice(world, one);
  if (waiting && (isBilled || plan.isChanged || params.cancel_at_period_end !== undefined))
    voidInvoice(world, waiting);
  const edit = (): void => {
    editFields(world, one, params);
    editItems(world, one, plan, billing, params);
  };
  const update = { billing, discounts, edit, params, plan };
  if (isBilled && params.payment_behavior === 'pending_if_incomplete')
    updateOncePaid(world, one, update);
  else updateAtOnce(world, one, update, isBilled);
  return one;
}

type Planned = {
  billing: Billing;
  discounts: string[] | undefined;
  edit: () => void;
  params: Update;
  plan: ItemPlan;
};

/** The change comes first; a payment that fails leaves the subscription overdue. */
function updateAtOnce(world: World, one: Subscription, update: Planned, isBilled: boolean): void {
  const { billing, discounts, edit, params, plan } = update;
  let invoice: Invoice | undefined;
  world.inOrder(['customer.subscription.updated', 'invoiceitem.created', 'invoice.created'], () =>
    world.change('customer.subscription.updated', one, () => {
      if (discounts) setDiscounts(world, one, discounts);
      addPendingLines(world, one, billing.prorations);
      if (isBilled) invoice = draftForNow(world, one, billedLines(world, one, plan, billing));
      edit();
    }),
  );
  if (!invoice) return;
  const isLeft = params.payment_behavior === 'default_incomplete';
  if (isLeft) invoice.auto_advance = false;
  finalizeInvoice(world, invoice);
  if (!isLeft || invoice.amount_due === 0) {
    collectInvoice(world, invoice);
    return;
  }
  world.change('customer.subscription.updated', one, () => {
    one.status = 'past_due';
  });
}

/** The money comes first; until then the change is kept as a pending update. */
function updateOncePaid(world: World, one: Subscription, update: Planned): void {
  const { billing, edit, plan } = update;
  world.inOrder(orderFor(world, one.customer), () =>
    world.change('customer.subscription.updated', one, () => {
      addPendingLines(world, one, billing.prorations);
      const invoice = draftForNow(world, one, billedLines(world, one, plan, billing));
      finalizeInvoice(world, invoice);
      if (payUpdate(world, invoice)) {
        edit();
        if (isOverdue(one)) one.status = 'active';
        return;
      }
      world.store.notes.pendingInvoices[one.id] = invoice.id;
      one.pending_update = pendingUpdate(world, one, update);
    }),
  );
}

/** What waits for the invoice to be paid: the items, with the period that they will have. */
function pendingUpdate(
  world: World,
  one: Subscription,
  { billing, params, plan }: Planned,
): PendingUpdate {
  const planned = asPlanned(world, one, plan);
  setPeriod(planned, billing.period);
  const ends = [world.clock.now() + unpaidUpdateSeconds, periodOf(one).end];
  return {
    billing_cycle_anchor: billing.charges === null ? null : billing.anchor,
    cancel_at_period_end: params.cancel_at_period_end ?? null,
    discount: null,
    discounts: null,
    expires_at: Math.min(...ends),
    metadata: params.metadata === undefined ? null : mergeMetadata(one.metadata, params.metadata),
    subscription_items: planned.items.data,
    trial_end: params.trial_end === 'now' ? world.clock.now() : null,
    trial_from_plan: null,
  };
}
