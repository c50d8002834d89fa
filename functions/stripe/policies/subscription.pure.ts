import type { StateContent, StateFact } from '../../ledger/facts.pure.ts';
import { digestOf } from '../../shared/digest.pure.ts';
import { asObject, isOurId, present, Unreadable, type Json } from '../normalise/json.pure.ts';
import {
  normalisePrevious,
  normaliseSubscription,
  type Subscription,
  type SubscriptionItem,
} from '../normalise/subscription.pure.ts';
import {
  assertCountable,
  failFor,
  microseconds,
  tell,
  termsOf,
  type Knowledge,
  type Lack,
  type Reading,
  type StripeEvent,
} from '../reading.pure.ts';

type Prices = Knowledge['prices'];

const isPlan = ({ priceId }: SubscriptionItem, prices: Prices): boolean =>
  prices.get(priceId ?? '')?.kind === 'plan';

const worthOf = ({ priceId, quantity }: SubscriptionItem, prices: Prices): number =>
  (prices.get(priceId ?? '')?.amountCents ?? 0) * quantity;

/** The item that is a plan of the catalogue, of two the dearer, whatever stands first. */
const planItemOf = ({ items }: Subscription, prices: Prices): SubscriptionItem | undefined =>
  items
    .filter((item) => isPlan(item, prices))
    .toSorted((a, b) => worthOf(b, prices) - worthOf(a, prices))[0] ?? items[0];

/** What a state says: the plan with its period, how it stands, and when it ends. */
function contentOf(subscription: Subscription, prices: Prices): StateContent {
  const item = planItemOf(subscription, prices);
  if (!item) throw new Unreadable(`Subscription ${subscription.id} has no item.`);
  const { priceId, quantity, periodStart, periodEnd } = item;
  const atPeriodEnd = subscription.isEndingWithPeriod ? periodEnd : null;
  return {
    status: subscription.status,
    priceId: isPlan(item, prices) ? priceId : null,
    quantity,
    periodStart,
    periodEnd,
    cancelAt: subscription.cancelAt ?? atPeriodEnd,
    trialEnd: subscription.trialEnd,
  };
}

/** What an event says was there before it: all of the content, as it would have been read then. */
function beforeOf(object: Json, event: StripeEvent, prices: Prices): Pick<StateFact, 'before'> {
  const previous = asObject(asObject(event.payload['data'])['previous_attributes']);
  if (Object.keys(previous).length === 0) return {};
  return { before: contentOf(normalisePrevious(object, previous), prices) };
}

/** A subscription whose status says that it goes on has not ended, whatever the event is called. */
function phaseOf({ type }: StripeEvent, { status }: Subscription): StateFact['phase'] {
  if (type === 'customer.subscription.created') return 'created';
  const isOver = status === 'canceled' || status === 'incomplete_expired';
  return type === 'customer.subscription.deleted' && isOver ? 'deleted' : 'updated';
}

/**
 * customer.subscription.*: the subscription as it is from the event's time on. The same content in the
 * same second is the same fact.
 * Source: docs.stripe.com/api/subscriptions/object
 */
export function readSubscription(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const { prices, decidedAtMs, graceDays } = knowledge;
  const subscription = normaliseSubscription(object);
  const { id, customerId: customer } = subscription;
  const { priceId, ...content } = contentOf(subscription, prices);
  const userIds = present([subscription.userId]);
  const identity = { userIds, customerId: customer, email: null, subscriptionId: id };
  const priceIds = present(subscription.items.map((item) => item.priceId));
  if (!priceIds.some((price) => prices.has(price)))
    return failFor(
      { identity, isOurs: userIds.some(isOurId) },
      {
        code: 'unknown_price',
        detail: `Subscription ${id} has no price of the catalogue: ${priceIds.join(', ')}. Run stripe:setup, or give the plan's price its rowloom_ metadata.`,
        waitsFor: priceIds,
      },
    );

  const phase = phaseOf(event, subscription);
  const endedAt = subscription.endedAt ?? (phase === 'deleted' ? event.created : null);
  // Tells apart the few states that one subscription has in one second.
  const digest = digestOf([priceId, ...Object.values(content), endedAt].join(','));
  const price = prices.get(priceId ?? '');
  const terms = price ? termsOf(price) : null;
  if (terms) assertCountable(terms, content.quantity);
  const fact: StateFact = {
    kind: 'state',
    key: `state:${id}:${event.created}:${phase}:${digest}`,
    atUs: microseconds(event.created),
    decidedAtMs,
    subscription: id,
    phase,
    ...content,
    terms,
    endedAt,
    customer,
    graceDays,
    ...beforeOf(object, event, prices),
  };
  return tell(identity, { facts: [fact] });
}

/** The plan may be among the items that the subscription does not embed. */
export function lackOfSubscription(object: Json, { prices }: Knowledge): Lack | null {
  const { id, items, hasMoreItems } = normaliseSubscription(object);
  const isThere = items.some((item) => isPlan(item, prices));
  return hasMoreItems && !isThere ? { lack: 'subscription_items', subscriptionId: id } : null;
}
