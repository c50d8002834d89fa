import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isBetter } from '../ledger/entitlement.pure.ts';
import { invoiceDue, isPaid, readInvoices } from './billed-invoices.ts';
import {
  noSubscription,
  readAccount,
  subscriptionOf,
  type Account,
  type PlanPrice,
} from './billing-account.ts';
import { planChange } from './change-plan-later.ts';
import { dropOpenChange, payOpenChange, switchNow, type Billing } from './change-plan-now.ts';
import type { PlanChange } from './plan-change.ts';
import { releaseSchedule } from './release-schedule.ts';
import { withStripe } from '../clients/stripe-errors.ts';
import {
  fetchSubscription,
  isEnded,
  scheduleOf,
  syncSubscription,
  type Current,
  type SubscriptionView,
} from './stripe-subscription.ts';

export type ChangePlanInput = {
  userId: string;
  plan: string;
  /** At once or when the period that is paid for ends; else upgrades come at once, others then. */
  when?: 'now' | 'period_end' | undefined;
  idempotencyKey?: string | undefined;
};

/** The subscription to change, as Stripe has it. Throws `no_subscription`. */
async function begin(ctx: Ctx, account: Account, input: ChangePlanInput, target: PlanPrice) {
  const stored = subscriptionOf(account);
  if (stored.status === 'canceled' || stored.status === 'incomplete_expired')
    throw noSubscription();
  const invoices = await readInvoices(ctx, stored.stripe_subscription_id);
  const current = await fetchSubscription(ctx, stored.stripe_subscription_id);
  const { subscription } = current;
  const { data: items } = subscription.items;
  const isPlan = ({ price }: Stripe.SubscriptionItem): boolean =>
    account.plans.some(({ priceId }) => priceId === price.id);
  const item = items.find(isPlan) ?? items[0];
  if (isEnded(subscription)) {
    await syncSubscription(ctx, account, current);
    throw noSubscription();
  }
  if (subscription.status === 'incomplete' || !item)
    throw noSubscription('The first payment of the subscription has not been made yet.');
  const change: PlanChange = {
    ctx,
    account,
    stored,
    subscription,
    item,
    target,
    callersKey: input.idempotencyKey,
  };
  return { change, current, invoices };
}

/** Wants the plan that is there: then nothing else is planned or waits to be paid. */
async function stay(change: PlanChange): Promise<Stripe.Subscription> {
  const schedule = scheduleOf(change.subscription);
  if (schedule) await releaseSchedule(change, schedule);
  await dropOpenChange(change);
  return { ...change.subscription, schedule: null };
}

/** Nothing that was not paid is ever credited: until it is, nothing changes. */
const paymentDue = (invoice: Stripe.Invoice): DomainError =>
  new DomainError(
    'payment_due',
    invoice.status === 'draft'
      ? 'The renewal is being invoiced. Try again in an hour.'
      : 'An invoice of the subscription is open. Pay it at `invoiceUrl` first.',
    { extra: { invoiceUrl: invoice.hosted_invoice_url ?? null } },
  );

/** From a plan that nobody knows, any. */
const isUpgrade = (held: PlanPrice | undefined, target: PlanPrice): boolean =>
  !held || isBetter(target, held);

/** What the switch is invoiced for. Stripe begins a new interval with an invoice in any case. */
async function billingOf(
  change: PlanChange,
  held: PlanPrice | undefined,
  invoices: Stripe.Invoice[],
): Promise<Billing> {
  const { target } = change;
  if (isUpgrade(held, target)) return (await isPaid(change, invoices)) ? 'difference' : 'full';
  return held?.interval === target.interval ? 'nothing' : 'full';
}

async function carryOut(
  change: PlanChange,
  invoices: Stripe.Invoice[],
  when: ChangePlanInput['when'],
): Promise<Stripe.Subscription> {
  const { account, item, target, subscription } = change;
  // By plan, not by price: who holds an older price of the plan keeps it.
  const held = account.plans.find(({ priceId }) => priceId === item.price.id);
  if (held?.key === target.key) return stay(change);
  const due = invoiceDue(change, invoices);
  if (due) throw paymentDue(due);
  const isUp = isUpgrade(held, target);
  if ((when ?? (isUp ? 'now' : 'period_end')) === 'period_end') {
    await dropOpenChange(change);
    await planChange(change);
    return subscription;
  }
  if (!isUp && held?.interval === 'year')
    throw new DomainError(
      'downgrade_at_period_end',
      'A yearly plan is paid until its year ends: ask for `when: "period_end"`.',
    );
  const paid = await payOpenChange(change);
  if (paid) return paid;
  await dropOpenChange(change);
  return switchNow(change, await billingOf(change, held, invoices));
}

/**
 * Changes the plan. Upgrades come at once, when their invoice is paid: a new period for the whole
 * price, less the unused time that was paid. Downgrades come when a schedule brings them, at the
 * period's end, or at once (`now`) without money back. The current plan takes a planned change back.
 * Credits come with the invoice. Throws `unknown_plan`, `no_subscription`, `subscription_ending`,
 * `downgrade_at_period_end`, `payment_due` and `payment_failed` `{invoiceUrl}`,
 * `payment_provider_unavailable`.
 * Source: docs.stripe.com/billing/subscriptions/pending-updates
 */
export async function changePlan(ctx: Ctx, input: ChangePlanInput): Promise<SubscriptionView> {
  const account = await readAccount(ctx, input.userId);
  const target = account.plans.find(({ key, onSale }) => onSale && key === input.plan);
  if (!target)
    throw new DomainError(
      'unknown_plan',
      'There is no such plan; GET /v1/billing/plans lists what there is.',
    );
  return withStripe(async () => {
    const { change, current, invoices } = await begin(ctx, account, input, target);
    const show = (subscription: Stripe.Subscription): Promise<SubscriptionView> => {
      const shown: Current = { subscription, readAt: current.readAt };
      return syncSubscription(ctx, account, shown);
    };
    return show(await carryOut(change, invoices, input.when));
  });
}
