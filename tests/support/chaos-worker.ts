import { expect } from 'vitest';
import { Faults, type Fault } from '../../local/support/faults.ts';
import type { Tally } from './chaos-tally.ts';
import type { Rig } from './worker.ts';
import { type Job, waitFor } from './worker-client.ts';
import { companies, parseCsv, toCsv } from './worker-csv.ts';
import { everyMinute, minutesPass, undisturbed } from './worker-time.ts';

/** Draws that a seed repeats. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1. Source: mulberry32, in the public domain. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between = (least: number, most: number): number =>
    least + Math.floor(this.next() * (most - least + 1));

  pick = <T>(items: readonly [T, ...T[]]): T =>
    items[this.between(0, items.length - 1)] ?? items[0];
}

/** Cuts statements by their number, counted from the last `plan`. */
export class PlannedCuts extends Faults {
  #at = new Map<number, 'before' | 'after'>();
  #seen = 0;
  readonly #tally: Tally;

  constructor(tally: Tally) {
    super();
    this.#tally = tally;
  }

  plan(cuts: Map<number, 'before' | 'after'>): void {
    this.#at = cuts;
    this.#seen = 0;
  }

  override clear(): void {
    super.clear();
    this.plan(new Map());
  }

  override take(on: Fault['on'], subject: string): Fault[] {
    this.#seen += 1;
    const when = this.#at.get(this.#seen);
    const struck = super.take(on, subject);
    if (when === undefined) return struck;
    this.#tally.count(`statement cut: ${when}`);
    return [...struck, { id: 0, on, kind: 'drop', when }];
  }
}

const failing = ['FAIL_SEARCH', 'FAIL_LLM', 'CUT_LLM'] as const;
const longest = 120;

/** A file of up to 120 rows, of which a share of 0 to 1 can never succeed. */
export const fileOf = (dice: Dice, rows: number, share: number): string =>
  toCsv([
    ['company', 'city'],
    ...Array.from({ length: rows }, (_, i) => {
      const mark = dice.next() < share ? ` ${dice.pick(failing)}` : '';
      return [`Company ${i}${mark}`, `City, ${i}`];
    }),
  ]);

export type Running = { token: string; id: string; csv: string };

/** Asks again while the service says that it is not there, as its `Retry-After` tells callers to. */
export async function persist(ask: () => Promise<Response>, tally: Tally): Promise<Response> {
  for (let tries = 1; tries <= 12; tries += 1) {
    const answer = await ask().catch(() => undefined);
    if (answer && answer.status < 500) return answer;
    tally.count(`user: told ${answer?.status ?? 'nothing'}`);
    await answer?.body?.cancel();
    // A Worker that is being started again needs a moment.
    if (!answer) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('The service does not come back.');
}

/** What the database says of a job; no answer of the Worker is in between. */
export async function look({ database }: Rig, id: string) {
  const { rows } = await database.pool.query<{ status: string; done: number }>(
    'select status, rows_done as done from jobs where id = $1',
    [id],
  );
  return rows[0] ?? expect.unreachable('a job has gone');
}

/** Waits until some rows are done, or nothing moves any more: trouble may have stopped all. */
export const untilRows = (rig: Rig, id: string, count: number): Promise<unknown> =>
  waitFor(async () => {
    const { status, done } = await look(rig, id);
    return status !== 'running' || done >= count;
  }, 1500).catch(() => undefined);

/** Lets the queue run empty, then time pass and the cron look, until the job has ended. */
export async function settle(rig: Rig, { token, id }: Running): Promise<Job> {
  for (let rounds = 0; rounds < 6; rounds += 1) {
    // A lease is only let run out when nobody works: these rows take longer than a round.
    // A lane that is held back for a provider is let go by the cron, where the message for it was lost.
    await rig.qstash.drain(10_000).catch(() => undefined);
    const { status } = await look(rig, id);
    if (status !== 'running') return rig.readJob(token, id);
    await minutesPass(rig, id);
    await everyMinute(rig);
  }
  throw new Error(`The job ${id} does not end.`);
}

/** Checks an ended job as its owner sees it → how many of its rows are ok. */
export async function checkJob(rig: Rig, { token, id, csv }: Running): Promise<number> {
  const job = await settle(rig, { token, id, csv });
  const input = parseCsv(csv.replaceAll('\n', '\r\n')).slice(1);
  const wanted = parseCsv(await undisturbed(rig, companies(longest))).slice(1);
  const records = parseCsv(await rig.output(token, id)).slice(1);
  expect(records.map((record) => record.slice(0, 2))).toEqual(input);
  const isOk = (record: string[]) => record[6] === 'ok';
  for (const [i, record] of records.entries())
    if (isOk(record)) expect(record).toEqual(wanted[i]);
    else {
      expect(record.slice(2, 7)).toEqual(['', '', '', '', 'error']);
      expect(record[7]).toMatch(/\w/);
      expect(record[7]).not.toMatch(/Internal error|Not processed/);
    }
  const ok = records.filter(isOk).length;
  expect(job).toMatchObject({
    rows: { total: input.length, done: expect.any(Number), succeeded: ok },
    credits: { held: 0, charged: ok },
  });
  if (job.status === 'completed') expect(job.rows.failed).toBe(input.length - ok);
  return ok;
}
