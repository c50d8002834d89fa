import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import type { Account, PlanPrice, StoredSubscription } from './billing-account.ts';
import { idempotencyKeyOf } from './idempotency.ts';
import { stateOf } from './stripe-subscription.ts';

/** One change of plan on its way: what is, what is wanted, and whose key it goes by. */
export type PlanChange = {
  ctx: Ctx;
  account: Account;
  stored: StoredSubscription;
  subscription: Stripe.Subscription;
  item: Stripe.SubscriptionItem;
  target: PlanPrice;
  callersKey: string | undefined;
};

/** The key of one of its calls; `state` is what tells it from others of the same intent. */
export const changeKey = (
  { ctx, account, stored, subscription, target, callersKey }: PlanChange,
  intent: string,
  state: (string | number | undefined)[] = [],
): Promise<string> =>
  idempotencyKeyOf(intent, account.userId, {
    callersKey,
    state: [...stateOf(stored, subscription), target.priceId, ...state],
    now: ctx.now(),
  });
