import Stripe from 'stripe';
import { isUnknown } from '../clients/stripe-errors.ts';
import type { Ctx } from '../context.ts';
import { asObject } from './normalise/json.pure.ts';
import { normaliseSession } from './normalise/session.pure.ts';
import { fail, type Reading } from './reading.pure.ts';
import type { Who } from './whose.pure.ts';

type Named = Exclude<Reading, { skip: string }>;

/**
 * Whether nothing says whose a subscription is but, perhaps, an address: only the session that sold it has what the
 * payer chose before that, and it may be heard of later.
 */
export const isToAsk = (reading: Named, who: Who): boolean =>
  who.userId === null &&
  !who.isPayment &&
  reading.isOurs === true &&
  (reading.identity?.subscriptionId ?? null) !== null;

/** The reading with what the session that sold its subscription says about whose it is, as Stripe has it. */
export async function askSession(ctx: Ctx, reading: Named): Promise<Reading> {
  const { identity } = reading;
  const subscription = identity?.subscriptionId;
  if (!identity || !subscription) return reading;
  try {
    const sessions = await ctx.stripe.checkout.sessions.list({ subscription, limit: 1 });
    const [sold] = sessions.data;
    if (!sold) return reading;
    const { userIds, references, email } = normaliseSession(asObject(sold));
    return {
      ...reading,
      identity: { ...identity, userIds, references, email: email ?? identity.email },
    };
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    const { type } = error;
    if (isUnknown(error)) return reading;
    ctx.log('stripe_not_asked', { subscriptionId: subscription, error: type });
    return fail('stripe_unavailable', 'Stripe did not tell which session sold the subscription.');
  }
}
