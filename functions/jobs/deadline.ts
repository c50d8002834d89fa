import type { Deadline } from './rows/deadline.ts';

/** Near its limit an invocation commits what it has: it begins no row after `startMs` and ends by `stopMs`. */
const startMs = 20_000;
/** In-flight requests get 30 s when the runtime is updated; the commit needs some of it. */
const stopMs = 27_000;

/** The time of one invocation, and the two ways in which it ends. */
export type RunningDeadline = Deadline & {
  /** Gives everything up now: the job was cancelled. */
  stop: () => void;
  /** Ends the timer; to be called when the work is done. */
  clear: () => void;
};

export function createDeadline(now: number, limits = { startMs, stopMs }): RunningDeadline {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  const timer = setTimeout(stop, limits.stopMs);
  return {
    startUntil: now + limits.startMs,
    stopAt: now + limits.stopMs,
    signal: abort.signal,
    stop,
    clear: () => clearTimeout(timer),
  };
}
