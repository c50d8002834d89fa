import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import { subscriptionView } from '../users/view.pure.ts';
import { DomainError } from '../errors.ts';
import type { StateFact } from '../ledger/facts.pure.ts';
import { answeredAt, applyReading, asRead, eventOf } from '../stripe/apply-reading.ts';
import { knowledgeOf, readCatalogue } from '../stripe/catalogue.ts';
import { read } from '../stripe/read-event.pure.ts';
import type { Account, StoredSubscription } from './billing-account.ts';

/** A subscription as Stripe has it. `schedule` and `latest_invoice` are expanded. */
export type Current = { subscription: Stripe.Subscription; readAt: number };

export const expanded = { expand: ['schedule', 'latest_invoice'] };

/** Reads the subscription; `readAt` is Stripe's clock, unix seconds. */
export async function fetchSubscription(ctx: Ctx, id: string): Promise<Current> {
  const subscription = await ctx.stripe.subscriptions.retrieve(id, expanded);
  return { subscription, readAt: answeredAt(ctx, subscription) };
}

export const isEnded = ({ status }: Stripe.Subscription): boolean =>
  status === 'canceled' || status === 'incomplete_expired';

export const isEnding = (subscription: Stripe.Subscription): boolean =>
  subscription.cancel_at_period_end || subscription.cancel_at !== null;

/** The schedule that plans changes for the subscription, if any. */
export const scheduleOf = ({
  schedule,
}: Stripe.Subscription): Stripe.SubscriptionSchedule | undefined =>
  schedule !== null && typeof schedule === 'object' ? schedule : undefined;

/** The newest invoice, as it was when the subscription was read. */
export const latestInvoiceOf = (subscription: Stripe.Subscription): Stripe.Invoice | undefined => {
  const invoice = subscription.latest_invoice;
  return invoice !== null && typeof invoice === 'object' ? invoice : undefined;
};

/** What tells this state from the ones before and after it, for idempotency keys. */
export const stateOf = (stored: StoredSubscription, subscription: Stripe.Subscription) => [
  stored.state_position,
  subscription.id,
  ...subscription.items.data.flatMap(({ id, price }) => [id, price.id]),
  latestInvoiceOf(subscription)?.id,
  subscription.cancel_at,
  subscription.cancel_at_period_end,
  scheduleOf(subscription)?.id,
  subscription.pending_update?.expires_at,
];

export type SubscriptionView = ReturnType<typeof subscriptionView>;

function viewOf(account: Account, state: StateFact) {
  const plan = account.plans.find(({ priceId }) => priceId === state.terms?.priceId);
  const time = (seconds: number | null): string | null =>
    seconds === null ? null : new Date(seconds * 1000).toISOString();
  return subscriptionView({
    plan: plan?.key ?? null,
    status: state.status,
    interval: plan?.interval ?? null,
    current_period_start: time(state.periodStart),
    current_period_end: time(state.periodEnd),
    cancel_at: time(state.cancelAt),
    trial_end: time(state.trialEnd),
  });
}

/**
 * Tells the books what Stripe answered, so that a read shows it at once; its webhook says it again. A
 * plan that the catalogue does not know cannot be told and is left to the webhook.
 */
export async function syncSubscription(
  ctx: Ctx,
  account: Account,
  { subscription, readAt }: Current,
): Promise<SubscriptionView> {
  const type = isEnded(subscription)
    ? 'customer.subscription.deleted'
    : 'customer.subscription.updated';
  const knowledge = knowledgeOf(ctx, await readCatalogue(ctx));
  const reading = read(eventOf(type, subscription, readAt), knowledge);
  const state = 'facts' in reading ? reading.facts[0] : undefined;
  if (!('facts' in reading) || state?.kind !== 'state') {
    ctx.log('subscription_not_shown', { subscriptionId: subscription.id });
    throw new DomainError('payment_provider_refused', 'The subscription has no plan of ours.');
  }
  const identity = { userIds: [account.userId], customerId: null, email: null };
  const facts = reading.facts.map((fact) => asRead(ctx, fact));
  await applyReading(ctx, { ...reading, facts, identity }, { dryRun: false });
  return viewOf(account, state);
}
