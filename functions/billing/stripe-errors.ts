import Stripe from 'stripe';
import { DomainError } from '../errors.ts';

/**
 * What a failed Stripe call means for a person: come again, or it cannot be. Stripe's own words stay
 * in `cause`; they may name what is not the caller's business.
 */
export function fromStripe(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError)) return error;
  const passing =
    error instanceof Stripe.errors.StripeConnectionError ||
    error instanceof Stripe.errors.StripeRateLimitError ||
    (error.statusCode ?? 500) >= 500;
  if (passing)
    return new DomainError(
      'payment_provider_unavailable',
      'The payment provider does not answer; nothing was charged. Try again shortly.',
      { retryAfterSeconds: 10, cause: error },
    );
  return new DomainError(
    'payment_provider_refused',
    'The payment provider refused the request; nothing was charged.',
    { cause: error },
  );
}
