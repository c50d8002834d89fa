import type { Clock } from './clock.ts';
import type { Message } from './message.ts';
import type { Limits } from './settings.ts';

const secondMs = 1_000;
const keptKeys = 10_000;

/** One flow-control key (or none: ''), and its messages that are due, in order of becoming due. */
export class FlowControlKey {
  readonly name: string;
  limits: Limits = {};
  pinnedParallelism = false;
  pinnedRate = false;
  paused = false;
  active = 0;
  /** Clock reading and wall time at which the present rate period began, and the starts in it. */
  periodStart = Number.NEGATIVE_INFINITY;
  periodStartedAt = 0;
  started = 0;
  wakeSet = false;
  readonly waiting = new Set<Message>();

  constructor(name: string) {
    this.name = name;
  }

  get periodMs(): number {
    return this.limits.periodMs ?? secondMs;
  }

  get idle(): boolean {
    const held = this.paused || this.pinnedParallelism || this.pinnedRate || this.wakeSet;
    return this.waiting.size === 0 && this.active === 0 && !held;
  }

  /** Takes the limits of a message just published, but for what is pinned. */
  configure({ parallelism, rate, periodMs }: Limits): void {
    this.limits = {
      parallelism: this.pinnedParallelism ? this.limits.parallelism : parallelism,
      rate: this.pinnedRate ? this.limits.rate : rate,
      periodMs: this.pinnedRate ? this.limits.periodMs : periodMs,
    };
  }

  /** Pins limits: messages published from now on do not change them. */
  pin({ parallelism, rate, periodMs }: Limits): void {
    if (parallelism !== undefined) this.limits.parallelism = parallelism;
    if (rate !== undefined) Object.assign(this.limits, { rate, periodMs });
    this.pinnedParallelism ||= parallelism !== undefined;
    this.pinnedRate ||= rate !== undefined;
  }
}

/**
 * Flow control: the keys take turns, under one global ceiling. Parallelism counts deliveries in
 * flight; rate counts starts in a fixed period that opens with its first start.
 */
export class FlowControl {
  readonly max: number;
  active = 0;
  #clock: Clock;
  #wake: () => void;
  #keys = new Map<string, FlowControlKey>();
  #runnable = new Set<FlowControlKey>();

  /** `wake` is called when a rate period ends with messages waiting. */
  constructor(clock: Clock, max: number, wake: () => void) {
    this.#clock = clock;
    this.max = max;
    this.#wake = wake;
  }

  /** A key, if it is known. */
  get(name: string): FlowControlKey | undefined {
    return this.#keys.get(name);
  }

  list(): FlowControlKey[] {
    return [...this.#keys.values()].filter((key) => key.name !== '');
  }

  /** A key, made when it is not known. */
  key(name: string): FlowControlKey {
    const known = this.#keys.get(name);
    if (known) return known;
    if (this.#keys.size >= keptKeys) this.#forgetIdle();
    const key = new FlowControlKey(name);
    this.#keys.set(name, key);
    return key;
  }

  push(message: Message): void {
    const key = this.#of(message);
    key.waiting.add(message);
    this.refresh(key);
  }

  /** Takes the next message that may start now and counts it in flight. */
  next(): Message | undefined {
    while (this.active < this.max) {
      const [key] = this.#runnable;
      if (!key) return undefined;
      this.#runnable.delete(key);
      const [message] = this.#mayStart(key) ? key.waiting : [];
      if (message) {
        key.waiting.delete(message);
        this.active += 1;
        key.active += 1;
        key.started += 1;
      }
      // Back at the end of the row: the keys take turns.
      this.refresh(key);
      if (message) return message;
    }
    return undefined;
  }

  /** Counts a delivery out of flight. */
  done(message: Message): void {
    const key = this.#of(message);
    this.active -= 1;
    key.active -= 1;
    this.refresh(key);
  }

  /** A waiting message was cancelled. */
  dropWaiting(message: Message): void {
    this.#of(message).waiting.delete(message);
  }

  /** To be called whenever something changed that decides whether a key may start a message. */
  refresh(key: FlowControlKey): void {
    if (key.waiting.size > 0 && this.#mayStart(key)) this.#runnable.add(key);
    else this.#runnable.delete(key);
  }

  /** Ends the rate period: the next begins now. */
  startPeriod(key: FlowControlKey): void {
    key.periodStart = this.#clock.now();
    key.periodStartedAt = Date.now();
    key.started = 0;
  }

  #of = (message: Message): FlowControlKey => this.key(message.settings.flowKey ?? '');

  #mayStart(key: FlowControlKey): boolean {
    const { parallelism, rate } = key.limits;
    if (key.paused) return false;
    if (parallelism !== undefined && key.active >= parallelism) return false;
    if (rate === undefined) return true;
    if (this.#clock.now() >= key.periodStart + key.periodMs) this.startPeriod(key);
    if (key.started < rate) return true;
    this.#wakeAtPeriodEnd(key);
    return false;
  }

  #wakeAtPeriodEnd(key: FlowControlKey): void {
    if (key.wakeSet) return;
    key.wakeSet = true;
    this.#clock.at(key.periodStart + key.periodMs, () => {
      key.wakeSet = false;
      this.refresh(key);
      this.#wake();
    });
  }

  #forgetIdle(): void {
    for (const [name, key] of this.#keys) if (key.idle) this.#keys.delete(name);
  }
}
