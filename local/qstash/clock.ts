/** Something to be run at a time of the clock. */
export type Alarm = { due: number; run: () => void; timer: NodeJS.Timeout | undefined };

const longestTimerMs = 2 ** 31 - 1;

/** A clock that runs `scale` times as fast as the wall's, and the alarms set on it. */
export class Clock {
  #scale: number;
  #alarms = new Set<Alarm>();
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
    for (const alarm of this.#alarms) this.#arm(alarm);
  }

  /** Sets an alarm `ms` of this clock from now. */
  after(ms: number, run: () => void): Alarm {
    return this.at(this.now() + ms, run);
  }

  /** Sets an alarm at a reading of this clock. */
  at(due: number, run: () => void): Alarm {
    const alarm: Alarm = { due, run, timer: undefined };
    if (this.#closed) return alarm;
    this.#alarms.add(alarm);
    this.#arm(alarm);
    return alarm;
  }

  cancel(alarm: Alarm | undefined): void {
    if (!alarm) return;
    clearTimeout(alarm.timer);
    this.#alarms.delete(alarm);
  }

  /** Forgets every alarm. */
  close(): void {
    this.#closed = true;
    for (const alarm of this.#alarms) this.cancel(alarm);
  }

  #arm(alarm: Alarm): void {
    clearTimeout(alarm.timer);
    const waitMs = Math.ceil(Math.max(0, alarm.due - this.now()) / this.#scale);
    alarm.timer = setTimeout(
      () => {
        if (this.now() < alarm.due) return this.#arm(alarm);
        this.#alarms.delete(alarm);
        alarm.run();
      },
      Math.min(longestTimerMs, waitMs),
    );
  }
}
