import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import type { Fate } from './chaos-plan.ts';
import type { Tally } from './chaos-tally.ts';
import type { Published } from './job-fixture.ts';

/** A message on its way to the Worker, or the callback that says that it was given up. */
export type Delivery = {
  kind: 'chunk' | 'failure';
  message: ChunkMessage;
  label: string;
  /** How often it was tried before. */
  retried: number;
  recalled: boolean;
};

const retries = 3;
const atOnce = 3;

/** More deliveries than any story needs: something goes round in circles. */
const mostDeliveries = 600;

/**
 * QStash as its documents describe it: at least once, in no order, each publication once by its
 * deduplication id, retries, then the failure callback. Each delivery takes the next fate; when
 * there are no more, all arrive.
 */
export class ChaosQueue {
  /** Deliveries begun. */
  begun = 0;
  readonly #fates: Fate[];
  readonly #tally: Tally;
  readonly #known = new Set<string>();
  readonly #flying = new Set<Delivery>();
  #waiting: Delivery[] = [];
  /** Brings a delivery to the Worker; rejects when the Worker does not say that it is done. */
  readonly #bring: (delivery: Delivery, fate: Fate) => Promise<unknown>;

  constructor(
    fates: Fate[],
    tally: Tally,
    bring: (delivery: Delivery, fate: Fate) => Promise<unknown>,
  ) {
    this.#fates = [...fates];
    this.#tally = tally;
    this.#bring = bring;
  }

  publish = (messages: Published[]): void => {
    for (const { body, deduplicationId, label } of messages) {
      if (this.#known.has(deduplicationId)) {
        this.#tally.count('queue: deduplicated');
        continue;
      }
      this.#known.add(deduplicationId);
      this.#push({ kind: 'chunk', message: body, label, retried: 0, recalled: false });
    }
  };

  /** Takes back what waits; what is under way gets no further try. */
  recall = (label: string): void => {
    const taken = this.#waiting.filter((delivery) => delivery.label === label);
    this.#waiting = this.#waiting.filter((delivery) => delivery.label !== label);
    for (const delivery of this.#flying) if (delivery.label === label) delivery.recalled = true;
    this.#tally.count('queue: recalled', taken.length);
  };

  /** From now on everything arrives. */
  calm(): void {
    this.#fates.length = 0;
  }

  /** Delivers, a few at once, until nothing waits; `onStep` hears of each before it goes out. */
  async run(onStep: (begun: number) => void): Promise<void> {
    const deliver = async (): Promise<void> => {
      for (let next = this.#take(onStep); next; next = this.#take(onStep))
        await this.#deliver(next);
    };
    while (this.#waiting.length > 0) await Promise.all(Array.from({ length: atOnce }, deliver));
  }

  #push(delivery: Delivery): void {
    this.#waiting.push(delivery);
  }

  #take(onStep: (begun: number) => void): Delivery | undefined {
    const next = this.#waiting.shift();
    if (!next) return undefined;
    this.begun += 1;
    if (this.begun > mostDeliveries) throw new Error(`More than ${mostDeliveries} deliveries.`);
    onStep(this.begun);
    return next;
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const fate = this.#fates.shift() ?? { kind: 'arrives' };
    const { kind } = fate;
    const about = delivery.kind === 'chunk' ? 'delivery' : 'callback';
    this.#tally.count(`${about}: ${kind}`);
    if (kind === 'lost') return;
    if (kind === 'last') {
      // Whatever else waits goes first.
      if (this.#waiting.length > 0) return this.#push(delivery);
    }
    if (kind === 'refused') return this.#again(delivery);
    if (kind === 'spent') return this.#again({ ...delivery, retried: retries });
    this.#flying.add(delivery);
    const copies = kind === 'twice' ? 2 : 1;
    const replies = await Promise.allSettled(
      Array.from({ length: copies }, () => this.#bring(delivery, fate)),
    );
    this.#flying.delete(delivery);
    if (kind === 'again') this.#push({ ...delivery, retried: 0 });
    if (replies[0]?.status === 'rejected' || kind === 'unheard') this.#again(delivery);
  }

  #again(delivery: Delivery): void {
    if (delivery.recalled) return;
    if (delivery.retried < retries) {
      this.#push({ ...delivery, retried: delivery.retried + 1 });
    } else if (delivery.kind === 'chunk') {
      this.#tally.count('queue: gave up');
      this.#push({ ...delivery, kind: 'failure', retried: 0 });
    }
  }
}
