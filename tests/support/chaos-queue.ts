import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import type { StoryClock } from './chaos-clock.ts';
import type { Fate } from './chaos-plan.ts';
import type { Tally } from './chaos-tally.ts';
import type { Published } from './job-fixture.ts';

type Mail = {
  /** How often it was tried before. */
  retried: number;
  recalled: boolean;
  /** Not before then; ms since 1970. */
  dueMs: number;
};

/** A message on its way to the Worker, or the callback that says that it was given up. */
export type Delivery = Mail &
  (
    | { kind: 'chunk' | 'failure'; message: ChunkMessage; label: string; lane: string }
    | { kind: 'probe'; provider: string }
  );

const retries = 3;
const atOnce = 3;

/** More deliveries than any story needs: something goes round in circles. */
const mostDeliveries = 1500;

const about = { chunk: 'delivery', failure: 'callback', probe: 'probe' };

type Hooks = {
  /** Brings a delivery to the Worker; rejects when the Worker does not say that it is done. */
  bring: (delivery: Delivery, fate: Fate) => Promise<unknown>;
  /** Lets time pass until something is due (ms since 1970); the cron comes with it. */
  passUntil: (ms: number) => Promise<void>;
};

/**
 * QStash as its documents describe it: at least once, in no order, each publication once by its
 * deduplication id, retries, then the failure callback; a paused flow-control key holds back what is not on
 * its way. Each delivery takes the next fate; when there are no more, all arrive. When nothing can be
 * delivered the clock is put forward to what is due next.
 */
export class ChaosQueue {
  /** Deliveries begun. */
  begun = 0;
  /** Flow-control keys that hold their messages back. */
  readonly paused = new Set<string>();
  readonly #fates: Fate[];
  readonly #tally: Tally;
  readonly #clock: StoryClock;
  readonly #hooks: Hooks;
  readonly #known = new Set<string>();
  readonly #flying = new Set<Delivery>();
  #waiting: Delivery[] = [];
  /** Invocations that run, those that sleep included. */
  #busy = 0;
  #changed: () => void = () => undefined;

  constructor(
    fates: Fate[],
    { tally, clock, ...hooks }: Hooks & { tally: Tally; clock: StoryClock },
  ) {
    this.#fates = [...fates];
    this.#tally = tally;
    this.#clock = clock;
    this.#hooks = hooks;
    clock.onSleep = () => this.#changed();
  }

  publish = (messages: Published[]): void => {
    for (const { body, deduplicationId, label, delay = 0, flowControl } of messages) {
      if (this.#known.has(deduplicationId)) {
        this.#tally.count('queue: deduplicated');
        continue;
      }
      this.#known.add(deduplicationId);
      const [message, lane] = [body, flowControl.key];
      this.#push({ kind: 'chunk', message, label, lane, ...this.#fresh(delay) });
    }
  };

  publishProbe = (provider: string, delay: number): void =>
    this.#push({ kind: 'probe', provider, ...this.#fresh(delay) });

  pause = (lane: string): void => {
    this.paused.add(lane);
    this.#tally.count('queue: paused');
  };

  resume = (lane: string): void => {
    if (this.paused.delete(lane)) this.#tally.count('queue: resumed');
    this.#changed();
  };

  /** Takes back what waits; what is under way gets no further try. */
  recall = (label: string): void => {
    const isOf = (delivery: Delivery) => delivery.kind !== 'probe' && delivery.label === label;
    const taken = this.#waiting.filter(isOf);
    this.#waiting = this.#waiting.filter((delivery) => !isOf(delivery));
    for (const delivery of this.#flying) if (isOf(delivery)) delivery.recalled = true;
    this.#tally.count('queue: recalled', taken.length);
  };

  /** From now on everything arrives. */
  calm(): void {
    this.#fates.length = 0;
  }

  /**
   * Delivers, a few at once, until nothing waits but what is held back; `onStep` hears of each before it goes
   * out.
   */
  async run(onStep: (begun: number) => void): Promise<void> {
    for (;;) {
      this.#clock.wakeDue();
      const changed = new Promise<void>((resolve) => (this.#changed = resolve));
      while (this.#busy - this.#clock.sleeping < atOnce && this.#next()) this.#send(onStep);
      if (this.#busy > this.#clock.sleeping || (this.#busy === 0 && this.#flying.size > 0))
        await changed;
      else {
        const nextMs = Math.min(
          this.#clock.nextMs,
          ...this.#deliverable().map(({ dueMs }) => dueMs),
        );
        if (nextMs === Infinity) return;
        await this.#hooks.passUntil(nextMs);
      }
    }
  }

  #fresh = (delaySeconds: number): Mail => ({
    retried: 0,
    recalled: false,
    dueMs: this.#clock.now().getTime() + delaySeconds * 1000,
  });

  #push(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.#changed();
  }

  #deliverable = (): Delivery[] =>
    this.#waiting.filter((one) => one.kind !== 'chunk' || !this.paused.has(one.lane));

  #next(): Delivery | undefined {
    const nowMs = this.#clock.now().getTime();
    return this.#deliverable().find(({ dueMs }) => dueMs <= nowMs);
  }

  #send(onStep: (begun: number) => void): void {
    const next = this.#next();
    if (!next) return;
    this.#waiting = this.#waiting.filter((delivery) => delivery !== next);
    this.begun += 1;
    if (this.begun > mostDeliveries) throw new Error(`More than ${mostDeliveries} deliveries.`);
    onStep(this.begun);
    this.#flying.add(next);
    void this.#deliver(next).finally(() => {
      this.#flying.delete(next);
      this.#changed();
    });
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const fate = this.#fates.shift() ?? { kind: 'arrives' };
    const { kind } = fate;
    this.#tally.count(`${about[delivery.kind]}: ${kind}`);
    if (kind === 'lost') return;
    if (kind === 'last') {
      // Whatever else waits goes first.
      if (this.#waiting.length > 0) return this.#push(delivery);
    }
    if (kind === 'refused') return this.#again(delivery);
    if (kind === 'spent') return this.#again({ ...delivery, retried: retries });
    const copies = kind === 'twice' ? 2 : 1;
    const replies = await Promise.allSettled(
      Array.from({ length: copies }, () => this.#bring(delivery, fate)),
    );
    if (kind === 'again') this.#push({ ...delivery, retried: 0 });
    if (replies[0]?.status === 'rejected' || kind === 'unheard') this.#again(delivery);
  }

  async #bring(delivery: Delivery, fate: Fate): Promise<unknown> {
    this.#busy += 1;
    try {
      return await this.#hooks.bring(delivery, fate);
    } finally {
      this.#busy -= 1;
    }
  }

  #again(delivery: Delivery): void {
    // Probes are published without retries.
    if (delivery.recalled || delivery.kind === 'probe') return;
    if (delivery.retried < retries) {
      this.#push({ ...delivery, retried: delivery.retried + 1 });
    } else if (delivery.kind === 'chunk') {
      this.#tally.count('queue: gave up');
      this.#push({ ...delivery, kind: 'failure', retried: 0 });
    }
  }
}
