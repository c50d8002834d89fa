import Stripe from 'stripe';
import { DomainError } from '../errors.ts';

/** Stripe refuses a call because of this parameter. */
export const isAbout = (error: unknown, param: string): error is Stripe.errors.StripeError =>
  error instanceof Stripe.errors.StripeInvalidRequestError && error.param === param;

/** Stripe does not have the object that is asked for. */
export const isUnknown = (error: unknown): error is Stripe.errors.StripeError =>
  error instanceof Stripe.errors.StripeError && error.code === 'resource_missing';

/** Stripe does not have (any more) what a parameter names. */
export const isMissing = (error: unknown, param: string): boolean =>
  isAbout(error, param) && isUnknown(error);

/** How long Stripe asks to wait, within an hour. */
function retryAfterOf(error: Stripe.errors.StripeError): number {
  const seconds = Number(error.headers?.['retry-after']);
  return Number.isInteger(seconds) && seconds > 0 ? Math.min(seconds, 3600) : 10;
}

const unavailable = (error: Stripe.errors.StripeError): DomainError =>
  new DomainError(
    'payment_provider_unavailable',
    'The payment provider does not answer. Try again shortly: nothing is done twice.',
    { retryAfterSeconds: retryAfterOf(error), cause: error },
  );

/** A payment that the bank or the card refused; `invoiceUrl` is where it can still be made. */
export const paymentFailed = (invoiceUrl: string | null, cause?: unknown): DomainError =>
  new DomainError(
    'payment_failed',
    invoiceUrl === null
      ? 'The payment was declined, and nothing has changed. Use another payment method.'
      : 'The payment was not made, so the plan has not changed. Pay at `invoiceUrl`, or use another payment method and ask again.',
    { extra: { invoiceUrl }, cause },
  );

/**
 * What a failed Stripe call means for a person: come again, pay otherwise, or it cannot be. Stripe's
 * own words stay in `cause`; they may name what is not the caller's business.
 */
export function fromStripe(error: unknown): unknown {
  const { errors } = Stripe;
  if (!(error instanceof errors.StripeError)) return error;
  const status = error.statusCode ?? 500;
  const isPassing =
    error instanceof errors.StripeConnectionError ||
    error instanceof errors.StripeRateLimitError ||
    // 409: an earlier call under the same key has not ended yet.
    status === 409 ||
    status >= 500;
  if (isPassing) return unavailable(error);
  if (error instanceof errors.StripeIdempotencyError)
    return new DomainError(
      'idempotency_key_reused',
      'This Idempotency-Key came with another request before.',
      { cause: error },
    );
  if (error instanceof errors.StripeCardError) return paymentFailed(null, error);
  return new DomainError('payment_provider_refused', 'The payment provider refused the request.', {
    cause: error,
  });
}

/** Runs calls to Stripe; what goes wrong comes out in our words. */
export async function withStripe<T>(calls: () => Promise<T>): Promise<T> {
  try {
    return await calls();
  } catch (error) {
    throw fromStripe(error);
  }
}
