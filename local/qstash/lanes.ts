import type { Clock } from './clock.ts';
import type { Message } from './message.ts';
import type { Limits } from './settings.ts';

const secondMs = 1_000;
const keptLanes = 10_000;

/** The messages of one flow-control key (or of none) that are due, in order of becoming due. */
class Lane {
  readonly key: string;
  limits: Limits = {};
  pinnedParallelism = false;
  pinnedRate = false;
  paused = false;
  active = 0;
  /** Waiting messages, without those cancelled in the queue. */
  waiting = 0;
  /** Clock reading and wall time at which the present rate period began, and the starts in it. */
  periodStart = Number.NEGATIVE_INFINITY;
  periodStartedAt = 0;
  started = 0;
  wakeSet = false;
  #queue: Message[] = [];
  #head = 0;

  constructor(key: string) {
    this.key = key;
  }

  get periodMs(): number {
    return this.limits.periodMs ?? secondMs;
  }

  get idle(): boolean {
    const held = this.paused || this.pinnedParallelism || this.pinnedRate;
    return this.waiting === 0 && this.active === 0 && !held;
  }

  push(message: Message): void {
    this.#queue.push(message);
    this.waiting += 1;
  }

  /** The next message that still waits; cancelled ones are dropped on the way. */
  shift(): Message | undefined {
    while (this.#head < this.#queue.length) {
      const message = this.#queue[this.#head++];
      if (this.#head > 1_000 && this.#head * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (message?.state === 'waiting') {
        this.waiting -= 1;
        return message;
      }
    }
    return undefined;
  }

  /** Takes the limits of a message just published, but for what is pinned. */
  configure(limits: Limits): void {
    const { parallelism, rate, periodMs } = limits;
    this.limits = {
      parallelism: this.pinnedParallelism ? this.limits.parallelism : parallelism,
      rate: this.pinnedRate ? this.limits.rate : rate,
      periodMs: this.pinnedRate ? this.limits.periodMs : periodMs,
    };
  }
}

/**
 * Flow control: lanes by key, served in turn, under one global ceiling. Parallelism counts
 * deliveries in flight; rate counts starts in a fixed period that opens with its first start.
 */
export class Lanes {
  readonly max: number;
  active = 0;
  #clock: Clock;
  #wake: () => void;
  #lanes = new Map<string, Lane>();
  #runnable = new Set<Lane>();

  /** `wake` is called when a rate period ends with messages waiting. */
  constructor(clock: Clock, max: number, wake: () => void) {
    this.#clock = clock;
    this.max = max;
    this.#wake = wake;
  }

  /** A key's lane, if it is known; the lane of no key is ''. */
  get(key: string): Lane | undefined {
    return this.#lanes.get(key);
  }

  list(): Lane[] {
    return [...this.#lanes.values()].filter((lane) => lane.key !== '');
  }

  lane(key: string): Lane {
    const known = this.#lanes.get(key);
    if (known) return known;
    if (this.#lanes.size >= keptLanes) this.#forgetIdle();
    const lane = new Lane(key);
    this.#lanes.set(key, lane);
    return lane;
  }

  push(message: Message): void {
    const lane = this.lane(message.settings.flowKey ?? '');
    lane.push(message);
    this.refresh(lane);
  }

  /** Takes the next message that may start now and counts it in flight. */
  next(): Message | undefined {
    while (this.active < this.max) {
      const [lane] = this.#runnable;
      if (!lane) return undefined;
      this.#runnable.delete(lane);
      const message = this.#mayStart(lane) ? lane.shift() : undefined;
      if (message) {
        this.active += 1;
        lane.active += 1;
        lane.started += 1;
      }
      // Back at the end of the row: the keys take turns.
      this.refresh(lane);
      if (message) return message;
    }
    return undefined;
  }

  /** Counts a delivery out of flight. */
  done(message: Message): void {
    const lane = this.lane(message.settings.flowKey ?? '');
    this.active -= 1;
    lane.active -= 1;
    this.refresh(lane);
  }

  /** A waiting message was cancelled. */
  dropWaiting(message: Message): void {
    this.lane(message.settings.flowKey ?? '').waiting -= 1;
  }

  /** To be called whenever something changed that decides whether a lane may start a message. */
  refresh(lane: Lane): void {
    if (lane.waiting > 0 && this.#mayStart(lane)) this.#runnable.add(lane);
    else this.#runnable.delete(lane);
  }

  #mayStart(lane: Lane): boolean {
    const { parallelism, rate } = lane.limits;
    if (lane.paused) return false;
    if (parallelism !== undefined && lane.active >= parallelism) return false;
    if (rate === undefined) return true;
    const now = this.#clock.now();
    if (now >= lane.periodStart + lane.periodMs) {
      lane.periodStart = now;
      lane.periodStartedAt = Date.now();
      lane.started = 0;
    }
    if (lane.started < rate) return true;
    this.#wakeAtPeriodEnd(lane);
    return false;
  }

  #wakeAtPeriodEnd(lane: Lane): void {
    if (lane.wakeSet) return;
    lane.wakeSet = true;
    this.#clock.at(lane.periodStart + lane.periodMs, () => {
      lane.wakeSet = false;
      this.refresh(lane);
      this.#wake();
    });
  }

  #forgetIdle(): void {
    for (const [key, lane] of this.#lanes) if (lane.idle && !lane.wakeSet) this.#lanes.delete(key);
  }
}

export type { Lane };
