import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { withCustomer } from './customer.ts';
import { isAbout, withStripe } from '../clients/stripe-errors.ts';

/** The configuration that `stripe:setup` made, by client: an isolate asks once. */
const found = new WeakMap<Stripe, string>();

async function configurationOf(stripe: Stripe): Promise<string | undefined> {
  const known = found.get(stripe);
  if (known !== undefined) return known;
  const list = await stripe.billingPortal.configurations.list({ active: true, limit: 100 });
  const ours = list.data.find(({ metadata }) => metadata?.['rowloom'] === 'portal');
  if (ours) found.set(stripe, ours.id);
  return ours?.id;
}

/** A portal session; a remembered configuration that is gone is looked up once more. */
async function createSession(
  stripe: Stripe,
  params: { customer: string; return_url: string },
): Promise<Stripe.BillingPortal.Session> {
  const open = async () => {
    const configuration = await configurationOf(stripe);
    return stripe.billingPortal.sessions.create({
      ...params,
      ...(configuration !== undefined && { configuration }),
    });
  };
  try {
    return await open();
  } catch (error) {
    if (!isAbout(error, 'configuration') || !found.delete(stripe)) throw error;
    return open();
  }
}

/**
 * Opens Stripe's customer portal. It only opens a page, which is short-lived: every call gets its own.
 * Without a configuration of ours Stripe takes the account's default.
 * Source: docs.stripe.com/api/customer_portal/sessions/create
 */
export async function openPortal(ctx: Ctx, input: { userId: string }): Promise<{ url: string }> {
  const [user] = await ctx.db.rows<{ email: string | null; stripe_customer_id: string | null }>(
    'select email, stripe_customer_id from users where id = $1',
    [input.userId],
  );
  if (!user) throw new DomainError('not_found', 'There is no such user.');
  const buyer = { userId: input.userId, email: user.email, customerId: user.stripe_customer_id };
  return withStripe(async () => {
    const { url } = await withCustomer(ctx, buyer, (customer) =>
      createSession(ctx.stripe, { customer, return_url: ctx.config.appUrl }),
    );
    return { url };
  });
}
