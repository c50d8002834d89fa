import type { RateLimiterOptions } from './rate-limiter.ts';
import type { SetPace } from './rate-store.ts';

const firstBackoffMs = 100;
const longestBackoffMs = 8000;

/**
 * What an invocation knows by itself: refusals of its own calls, and, where Redis does not answer, its
 * share of the pace that is set or told by headers. Others are alone as well.
 */
export function createOwnPace(
  { now, parallelInvocations }: Pick<RateLimiterOptions, 'now' | 'parallelInvocations'>,
  set: SetPace,
) {
  let { every, everyToken } = set;
  let [closedAt, closedUntil, refusals] = [0, 0, 0];
  let freeAt: number | undefined;
  const spacingMs = (tokens: number) =>
    (Math.max(every, everyToken * tokens) / 1000) * parallelInvocations;
  return {
    closedMs: (): number => Math.max(0, closedUntil - now()),
    /** Whether calls made at that moment (ms) were made before the last refusal was known. */
    isBeforeRefusal: (sentAt: number): boolean => sentAt <= closedAt,
    /** → for how long (ms) this invocation makes no calls. */
    refused: (retryAfterMs: number | undefined): number => {
      const backoffMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(refusals, 10));
      refusals += 1;
      closedAt = now();
      closedUntil = Math.max(closedUntil, closedAt + (retryAfterMs || backoffMs));
      return closedUntil - closedAt;
    },
    succeeded: (): void => {
      refusals = 0;
    },
    /** µs for a call and for a token, as headers tell them; 0: not told. */
    learn: (told: SetPace): void => {
      every = Math.max(set.every, told.every);
      everyToken = Math.max(set.everyToken, told.everyToken);
    },
    /** ms until the next turn, which is taken if it is no later than `longestMs`. */
    take: (tokens: number, longestMs: number): number => {
      // They must not all begin at once.
      freeAt ??= now() + Math.random() * spacingMs(tokens);
      const at = Math.max(now(), freeAt, closedUntil);
      if (at - now() <= longestMs) freeAt = at + spacingMs(tokens);
      return at - now();
    },
    callsPerMinute: (): number | undefined => (every > 0 ? 60_000_000 / every : undefined),
  };
}

export type OwnPace = ReturnType<typeof createOwnPace>;
