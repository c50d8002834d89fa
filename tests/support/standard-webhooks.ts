import { createHmac, timingSafeEqual } from 'node:crypto';

type Sent = {
  secret: string;
  headers: Record<string, string | string[] | undefined>;
  /** As it came. */
  body: string;
  nowSeconds?: number;
};

const toleranceSeconds = 300;

/**
 * Whether a receiver that keeps to the specification takes it: one of the signatures fits, and the time is near.
 * Source: github.com/standard-webhooks/standard-webhooks, spec 1.0.0, Verifying webhook authenticity
 */
export function verified({ secret, headers, body, nowSeconds = Date.now() / 1000 }: Sent): boolean {
  const header = (name: string) => String(headers[`webhook-${name}`] ?? '');
  const seconds = Number(header('timestamp'));
  if (!(Math.abs(nowSeconds - seconds) <= toleranceSeconds)) return false;
  const expected = createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
    .update(`${header('id')}.${header('timestamp')}.${body}`)
    .digest();
  return header('signature')
    .split(' ')
    .some((signature) => {
      const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64');
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
}
