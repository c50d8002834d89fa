import Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { applyEvent, type Received } from './apply-event.ts';
import { readEvent } from './read-event.pure.ts';

/** How old a signed delivery may be. Stripe's own libraries allow the same. */
const toleranceSeconds = 300;

const cryptoProvider = Stripe.createSubtleCryptoProvider();

/**
 * One delivery of Stripe's: verified, read, then stored with what it comes to. Throws
 * `invalid_signature` or `invalid_payload` and stores nothing; throws `service_unavailable` when it
 * could not be stored, so that Stripe sends it again.
 * Source: docs.stripe.com/webhooks
 */
export async function receiveStripeEvent(
  ctx: Ctx,
  input: { body: string; signature: string | undefined },
): Promise<Received> {
  let payload: unknown;
  try {
    payload = await ctx.stripe.webhooks.constructEventAsync(
      input.body,
      input.signature ?? '',
      ctx.config.stripe.webhookSecret,
      toleranceSeconds,
      cryptoProvider,
    );
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new DomainError('invalid_payload', 'The body is not JSON.');
    if (error instanceof Stripe.errors.StripeSignatureVerificationError)
      throw new DomainError('invalid_signature', 'Stripe-Signature is missing, wrong or too old.');
    throw error;
  }
  const event = readEvent(payload);
  if (!event) throw new DomainError('invalid_payload', 'The body has no id, type or created.');
  return applyEvent(ctx, event);
}
