import Stripe from 'stripe';

/** A Stripe that answers, and has none of the objects that it is asked for. */
export const absentStripe = (): Stripe =>
  new Stripe('sk_test_nobody', {
    maxNetworkRetries: 0,
    httpClient: Stripe.createFetchHttpClient(() =>
      Promise.resolve(
        Response.json(
          { error: { type: 'invalid_request_error', code: 'resource_missing', message: 'None.' } },
          { status: 404 },
        ),
      ),
    ),
  });
