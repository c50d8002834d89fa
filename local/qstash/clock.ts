/** Something to be run at a time of the clock; `run` is taken away when it is cancelled. */
export type Alarm = { due: number; order: number; run: (() => void) | undefined };

const longestTimerMs = 2 ** 31 - 1;
const before = (a: Alarm, b: Alarm): boolean =>
  a.due < b.due || (a.due === b.due && a.order < b.order);

/**
 * A clock that runs `scale` times as fast as the wall's, and the alarms set on it: one timer over a
 * binary heap, so that ten thousand delayed messages cost no more than one.
 */
export class Clock {
  #scale: number;
  #order = 0;
  #heap: Alarm[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  // Wall and clock readings at the last change of scale.
  #wallBase = performance.now();
  #base = 0;

  constructor(scale: number) {
    this.#scale = scale;
  }

  get scale(): number {
    return this.#scale;
  }

  /** Milliseconds since the start, as this clock counts them. */
  now(): number {
    return this.#base + (performance.now() - this.#wallBase) * this.#scale;
  }

  /** Changes the speed; what is left of every wait runs at the new one. */
  setScale(scale: number): void {
    this.#base = this.now();
    this.#wallBase = performance.now();
    this.#scale = scale;
    this.#arm();
  }

  /** Sets an alarm `ms` of this clock from now. */
  after(ms: number, run: () => void): Alarm {
    return this.at(this.now() + ms, run);
  }

  /** Sets an alarm at a reading of this clock. */
  at(due: number, run: () => void): Alarm {
    const alarm = { due, order: this.#order++, run };
    this.#push(alarm);
    if (this.#heap[0] === alarm) this.#arm();
    return alarm;
  }

  /** Stops the one timer and forgets every alarm. */
  close(): void {
    this.#closed = true;
    this.#heap = [];
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const first = this.#heap[0];
    if (!first || this.#closed) return;
    const waitMs = Math.max(0, (first.due - this.now()) / this.#scale);
    this.#timer = setTimeout(() => this.#ring(), Math.min(longestTimerMs, Math.ceil(waitMs)));
  }

  #ring(): void {
    const now = this.now();
    while (this.#heap[0] && this.#heap[0].due <= now) {
      const alarm = this.#pop();
      alarm?.run?.();
    }
    this.#arm();
  }

  #push(alarm: Alarm): void {
    const heap = this.#heap;
    let at = heap.push(alarm) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (!parent || !before(alarm, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = alarm;
  }

  #pop(): Alarm | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      const left = heap[below];
      const right = heap[below + 1];
      if (!left) break;
      if (right && before(right, left)) below += 1;
      const child = heap[below];
      if (!child || !before(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
    return top;
  }
}
