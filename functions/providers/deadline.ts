import { RowPostponed } from './errors.pure.ts';

/** Near its limit an invocation commits what it has: it begins no row after `startMs` and ends by `stopMs`. */
const startMs = 20_000;
/** In-flight requests get 30 s when the runtime is updated; the commit needs some of it. */
const stopMs = 27_000;
/** While rows only await their turn an invocation goes on for so long: it costs nothing to wait. */
const heldMs = 90_000;

export type Limits = { startMs: number; stopMs: number; heldMs?: number };

export type Deadline = {
  /** ms since 1970: after this no row begins, and nothing waits for a turn. It may move on. */
  readonly startUntil: number;
  /** ms since 1970: what is not finished is given up. */
  readonly stopAt: number;
  /** Aborted at `stopAt`, or when the job is cancelled. */
  signal: AbortSignal;
  /** Whether no call is begun any more, while those under way are finished: the job was paused. */
  readonly isHalted?: boolean;
};

/** The time of one invocation, and the two ways in which it ends. */
export type RunningDeadline = Deadline & {
  /** Gives everything up now: the job was cancelled. */
  stop: () => void;
  /** Lets calls that are under way end, and none begin: the job was paused. */
  halt: () => void;
  /** Rows await their turn at a provider: there is more time, as long as what is there is committed now and then. */
  hold: () => void;
  /** Whether it is on hold and `work` goes on after another `startMs`. */
  isToCommit: (work: Promise<unknown>) => Promise<boolean>;
  /** Ends the timers; to be called when the work is done. */
  clear: () => void;
};

export function createDeadline(
  beganMs: number,
  { startMs: start, stopMs: stop, heldMs: held = heldMs }: Limits = { startMs, stopMs },
): RunningDeadline {
  const abort = new AbortController();
  const stopNow = (): void => abort.abort();
  let timer = setTimeout(stopNow, stop);
  let extraMs = 0;
  let isHalted = false;
  return {
    get isHalted() {
      return isHalted;
    },
    halt: () => {
      isHalted = true;
    },
    get startUntil() {
      return beganMs + start + extraMs;
    },
    get stopAt() {
      return beganMs + stop + extraMs;
    },
    signal: abort.signal,
    stop: stopNow,
    hold: () => {
      if (extraMs > 0) return;
      extraMs = Math.max(0, held - start);
      clearTimeout(timer);
      timer = setTimeout(stopNow, stop + extraMs);
    },
    isToCommit: async (work) => {
      for (;;) {
        let due: ReturnType<typeof setTimeout> | undefined;
        const later = new Promise<boolean>((resolve) => {
          due = setTimeout(() => resolve(true), start);
        });
        const goesOn = await Promise.race([work.then(() => false), later]).finally(() =>
          clearTimeout(due),
        );
        if (!goesOn || extraMs > 0) return goesOn;
      }
    },
    clear: () => clearTimeout(timer),
  };
}

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
