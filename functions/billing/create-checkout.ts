import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import type { CheckoutSettings } from '../env.ts';
import { DomainError } from '../errors.ts';
import { withCustomer } from './customer.ts';
import { expireOtherCheckouts } from './expire-checkouts.ts';
import { idempotentCall, idempotencyKeyOf } from './idempotency.ts';
import { allowedRedirect } from './redirects.pure.ts';
import { withStripe } from '../clients/stripe-errors.ts';

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
  /** Every subscription there was, for telling one purchase from the next. */
  subscriptions: string | null;
};

/** Everything that the sale depends on, in one round trip. */
async function readFacts(ctx: Ctx, userId: string, kind: string, key: string): Promise<Facts> {
  const [facts] = await ctx.db.rows<Facts>(
    `select u.email, u.stripe_customer_id,
       exists (select 1 from subscriptions s where s.user_id = u.id
         and s.status in ('active', 'trialing', 'past_due', 'unpaid', 'paused')) as has_subscription,
       (select string_agg(s.stripe_subscription_id || s.status, ',' order by s.stripe_subscription_id)
         from subscriptions s where s.user_id = u.id) as subscriptions,
       (select p.price_id from prices_on_sale p where p.kind = $2 and p.key = $3) as price_id
     from users u where u.id = $1`,
    [userId, kind, key],
  );
  if (!facts) throw new DomainError('not_found', 'There is no such user.');
  return facts;
}

const subscriptionExists = (): DomainError =>
  new DomainError('subscription_exists', 'Change the plan instead: PUT /v1/billing/subscription.');

/**
 * Opens the session, once per caller's key. Without one, a plan's is found again until something was
 * bought, so that two clicks cannot pay for two subscriptions; each order of packs is its own.
 */
async function openSession(
  ctx: Ctx,
  input: CheckoutInput,
  facts: Facts,
  params: Stripe.Checkout.SessionCreateParams,
): Promise<Stripe.Checkout.Session> {
  const { sessions } = ctx.stripe.checkout;
  const order = 'plan' in input.item ? facts.subscriptions : crypto.randomUUID();
  const key = await idempotencyKeyOf(`checkout:${params.customer}`, input.userId, {
    callersKey: input.idempotencyKey,
    state: [JSON.stringify(params), order],
    now: ctx.now(),
  });
  if (input.idempotencyKey !== undefined) return sessions.create(params, { idempotencyKey: key });
  const { now } = await idempotentCall<Stripe.Checkout.Session>({
    key,
    isCallers: false,
    act: (options) => sessions.create(params, options),
    read: ({ id }) => sessions.retrieve(id),
    isDone: ({ status }) => status !== 'expired',
  });
  // Paid a moment ago: only its webhook is still on the way.
  if (now.status === 'complete' && 'plan' in input.item) throw subscriptionExists();
  return now;
}

/** Opens the session; one for a subscription takes the place of those that are open. */
async function openOnlySession(
  ctx: Ctx,
  input: CheckoutInput,
  facts: Facts,
  params: Stripe.Checkout.SessionCreateParams,
): Promise<Stripe.Checkout.Session> {
  const page = await openSession(ctx, input, facts, params);
  if (!('plan' in input.item)) return page;
  const checkout = { userId: input.userId, page, known: facts.subscriptions ?? '' };
  if (!(await expireOtherCheckouts(ctx, checkout))) throw subscriptionExists();
  return page;
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
  if ('plan' in input.item && facts.has_subscription) throw subscriptionExists();

  const buyer = { userId: input.userId, email: facts.email, customerId: facts.stripe_customer_id };
  const params = {
    ...saleParams(input, facts.price_id),
    ...settingParams(ctx.config.checkout),
    client_reference_id: input.userId,
    success_url: successUrl,
    cancel_url: cancelUrl,
  };
  const session = await withStripe(() =>
    withCustomer(ctx, buyer, (customer) =>
      openOnlySession(ctx, input, facts, { ...params, customer }),
    ),
  );
  if (!session.url) throw new DomainError('payment_provider_refused', 'No payment page was made.');
  return { id: session.id, url: session.url };
}

/**
 * Tax, tax ids and promotion codes as they are set. Of a customer that exists Stripe wants to be allowed to keep
 * the address by which it taxes, and the name that belongs to a tax id.
 * Source: docs.stripe.com/tax/checkout/tax-ids#existing-customers
 */
function settingParams({
  automaticTax,
  taxIdCollection,
  promotionCodes,
}: CheckoutSettings): Partial<Stripe.Checkout.SessionCreateParams> {
  const isTaxed = automaticTax || taxIdCollection;
  return {
    ...(automaticTax && { automatic_tax: { enabled: true } }),
    ...(taxIdCollection && { tax_id_collection: { enabled: true } }),
    ...(promotionCodes && { allow_promotion_codes: true }),
    ...(isTaxed && {
      customer_update: { address: 'auto', ...(taxIdCollection && { name: 'auto' }) },
    }),
  };
}

function saleParams(input: CheckoutInput, priceId: string): Stripe.Checkout.SessionCreateParams {
  const user = { user_id: input.userId };
  if ('plan' in input.item)
    return {
      mode: 'subscription',
      line_items: [{ price: priceId, quantity: 1 }],
      metadata: { ...user, plan: input.item.plan },
      // Flexible credits what was billed, discounts and all; classic goes by the present price, even
      // of a plan that came without an invoice. Pinned: the default depends on the API version.
      subscription_data: { metadata: user, billing_mode: { type: 'flexible' } },
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
