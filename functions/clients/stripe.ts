import Stripe from 'stripe';

/** The API version that our code reads and that `stripe:setup` pins the webhook endpoint to. */
export const stripeApiVersion = '2026-10-28.endive';

/** A Stripe client for Workers: fetch, 10 s a call, three tries. `apiBase` names a stand-in. */
export function createStripe(options: { secretKey: string; apiBase?: string | undefined }): Stripe {
  const base = options.apiBase ? new URL(options.apiBase) : undefined;
  return new Stripe(options.secretKey, {
    apiVersion: stripeApiVersion,
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 2,
    timeout: 10_000,
    telemetry: false,
    ...(base && {
      host: base.hostname,
      port: Number(base.port || (base.protocol === 'https:' ? 443 : 80)),
      protocol: base.protocol === 'https:' ? ('https' as const) : ('http' as const),
    }),
  });
}
