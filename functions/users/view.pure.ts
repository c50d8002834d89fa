import { standingOfRow, type SubscriptionRow } from '../ledger/subscription-row.pure.ts';
import { entitled } from '../ledger/entitlement.pure.ts';
import { isoOrNull, isoTime } from '../shared/time.pure.ts';
import type { RenewalMode } from '../ledger/facts.pure.ts';
import type { UserRow } from './ensure.ts';

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

const renewing = ['active', 'trialing', 'past_due'];

/** When lots will expire next by a renewal or a yearly plan's month, and which kinds; null: not at all. */
function resetOf(user: UserRow, subscriptions: readonly SubscriptionRow[], mode: RenewalMode) {
  const renewals = subscriptions.flatMap((row) => {
    const isEnding = row.cancel_at !== null && (row.current_period_end ?? '') >= row.cancel_at;
    // An unlimited plan's renewal expires nothing that can be spent.
    const isMetered = row.terms?.credits != null;
    return renewing.includes(row.status) && isMetered && !isEnding ? [row.current_period_end] : [];
  });
  const times = [...renewals, user.next_due_at]
    .filter((time) => time !== null)
    .map((time) => Date.parse(time));
  if (times.length === 0) return { at: null, lots: [] };
  const lots = mode === 'reset-all' ? ['plan', 'bonus', 'purchased'] : ['plan', 'bonus'];
  return { at: new Date(Math.min(...times)).toISOString(), lots };
}

/** `GET /v1/me`; every number of `credits` is spendable now but `held`. */
export function userView(
  user: UserRow,
  subscriptions: readonly SubscriptionRow[],
  settings: { now: Date; mode: RenewalMode },
) {
  const plan = entitled(subscriptions.map(standingOfRow), settings.now.getTime() * 1000);
  const reset = resetOf(user, subscriptions, settings.mode);
  return {
    id: user.id,
    externalId: user.external_id,
    email: user.email,
    credits: {
      balance: user.credits_balance,
      plan: user.credits_plan,
      bonus: user.credits_bonus,
      purchased: user.credits_purchased,
      held: user.credits_held,
      unlimited: plan?.credits === null,
      resetsAt: reset.at,
      resetsLots: reset.lots,
    },
    subscription: subscriptionView(subscriptions[0] ?? null),
    suspended:
      user.suspended_at === null
        ? null
        : { since: isoTime(user.suspended_at), reason: user.suspended_reason ?? '' },
  };
}
