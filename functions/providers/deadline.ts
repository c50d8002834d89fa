import { RowPostponed } from './errors.pure.ts';

export type Deadline = {
  /** ms since 1970: after this no row begins, and nothing waits for a turn. */
  startUntil: number;
  /** ms since 1970: what is not finished is given up. */
  stopAt: number;
  /** Aborted at `stopAt`, or when the job is cancelled. */
  signal: AbortSignal;
};

/** Waits; throws `RowPostponed` as soon as the deadline's signal aborts. */
export function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new RowPostponed());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, waitMs);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** Waits for a moment (ms since 1970) if it is to come; one after `startUntil` is `RowPostponed` at once. */
export async function waitUntil(at: number, now: number, deadline: Deadline): Promise<void> {
  if (at <= now) return;
  if (at > deadline.startUntil) throw new RowPostponed(at - now);
  await pause(at - now, deadline.signal);
}

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
