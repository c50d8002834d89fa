import {
  amountOr,
  asIdentity,
  asList,
  asObject,
  asText,
  hasMore,
  idAt,
  need,
  secondsOrNull,
  type Json,
} from './json.pure.ts';

export type SubscriptionItem = {
  priceId: string | null;
  quantity: number;
  /** Unix seconds. */
  periodStart: number | null;
  periodEnd: number | null;
};

export type Subscription = {
  id: string;
  status: string;
  userId: string | null;
  customerId: string | null;
  items: SubscriptionItem[];
  hasMoreItems: boolean;
  /** Newer portals cancel by `cancel_at` alone, so both are read. Unix seconds. */
  cancelAt: number | null;
  isEndingWithPeriod: boolean;
  trialEnd: number | null;
  endedAt: number | null;
};

/** Periods moved onto items with "basil". */
const normaliseItem = (item: Json, subscription: Json): SubscriptionItem => ({
  priceId: idAt(item, 'price', 'plan'),
  quantity: amountOr(item['quantity'], 1, "An item's quantity"),
  periodStart: secondsOrNull(
    item['current_period_start'] ?? subscription['current_period_start'],
    'The start of the period',
  ),
  periodEnd: secondsOrNull(
    item['current_period_end'] ?? subscription['current_period_end'],
    'The end of the period',
  ),
});

/**
 * A subscription of any API version.
 * @throws Unreadable without id or status, or with numbers that cannot be counted with
 * Source: docs.stripe.com/api/subscriptions/object
 */
export function normaliseSubscription(subscription: Json): Subscription {
  return {
    id: need(asText(subscription['id']), 'The subscription has no id.'),
    status: need(asText(subscription['status']), 'The subscription has no status.'),
    userId: asIdentity(asObject(subscription['metadata'])['user_id']) ?? null,
    customerId: idAt(subscription, 'customer'),
    items: asList(subscription['items']).map((item) => normaliseItem(item, subscription)),
    hasMoreItems: hasMore(subscription['items']),
    cancelAt: secondsOrNull(subscription['cancel_at'], 'cancel_at'),
    isEndingWithPeriod: subscription['cancel_at_period_end'] === true,
    trialEnd: secondsOrNull(subscription['trial_end'], 'trial_end'),
    endedAt: secondsOrNull(subscription['ended_at'], 'ended_at'),
  };
}

/** The subscription before a change: an event's `previous_attributes` hold the old values of what changed. */
export function normalisePrevious(subscription: Json, previous: Json): Subscription {
  const now = asList(subscription['items']);
  const before = asList(previous['items']).map((item) => ({
    ...now.find(({ id }) => id === item['id']),
    ...item,
  }));
  const items = before.length > 0 ? before : now;
  return normaliseSubscription({ ...subscription, ...previous, items });
}
