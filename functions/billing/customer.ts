import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import { idempotentCall, idempotencyKeyOf } from './idempotency.ts';
import { isMissing } from '../clients/stripe-errors.ts';

export type Buyer = { userId: string; email: string | null; customerId: string | null };

/**
 * One Stripe customer a user, however many calls race: Stripe's idempotency key decides, then the
 * database, which forgets the one that is `gone`. A repeated answer may be about one that is gone too.
 */
async function makeCustomer(ctx: Ctx, buyer: Buyer, gone: string | null): Promise<string> {
  const { userId, email } = buyer;
  const { customers } = ctx.stripe;
  const params = { metadata: { user_id: userId }, ...(email !== null && { email }) };
  const { now } = await idempotentCall<Stripe.Customer | Stripe.DeletedCustomer>({
    key: await idempotencyKeyOf('customer', userId, {
      callersKey: undefined,
      state: [email],
      now: ctx.now(),
    }),
    isCallers: false,
    act: (options) => customers.create(params, options),
    read: ({ id }) => customers.retrieve(id),
    isDone: ({ deleted }) => deleted !== true,
  });
  const [row] = await ctx.db.rows<{ id: string }>(
    `with linked as (
       update users set stripe_customer_id = coalesce(nullif(stripe_customer_id, $3), $2) where id = $1
         returning id, stripe_customer_id
     )
     select stripe_customer_id as id, rowloom.customer_put(stripe_customer_id, id, false) from linked`,
    [userId, now.id, gone],
  );
  return row?.id ?? now.id;
}

/**
 * Whether a customer only chose the account, and no plan of theirs entitles it: whoever that is, what the account
 * buys itself is paid by a customer of its own, and all that the other paid stands beside it from then on.
 */
async function isSomebodyElses(ctx: Ctx, customerId: string): Promise<boolean> {
  const rows = await ctx.db.rows(
    `select 1 from stripe_customers c where c.customer_id = $1 and c.is_chosen and not exists (
       select 1 from subscriptions s where s.user_id = c.user_id and s.stripe_customer_id = c.customer_id
         and s.status in ('active', 'trialing', 'past_due') and s.paid is not null and not s.taken_back)`,
    [customerId],
  );
  return rows.length > 0;
}

/** Does something with the user's Stripe customer, made on demand; one that is gone is replaced once. */
export async function withCustomer<T>(
  ctx: Ctx,
  buyer: Buyer,
  use: (customerId: string) => Promise<T>,
): Promise<T> {
  const known = buyer.customerId;
  const isOwn = known !== null && !(await isSomebodyElses(ctx, known));
  const customerId = isOwn ? known : await makeCustomer(ctx, buyer, known);
  try {
    return await use(customerId);
  } catch (error) {
    if (!isMissing(error, 'customer')) throw error;
    ctx.log('stripe_customer_gone', { userId: buyer.userId, customerId });
    return use(await makeCustomer(ctx, buyer, customerId));
  }
}
