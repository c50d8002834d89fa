import Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { applyEvent, type Received } from './apply-event.ts';
import { readPayload, type Payload } from './payload.pure.ts';
import { readEvent } from './read-event.pure.ts';

/** How old a signed delivery may be. Stripe's own libraries allow the same. */
const toleranceSeconds = 300;

const cryptoProvider = Stripe.createSubtleCryptoProvider();

/** @throws DomainError `invalid_signature` */
async function verify(ctx: Ctx, body: string, signature: string): Promise<void> {
  const { signature: verifier } = ctx.stripe.webhooks;
  if (!verifier) throw new Error('The SDK verifies no signatures here.');
  const { webhookSecret } = ctx.config.stripe;
  try {
    await verifier.verifyHeaderAsync(
      body,
      signature,
      webhookSecret,
      toleranceSeconds,
      cryptoProvider,
    );
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError)
      throw new DomainError('invalid_signature', 'Stripe-Signature is missing, wrong or too old.');
    throw error;
  }
}

/** @throws DomainError `invalid_payload` */
function parse(body: string): Payload {
  try {
    return readPayload(body);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new DomainError('invalid_payload', 'The body is not JSON.');
    throw error;
  }
}

/**
 * One delivery of Stripe's: verified, read, then stored with what it comes to, whatever stands in it. The
 * SDK's own reading would refuse what it does not know (thin events). Throws `invalid_signature` or
 * `invalid_payload` and stores nothing; throws `service_unavailable` when it could not be stored, so that
 * Stripe sends it again.
 * Source: docs.stripe.com/webhooks
 */
export async function receiveStripeEvent(
  ctx: Ctx,
  input: { body: string; signature: string | undefined },
): Promise<Received> {
  await verify(ctx, input.body, input.signature ?? '');
  const { json, text } = parse(input.body);
  const event = readEvent(json, Math.floor(ctx.now().getTime() / 1000));
  if (!event) throw new DomainError('invalid_payload', 'The body has no id or no type.');
  return applyEvent(ctx, event, text);
}
