import { Ratelimit } from '@upstash/ratelimit';
import type { Redis } from '@upstash/redis';
import { DomainError } from '../errors.ts';

export type RateLimiter = (key: string) => Promise<void>;

/** How long Redis is left alone after it did not answer. */
const pauseMs = 5000;

/** How many keys the substitute remembers; beyond it the oldest are forgotten. */
const substituteKeys = 10_000;

/** A fixed window in this isolate's memory: what holds while Redis does not answer. */
function createSubstitute(perMinute: number, now: () => number): RateLimiter {
  const windows = new Map<string, { start: number; count: number }>();
  return async (key) => {
    const at = now();
    const seen = windows.get(key);
    const window = seen && at - seen.start < 60_000 ? seen : { start: at, count: 0 };
    window.count += 1;
    windows.delete(key);
    windows.set(key, window);
    if (windows.size > substituteKeys) windows.delete(windows.keys().next().value ?? key);
    if (window.count > perMinute) throw limited(window.start + 60_000 - at);
  };
}

const limited = (waitMs: number) =>
  new DomainError('rate_limited', 'Too many requests; wait a moment.', {
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
  });

/**
 * Requests a minute per key, counted in Redis over all isolates; while Redis does not answer, counted
 * in this isolate alone, so that neither the limit nor the service is gone. Throws `rate_limited`.
 */
export function createRateLimiter(options: {
  redis: Redis;
  perMinute: number;
  now?: () => number;
  onUnavailable?: () => void;
}): RateLimiter {
  const now = options.now ?? Date.now;
  const substitute = createSubstitute(options.perMinute, now);
  const limiter = new Ratelimit({
    redis: options.redis,
    limiter: Ratelimit.slidingWindow(options.perMinute, '1 m'),
    prefix: 'rowloom:rate',
    ephemeralCache: new Map(),
    timeout: 0,
  });
  let unavailableUntil = 0;
  return async (key) => {
    if (now() < unavailableUntil) return substitute(key);
    let answer: { success: boolean; reset: number };
    try {
      answer = await limiter.limit(key);
    } catch {
      // Not every request should wait for a Redis that hangs.
      unavailableUntil = now() + pauseMs;
      options.onUnavailable?.();
      return substitute(key);
    }
    if (!answer.success) throw limited(answer.reset - now());
  };
}
