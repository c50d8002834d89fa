import type Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { allowedRedirect } from './redirects.pure.ts';
import { fromStripe } from './stripe-errors.ts';

export type CheckoutInput = {
  userId: string;
  /** What is bought: one plan, or a number of packs. */
  item: { plan: string } | { pack: string; quantity: number };
  successUrl?: string | undefined;
  cancelUrl?: string | undefined;
  /** The caller's idempotency key: the same key gives the same session. */
  idempotencyKey?: string | undefined;
};

type Facts = {
  email: string | null;
  stripe_customer_id: string | null;
  has_subscription: boolean;
  price_id: string | null;
};

/** Everything that the sale depends on, in one round trip. */
async function readFacts(ctx: Ctx, userId: string, kind: string, key: string): Promise<Facts> {
  const [facts] = await ctx.db.rows<Facts>(
    `select u.email, u.stripe_customer_id,
       exists (select 1 from subscriptions s where s.user_id = u.id
         and s.status in ('active', 'trialing', 'past_due', 'unpaid', 'paused')) as has_subscription,
       (select p.price_id from stripe_prices p where p.kind = $2 and p.key = $3 and p.active) as price_id
     from users u where u.id = $1`,
    [userId, kind, key],
  );
  if (!facts) throw new DomainError('not_found', 'There is no such user.');
  return facts;
}

/** One Stripe customer a user, however many calls race: Stripe's idempotency key decides, then the database. */
async function ensureCustomer(ctx: Ctx, userId: string, facts: Facts): Promise<string> {
  if (facts.stripe_customer_id) return facts.stripe_customer_id;
  const customer = await ctx.stripe.customers.create(
    { metadata: { user_id: userId }, ...(facts.email !== null && { email: facts.email }) },
    { idempotencyKey: `customer:${userId}:${facts.email ?? ''}` },
  );
  const [row] = await ctx.db.rows<{ id: string }>(
    `update users set stripe_customer_id = coalesce(stripe_customer_id, $2) where id = $1
     returning stripe_customer_id as id`,
    [userId, customer.id],
  );
  return row?.id ?? customer.id;
}

/**
 * Opens a Stripe Checkout session. It carries the user in `client_reference_id`, in its metadata and,
 * for a subscription, in the subscription's metadata, since `invoice.paid` may come first.
 * Source: docs.stripe.com/api/checkout/sessions/create
 */
export async function createCheckout(
  ctx: Ctx,
  input: CheckoutInput,
): Promise<{ id: string; url: string }> {
  const { appUrl, allowedOrigins } = ctx.config;
  const origins = [...allowedOrigins, new URL(appUrl).origin];
  const successUrl = allowedRedirect(
    input.successUrl,
    `${appUrl}/billing/success?session_id={CHECKOUT_SESSION_ID}`,
    origins,
  );
  const cancelUrl = allowedRedirect(input.cancelUrl, `${appUrl}/billing`, origins);

  const sale =
    'plan' in input.item
      ? { kind: 'plan', key: input.item.plan }
      : { kind: 'pack', key: input.item.pack };
  const facts = await readFacts(ctx, input.userId, sale.kind, sale.key);
  if (facts.price_id === null)
    throw new DomainError(
      'plan' in input.item ? 'unknown_plan' : 'unknown_pack',
      `There is no such ${sale.kind}; GET /v1/billing/plans lists what there is.`,
    );
  if ('plan' in input.item && facts.has_subscription)
    throw new DomainError(
      'subscription_exists',
      'Change the plan instead: PUT /v1/billing/subscription.',
    );

  try {
    const customer = await ensureCustomer(ctx, input.userId, facts);
    const session = await ctx.stripe.checkout.sessions.create(
      {
        ...saleParams(input, facts.price_id),
        customer,
        client_reference_id: input.userId,
        success_url: successUrl,
        cancel_url: cancelUrl,
      },
      { idempotencyKey: `checkout:${input.userId}:${input.idempotencyKey ?? crypto.randomUUID()}` },
    );
    if (!session.url)
      throw new DomainError('payment_provider_refused', 'No payment page was made.');
    return { id: session.id, url: session.url };
  } catch (error) {
    throw fromStripe(error);
  }
}

function saleParams(input: CheckoutInput, priceId: string): Stripe.Checkout.SessionCreateParams {
  const user = { user_id: input.userId };
  if ('plan' in input.item)
    return {
      mode: 'subscription',
      line_items: [{ price: priceId, quantity: 1 }],
      metadata: { ...user, plan: input.item.plan },
      subscription_data: { metadata: user },
    };
  const { pack, quantity } = input.item;
  const metadata = { ...user, pack, quantity: String(quantity), price_id: priceId };
  return {
    mode: 'payment',
    line_items: [{ price: priceId, quantity }],
    metadata,
    payment_intent_data: { metadata },
  };
}
