import { createHmac } from 'node:crypto';

/**
 * The `Stripe-Signature` header of a payload: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.payload">`.
 * Source: https://docs.stripe.com/webhooks/signature
 */
export function signPayload(payload: string, secret: string, timestampSeconds: number): string {
  const signature = createHmac('sha256', secret)
    .update(`${timestampSeconds}.${payload}`)
    .digest('hex');
  return `t=${timestampSeconds},v1=${signature}`;
}
