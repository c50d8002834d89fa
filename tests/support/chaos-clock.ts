import { performance } from 'node:perf_hooks';
import { vi } from 'vitest';

/**
 * Time that runs `speed` times as fast, for timers and `now` alike: pauses of seconds between tries
 * take milliseconds, in the same order. Postgres keeps its own time. `vi.unstubAllGlobals` ends it.
 */
export function quickClock(speed: number): () => Date {
  const slow = globalThis.setTimeout;
  const quick: (...args: Parameters<typeof slow>) => NodeJS.Timeout = (work, ms = 0, ...args) =>
    slow(work, ms / speed, ...args);
  vi.stubGlobal('setTimeout', quick);
  const begin = Date.now() - performance.now() * speed;
  return () => new Date(begin + performance.now() * speed);
}
