import { expect } from 'vitest';
import type { Provider } from './chaos-providers.ts';

/** What is known of one isolate. */
export type Watched = {
  /** Providers that were open when it took its lease. */
  knewAway: Set<string>;
  rows: number;
  job: string;
  run: number;
  /** Calls for rows to a provider that somebody had found to be away after this isolate took its lease. */
  late: Record<Provider, number>;
  searched: string[];
};

/** A try has three requests at most; 429s, which are none, and a second question to the model double that. */
const mostCallsPerRow = 12;

const providerOf = (name: string): Provider => (name === 'search' ? 'search' : 'complete');

/** Watches over a story: who calls whom though he knows better, and what is paid for twice. */
export class ChaosWatch {
  /** What should not have happened. */
  readonly faults: string[] = [];
  readonly #isolates = new Set<Watched>();
  /** Providers whose breaker is open, as the database has said. */
  readonly #away = new Set<Provider>();
  /** Searches that were paid for, by job, run and row, and those that a dead isolate took with it. */
  readonly #paid = new Map<string, number>();
  readonly #excused = new Map<string, number>();

  begin(): Watched {
    const watched: Watched = {
      knewAway: new Set(),
      rows: 0,
      job: '',
      run: 0,
      late: { search: 0, complete: 0 },
      searched: [],
    };
    this.#isolates.add(watched);
    return watched;
  }

  /** An answer of the database. */
  told(of: Watched, call: { name: string; args: Record<string, unknown>; result: unknown }): void {
    const { name, args, result } = call;
    if (name === 'provider_open') this.#away.add(providerOf(String(args['p_name'])));
    if (name === 'provider_close') this.#away.delete(providerOf(String(args['p_name'])));
    if (name !== 'chunk_lease') return;
    const { chunk, open = [] } = result as {
      chunk?: { rows: unknown[] };
      open?: { name: string }[];
    };
    of.knewAway = new Set(open.map((one) => providerOf(one.name)));
    of.rows = chunk?.rows.length ?? 0;
    of.job = String(args['p_job']);
    of.run = Number(args['p_run']);
  }

  called(of: Watched, provider: Provider, row: string): void {
    if (row === 'nobody') return;
    if (of.knewAway.has(provider)) this.faults.push(`${provider} was called though it is away`);
    if (!this.#away.has(provider)) return;
    of.late[provider] += 1;
    if (of.late[provider] > mostCallsPerRow * of.rows)
      this.faults.push(`${provider} was called ${of.late[provider]} times while it is away`);
  }

  paid(of: Watched, row: string): void {
    if (row === 'nobody') return;
    of.searched.push(row);
    count(this.#paid, `${of.job} ${of.run} ${row}`);
  }

  /** What an isolate found is lost: it was killed, or could not commit. */
  lost(of: Watched): void {
    for (const row of of.searched) count(this.#excused, `${of.job} ${of.run} ${row}`);
  }

  check(): void {
    expect(this.faults).toEqual([]);
    const twice = [...this.#paid].filter(([row, n]) => n > 1 + (this.#excused.get(row) ?? 0));
    expect(twice, 'searches paid for twice').toEqual([]);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
