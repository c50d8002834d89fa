import Stripe from 'stripe';
import type { Ctx } from '../context.ts';

type Session = Stripe.Checkout.Session;

/** A payment page lives this long: older ones are not looked at. */
const pageSeconds = 86_400;

/** Expires a page; false if it was paid meanwhile. */
async function expire(ctx: Ctx, { id }: Session): Promise<boolean> {
  const { sessions } = ctx.stripe.checkout;
  try {
    await sessions.expire(id, undefined, { idempotencyKey: `rowloom:expire:${id}` });
    return true;
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
    const { status } = await sessions.retrieve(id);
    if (status === 'open') throw error;
    return status === 'expired';
  }
}

/**
 * Leaves one payment page for a subscription open, the one asked for now. False if another was paid
 * whose subscription the database has not heard of: then this one is expired too. Asked after the
 * page was made, so that of two that race at most one stays.
 * Source: docs.stripe.com/api/checkout/sessions/expire
 */
export async function expireOtherCheckouts(
  ctx: Ctx,
  { userId, page, known }: { userId: string; page: Session; known: string },
): Promise<boolean> {
  const customer = typeof page.customer === 'string' ? page.customer : page.customer?.id;
  if (customer === undefined) return true;
  const { data } = await ctx.stripe.checkout.sessions.list({ customer, limit: 100 });
  const isOpen = ({ status }: Session): boolean => status === 'open';
  // An answer that Stripe only repeated may name a page that a newer one has replaced.
  const present = data.find(({ id }) => id === page.id);
  if (!present || !isOpen(present)) return true;
  const others = data.filter(
    ({ id, mode, metadata, created }) =>
      id !== page.id &&
      mode === 'subscription' &&
      metadata?.['user_id'] === userId &&
      page.created - created < pageSeconds,
  );
  const isUnheardOf = ({ status, subscription: made }: Session): boolean =>
    status === 'complete' &&
    made !== null &&
    !known.includes(typeof made === 'string' ? made : made.id);
  let isFirst = !others.some(isUnheardOf);
  for (const other of others.filter(isOpen)) isFirst = (await expire(ctx, other)) && isFirst;
  if (!isFirst) await expire(ctx, page);
  return isFirst;
}
