import { performance } from 'node:perf_hooks';
import { Client } from 'pg';
import { vi } from 'vitest';

/**
 * Time that runs `speed` times as fast, for timers and `now` alike: pauses of seconds between tries
 * take milliseconds, in the same order. `vi.unstubAllGlobals` ends it.
 */
export function quickClock(speed: number): () => Date {
  const slow = globalThis.setTimeout;
  const quick: (...args: Parameters<typeof slow>) => NodeJS.Timeout = (work, ms = 0, ...args) =>
    slow(work, ms / speed, ...args);
  vi.stubGlobal('setTimeout', quick);
  const begin = Date.now() - performance.now() * speed;
  return () => new Date(begin + performance.now() * speed);
}

type Sleeper = { dueMs: number; wake: () => void };

/** A clock that a database of a test's own goes by as well, and that can be put forward. */
export class StoryClock {
  readonly #quick: () => Date;
  readonly #client: Client;
  readonly #sleepers = new Set<Sleeper>();
  /** Hears of everybody who begins to sleep. */
  onSleep: () => void = () => undefined;
  #aheadMs = 0;

  /** `quick` has run `speed` times as fast since `begunMs`. The database must not be in use yet. */
  static async open(
    url: string,
    { quick, speed, begunMs }: { quick: () => Date; speed: number; begunMs: number },
  ): Promise<StoryClock> {
    const client = new Client(url);
    await client.connect();
    // In front of `pg_catalog`, so that our functions find this `clock_timestamp` first.
    await client.query(`
      create schema story;
      create table story.clock (ahead_ms double precision not null);
      insert into story.clock values (0);
      create function story.clock_timestamp() returns timestamptz language sql volatile as $$
        select to_timestamp(${begunMs} / 1000.0)
          + (pg_catalog.clock_timestamp() - to_timestamp(${begunMs} / 1000.0)) * ${speed}
          + (select ahead_ms from story.clock) * interval '1 millisecond'
      $$;
      alter table paused_lanes alter paused_at set default story.clock_timestamp();
      do $$ begin
        execute format('alter database %I set search_path = story, pg_catalog, public', current_database());
      end $$`);
    return new StoryClock(quick, client);
  }

  private constructor(quick: () => Date, client: Client) {
    this.#quick = quick;
    this.#client = client;
  }

  now = (): Date => new Date(this.#quick().getTime() + this.#aheadMs);

  /** Nobody sleeps any more: another story begins. */
  forget(): void {
    this.#sleepers.clear();
  }

  async advance(ms: number): Promise<void> {
    await this.#client.query('update story.clock set ahead_ms = ahead_ms + $1', [ms]);
    this.#aheadMs += ms;
    this.wakeDue();
  }

  /** Sleeps on this clock: until it has been put forward, or so much of its time has passed and somebody looks. */
  sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const sleeper = { dueMs: this.now().getTime() + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      this.onSleep();
    });

  wakeDue(): void {
    const nowMs = this.now().getTime();
    for (const sleeper of this.#sleepers)
      if (sleeper.dueMs <= nowMs) {
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** When the first of those who sleep wants to be woken, ms since 1970. */
  get nextMs(): number {
    return Math.min(...[...this.#sleepers].map(({ dueMs }) => dueMs));
  }

  close = (): Promise<void> => this.#client.end();
}
