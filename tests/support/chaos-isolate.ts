import type { Redis } from '@upstash/redis';
import type { Db } from '../../db/client.ts';
import type { Ctx } from '../../functions/context.ts';
import { DomainError } from '../../functions/errors.ts';
import {
  createConnectionLimiter,
  type ConnectionLimiter,
} from '../../functions/providers/connection-limiter.ts';
import { aroundCalls } from './around-calls.ts';
import type { Call, Strike } from './chaos-plan.ts';
import { type ChaosProviders, nameIn } from './chaos-providers.ts';
import type { ChaosQueue } from './chaos-queue.ts';
import type { ChaosWatch, Watched } from './chaos-watch.ts';
import type { Tally } from './chaos-tally.ts';
import { accepted, type Published } from './job-fixture.ts';

/** The Worker died: whoever called it sees the connection break. */
export class WorkerDied extends Error {}

/** A failure that the story made, as the product would see it; any other one is a surprise. */
class CutOff extends DomainError {
  constructor(call: Call) {
    super('service_unavailable', `Cut by the story: ${call}`);
  }
}

export const isStruck = (error: unknown): boolean =>
  error instanceof WorkerDied || error instanceof CutOff;

/** What all isolates of a story share. */
export type World = {
  ctx: Ctx;
  tally: Tally;
  now: () => Date;
  /** Strikes on calls, counted over the story; emptied when it grows calm. */
  cuts: Strike[];
  seen: Map<Call, number>;
  /** What went wrong without the story's doing. */
  surprises: string[];
  redis: { current: () => Redis };
  providers: ChaosProviders;
  queue: Pick<ChaosQueue, 'publish' | 'publishProbe' | 'recall' | 'pause' | 'resume'>;
  watch: ChaosWatch;
};

export type Life = {
  /** Ends this isolate's life; `nth` counts its own calls. */
  strike?: Strike | null;
  /** Every request to a provider takes up to this long, in ms. */
  slowMs?: number;
  /** Runs when a lease was taken, before its rows are worked. */
  onLease?: () => Promise<void>;
  config?: Partial<Ctx['config']>;
};

/** Whether a commit leaves rows to be worked. */
const isPart = ({ p_results: results }: Record<string, unknown>): boolean =>
  Array.isArray(results) && results.includes(null);

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** One run of the Worker: it has its own way out to the world, which can be cut, and it can die. */
export class Isolate {
  readonly ctx: Ctx;
  readonly slots: ConnectionLimiter;
  readonly #world: World;
  readonly #life: Life;
  readonly #seen = new Map<Call, number>();
  readonly #watched: Watched;
  readonly #death: Promise<never>;
  #die: (error: Error) => void = () => undefined;
  #dead = false;

  constructor(world: World, life: Life = {}) {
    this.#world = world;
    this.#life = life;
    this.#watched = world.watch.begin();
    this.#death = new Promise<never>((_, reject) => {
      this.#die = reject;
    });
    this.#death.catch(() => undefined);
    const config = { ...world.ctx.config, ...life.config };
    const { now } = world;
    const redis = world.redis.current();
    this.ctx = { ...world.ctx, config, now, redis, db: this.#db(), qstash: this.#qstash() };
    this.slots = createConnectionLimiter(6, this.#fetch);
  }

  /** Runs a verb; rejects with `WorkerDied` when the isolate dies in it. */
  run = <T>(verb: (isolate: Isolate) => Promise<T>): Promise<T> =>
    Promise.race([verb(this), this.#death]);

  #db(): Db {
    return aroundCalls(this.#world.ctx.db, async ({ name, args }, next) => {
      const { watch } = this.#world;
      // What a commit that is cut had stored is not known: it may be paid for again.
      const result = await this.#effect(name as Call, async () => {
        const told = await next();
        watch.told(this.#watched, { name, args, result: told });
        return told;
      });
      const { outcome } = (result ?? {}) as { outcome?: string };
      if (outcome === 'leased') await this.#life.onLease?.();
      if (outcome === 'committed' && isPart(args)) this.#world.tally.count(`${name}: of a part`);
      if (outcome !== undefined) this.#world.tally.count(`${name}: ${outcome}`);
      return result;
    });
  }

  #qstash(): Ctx['qstash'] {
    const { queue } = this.#world;
    return {
      batchJSON: (messages: Published[]) =>
        this.#effect('publish', async () => {
          queue.publish(messages);
          return accepted(messages);
        }),
      publishJSON: ({ body, delay }: { body: { provider: string }; delay: number }) =>
        this.#effect('probe', async () => queue.publishProbe(body.provider, delay)),
      http: {
        request: ({ query }: { query: { label: string } }) =>
          this.#effect('recall', async () => queue.recall(query.label)),
      },
      flowControl: {
        pause: (lane: string) => this.#effect('pause', async () => queue.pause(lane)),
        resume: (lane: string) => this.#effect('resume', async () => queue.resume(lane)),
      },
    } as never;
  }

  #fetch = (async (url: string, init: RequestInit) => {
    const provider = url.endsWith('/search') ? 'search' : 'complete';
    if (this.#life.slowMs !== undefined) {
      const pauseMs = ((this.#seen.get(provider) ?? 0) % 4) * (this.#life.slowMs / 4);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      init.signal?.throwIfAborted();
    }
    return this.#effect(provider, async () => {
      const { providers, watch } = this.#world;
      const name = nameIn(init);
      watch.called(this.#watched, provider, name);
      const answer = await providers.call(provider, init);
      if (provider === 'search' && providers.isWhole(answer)) watch.paid(this.#watched, name);
      return answer;
    });
  }) as typeof fetch;

  /** Does something outside, unless it is struck; of what a dead isolate asks nothing is heard. */
  async #effect<T>(call: Call, work: () => Promise<T>): Promise<T> {
    if (this.#dead) return never();
    const death = this.#strikes(call);
    if (death === 'before') return this.#end(call, death);
    const cut = this.#cuts(call);
    if (cut) this.#world.tally.count(`cut ${cut}: ${call}`);
    if (cut === 'before') throw new CutOff(call);
    const result = await work().catch((error: unknown) => {
      this.#judge(call, error);
      throw error;
    });
    if (death === 'after') return this.#end(call, death);
    if (this.#dead) return never();
    if (cut === 'after') throw new CutOff(call);
    return result;
  }

  #end<T>(call: Call, when: 'before' | 'after'): Promise<T> {
    this.#world.tally.count(`killed ${when}: ${call}`);
    this.#dead = true;
    this.#die(new WorkerDied(`${when} ${call}`));
    return never();
  }

  #strikes(call: Call): 'before' | 'after' | undefined {
    const nth = this.#seen.get(call) ?? 0;
    this.#seen.set(call, nth + 1);
    const { strike } = this.#life;
    return strike?.call === call && strike.nth === nth ? strike.when : undefined;
  }

  #cuts(call: Call): 'before' | 'after' | undefined {
    const { cuts, seen } = this.#world;
    const nth = seen.get(call) ?? 0;
    seen.set(call, nth + 1);
    return cuts.find((cut) => cut.call === call && cut.nth === nth)?.when;
  }

  /** What it searched for is not stored. */
  lost = (): void => this.#world.watch.lost(this.#watched);

  /** A refusal by our own SQL is an answer. A deadlock, a broken CHECK or a database out of reach is not. */
  #judge(call: Call, error: unknown): void {
    if (call === 'search' || call === 'complete') return;
    if (error instanceof DomainError && error.code !== 'service_unavailable') return;
    const causes: unknown[] = [];
    for (let at = error; at instanceof Error; at = at.cause) causes.push(at.message);
    this.#world.surprises.push(`${call}: ${causes.join(' < ')}`);
  }
}
