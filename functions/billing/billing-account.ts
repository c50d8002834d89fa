import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import type { PlanSize } from '../ledger/entitlement.pure.ts';

export type PlanPrice = PlanSize & { priceId: string; key: string; onSale: boolean };

/** A subscription as the database has it, with its newest state's place in the timeline. */
export type StoredSubscription = {
  stripe_subscription_id: string;
  status: string;
  price_id: string | null;
  state_position: string | null;
};

/** What a change of subscription depends on. `subscription` is the one that lives, else the last. */
export type Account = {
  userId: string;
  subscription: StoredSubscription | null;
  plans: PlanPrice[];
};

/** One round trip. Throws `not_found`. */
export async function readAccount(ctx: Ctx, userId: string): Promise<Account> {
  const [account] = await ctx.db.rows<Omit<Account, 'userId'>>(
    `select (select to_jsonb(s) from subscriptions s where s.user_id = u.id
         order by s.status in ('canceled', 'incomplete_expired'), s.ended_at desc nulls last,
           s.current_period_end desc nulls last, s.stripe_subscription_id limit 1) as subscription,
       (select coalesce(jsonb_agg(jsonb_build_object('priceId', p.price_id, 'key', p.key,
           'interval', p.interval, 'onSale', s.price_id is not null, 'credits', p.credits,
           'grantsMonthly', p.grants_monthly)), '[]')
         from stripe_prices p left join prices_on_sale s using (price_id)
         where p.kind = 'plan') as plans
     from users u where u.id = $1`,
    [userId],
  );
  if (!account) throw new DomainError('not_found', 'There is no such user.');
  return { userId, ...account };
}

export const noSubscription = (
  detail = 'There is no subscription; buy a plan: POST /v1/billing/checkout.',
): DomainError => new DomainError('no_subscription', detail);

/** The stored subscription. Throws `no_subscription`. */
export function subscriptionOf(account: Account): StoredSubscription {
  if (!account.subscription) throw noSubscription();
  return account.subscription;
}
