import type { JsonRow } from '../../db/rows.ts';
import type { subscriptions } from '../../schema.ts';
import type { Standing } from './entitlement.pure.ts';

export type SubscriptionRow = JsonRow<typeof subscriptions>;

const microseconds = (time: string | null): number | null =>
  time === null ? null : Date.parse(time) * 1000;

/** Where a stored subscription stands. */
export const standingOfRow = (row: SubscriptionRow): Standing => ({
  subscription: row.stripe_subscription_id,
  status: row.status,
  terms: row.terms,
  paid: row.paid,
  takenBack: row.taken_back,
  failingSinceUs: microseconds(row.failing_since),
  graceDays: row.grace_days,
});
