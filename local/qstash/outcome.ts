import { askedWait } from './duration.ts';
import { maxRetriesOf, type Message } from './message.ts';
import type { Reply } from './sender.ts';

/** What becomes of a message after an attempt. */
type Outcome = { kind: 'delivered' } | { kind: 'failed' } | { kind: 'retry'; waitMs: number };

const daySeconds = 86_400;

/** `min(86400, e^(2.5 n))` seconds before the n-th retry: 12 s, 2 m 28 s, 30 m 8 s, 6 h 7 m, 24 h … */
export const defaultWaitMs = (retry: number): number =>
  Math.min(daySeconds, Math.exp(2.5 * retry)) * 1_000;

function retryWaitMs(message: Message, reply: Reply, now: number): number {
  const asked = 'header' in reply ? askedWait(reply.header, now) : undefined;
  if (asked !== undefined) return asked;
  // `retried` is 0 for the first retry.
  const custom = message.settings.retryDelay?.evaluate(message.retried);
  if (custom === undefined || Number.isNaN(custom)) return defaultWaitMs(message.retried + 1);
  return Math.min(Math.max(0, custom), daySeconds * 1_000);
}

/**
 * Any 2xx is success; 489 with `Upstash-NonRetryable-Error: true` fails at once; the rest is tried
 * again while retries are left. https://upstash.com/docs/qstash/features/retry
 */
export function decide(message: Message, reply: Reply, now: number): Outcome {
  if ('status' in reply) {
    if (reply.status >= 200 && reply.status < 300) return { kind: 'delivered' };
    const refused = reply.header['Upstash-Nonretryable-Error']?.[0]?.toLowerCase() === 'true';
    if (reply.status === 489 && refused) return { kind: 'failed' };
  }
  if (message.retried >= maxRetriesOf(message)) return { kind: 'failed' };
  return { kind: 'retry', waitMs: retryWaitMs(message, reply, now) };
}
