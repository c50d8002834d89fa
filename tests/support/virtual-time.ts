import { vi } from 'vitest';

type Timer = { at: number; id: number; act: () => void; isGone: boolean };

/**
 * Timers and clocks that jump from one event to the next; promises run to their end in between. For work
 * without real I/O. Put back by `restore`.
 */
export function createVirtualTime(startMs: number) {
  const heap: Timer[] = [];
  const real = { now: performance.now(), setImmediate };
  let [nowMs, ids] = [startMs, 0];
  const before = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.id < b.id);
  const push = (timer: Timer): void => {
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Timer;
      if (before(above, timer)) break;
      heap[at] = above;
      heap[parent] = timer;
      at = parent;
    }
  };
  const pop = (): Timer | undefined => {
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer))
        child += 1;
      if (before(last, heap[child] as Timer)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
    return first;
  };
  const timers = new Map<number, Timer>();
  vi.stubGlobal('setTimeout', (act: () => void, ms = 0) => {
    const timer = { at: nowMs + Math.max(0, ms), id: (ids += 1), act, isGone: false };
    timers.set(timer.id, timer);
    push(timer);
    return timer.id;
  });
  vi.stubGlobal('clearTimeout', (id: number | undefined) => {
    const timer = timers.get(id ?? 0);
    if (timer) timer.isGone = true;
    timers.delete(id ?? 0);
  });
  vi.spyOn(Date, 'now').mockImplementation(() => Math.floor(nowMs));
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs - performance.timeOrigin);
  const settle = () => new Promise<void>((resolve) => real.setImmediate(resolve));
  return {
    now: () => nowMs,
    sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    /** Runs until the work is done, `mostMs` of virtual time at most. */
    run: async <T>(work: Promise<T>, mostMs = 3_600_000): Promise<T> => {
      let isDone = false;
      void Promise.allSettled([work]).then(() => (isDone = true));
      await settle();
      while (!isDone) {
        const timer = pop();
        if (!timer || timer.at > startMs + mostMs) throw new Error('nothing more happens');
        timers.delete(timer.id);
        if (timer.isGone) continue;
        nowMs = timer.at;
        timer.act();
        await settle();
      }
      return work;
    },
    restore: () => {
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    },
  };
}
