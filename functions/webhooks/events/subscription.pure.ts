import { fail, type Decision } from '../decision.pure.ts';
import {
  asIdentity,
  asInteger,
  asObject,
  asText,
  idOf,
  subscriptionItemOf,
  type Json,
} from '../shapes.pure.ts';

const ranks: Record<string, number> = {
  'customer.subscription.created': 0,
  'customer.subscription.updated': 1,
  'customer.subscription.deleted': 2,
};

/**
 * customer.subscription.*: what the subscription is, not what it grants. Newer portals cancel by
 * `cancel_at` with `cancel_at_period_end = false`, so both are read.
 * Source: docs.stripe.com/api/subscriptions/object
 */
export function decideSubscription(type: string, subscription: Json, eventAt: number): Decision {
  const subscriptionId = asText(subscription['id']);
  const status = asText(subscription['status']);
  const item = subscriptionItemOf(subscription);
  if (subscriptionId === undefined || status === undefined || item.priceId === undefined)
    return fail('unreadable', `Subscription ${subscriptionId ?? '?'} has no status or no price.`);

  const userId = asIdentity(asObject(subscription['metadata'])['user_id']);
  const customerId = idOf(subscription['customer']) ?? null;
  const atPeriodEnd = subscription['cancel_at_period_end'] === true ? item.periodEnd : undefined;
  return {
    identity: { userIds: userId === undefined ? [] : [userId], customerId, email: null },
    effects: [
      {
        effect: 'subscription',
        subscriptionId,
        customerId,
        status,
        priceId: item.priceId,
        quantity: item.quantity,
        periodStart: item.periodStart ?? null,
        periodEnd: item.periodEnd ?? null,
        cancelAt: asInteger(subscription['cancel_at']) ?? atPeriodEnd ?? null,
        trialEnd: asInteger(subscription['trial_end']) ?? null,
        endedAt:
          asInteger(subscription['ended_at']) ??
          (type === 'customer.subscription.deleted' ? eventAt : null),
        eventAt,
        rank: ranks[type] ?? 1,
      },
    ],
  };
}
