import type { SubscriptionRow, UserRow } from './ensure.ts';

/** Postgres' time as ISO 8601 in UTC. */
export const isoTime = (value: string | Date): string => new Date(value).toISOString();

export const isoOrNull = (value: string | Date | null): string | null =>
  value === null ? null : isoTime(value);

type ShownSubscription = Pick<
  SubscriptionRow,
  | 'plan'
  | 'status'
  | 'interval'
  | 'current_period_start'
  | 'current_period_end'
  | 'cancel_at'
  | 'trial_end'
>;

/** A subscription as the API shows it. */
export const subscriptionView = (row: ShownSubscription | null) =>
  row && {
    plan: row.plan,
    status: row.status,
    interval: row.interval,
    currentPeriodStart: isoOrNull(row.current_period_start),
    currentPeriodEnd: isoOrNull(row.current_period_end),
    cancelAt: isoOrNull(row.cancel_at),
    trialEnd: isoOrNull(row.trial_end),
  };

/** `GET /v1/me`; every number of `credits` is spendable now but `held`. */
export const userView = (user: UserRow, subscription: ShownSubscription | null) => ({
  id: user.id,
  externalId: user.external_id,
  email: user.email,
  credits: {
    balance: user.credits_balance,
    plan: user.credits_plan,
    bonus: user.credits_bonus,
    purchased: user.credits_purchased,
    held: user.credits_held,
    unlimited: user.unlimited,
  },
  subscription: subscriptionView(subscription),
});
