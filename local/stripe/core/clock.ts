export const minuteSeconds = 60;
export const hourSeconds = 3600;
export const daySeconds = 86_400;

/** The time of the stand-in: real time plus an offset that tests move forward. */
export class Clock {
  #offsetMs: number;
  #pinned: number | null = null;

  constructor(offsetMs = 0) {
    this.#offsetMs = offsetMs;
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }

  nowMs(): number {
    if (this.#pinned !== null) return this.#pinned * 1000;
    return Date.now() + this.#offsetMs;
  }

  /** Unix seconds, as Stripe writes every time. */
  now(): number {
    return Math.floor(this.nowMs() / 1000);
  }

  /** Runs something as if it happened at a moment in unix seconds. */
  during(seconds: number, run: () => void): void {
    const outer = this.#pinned;
    this.#pinned = seconds;
    try {
      run();
    } finally {
      this.#pinned = outer;
    }
  }

  /** Moves forward to a moment in unix seconds; an earlier one changes nothing. */
  moveTo(seconds: number): void {
    if (!Number.isFinite(seconds)) throw new RangeError(`${seconds} is no moment`);
    this.#offsetMs += Math.max(0, seconds * 1000 - this.nowMs());
  }
}
