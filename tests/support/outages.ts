import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { SettingsChange } from '../../local/providers/index.ts';
import { someone, type Rig, rigSecrets } from './worker.ts';
import { type Job, waitFor } from './worker-client.ts';
import { companies } from './worker-csv.ts';
import { everyMinute } from './worker-time.ts';

export type Script = NonNullable<SettingsChange['script']>;
export type Name = 'search' | 'llm';

/** What the providers do from now on. */
export async function play(script: Script, on: { url: string }): Promise<void> {
  const answer = await fetch(`${on.url}/_local/settings`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ script }),
  });
  expect(answer.status, await answer.text()).toBe(200);
}

/** A job of `rows` companies that no other job has, some of whose rows are done by now. */
export async function jobUnderWay(rig: Rig, rows: number) {
  const { token, me } = await rig.user(someone());
  const before = callsOf(rig);
  const job = await rig.startJob(token, companies(rows, `Firm ${someone().slice(0, 8)}`));
  await waitFor(() => (answersOf(rig, 'llm') >= before.llmAnswered + 5 ? true : undefined));
  return { token, id: job.id, before, balance: me.credits.balance };
}

const answersOf = (rig: Rig, name: Name): number =>
  rig.providers.stats()[name].statuses['200'] ?? 0;

/** How often the providers were called, and answered. */
export const callsOf = (rig: Rig) => ({
  llm: rig.providers.stats().llm.requests,
  search: rig.providers.stats().search.requests,
  llmAnswered: answersOf(rig, 'llm'),
  searchAnswered: answersOf(rig, 'search'),
});

export const untilWaiting = (rig: Rig, token: string, id: string): Promise<Job> =>
  waitFor(async () => {
    const job = await rig.readJob(token, id);
    return job.waiting !== null && job;
  });

/** Whether the queue holds back the messages of somebody's jobs. */
export async function heldLanes(rig: Rig): Promise<string[]> {
  const answer = await fetch(`${rig.qstash.url}/v2/flowControl`, {
    headers: { authorization: `Bearer ${rigSecrets.QSTASH_TOKEN}` },
  });
  const keys = (await answer.json()) as { flowControlKey: string; isPaused: boolean }[];
  return keys.filter(({ isPaused }) => isPaused).map(({ flowControlKey }) => flowControlKey);
}

/** Calls of a provider while `ms` pass, after those that were under way have ended. */
export async function callsDuring(rig: Rig, name: Name, ms: number): Promise<number> {
  const before = callsOf(rig)[name];
  await delay(ms);
  return callsOf(rig)[name] - before;
}

/** Providers whose breaker is open, as the database has it. */
export const openOf = async ({ database: { pool } }: Rig): Promise<string[]> =>
  (
    await pool.query<{ name: string }>('select name from providers where opened_at is not null')
  ).rows.map(({ name }) => name);

/** Lets the time until the next probe pass, and its being late too. */
export const probeIsLate = ({ database: { pool } }: Rig) =>
  pool.query(
    "update providers set probe_at = clock_timestamp() - interval '30 seconds' where opened_at is not null",
  );

/** All work again, and nobody waits any more, whatever a test that failed has left. */
export async function mend(rig: Rig): Promise<void> {
  await play([], rig.providers);
  for (let rounds = 0; (await openOf(rig)).length > 0; rounds += 1) {
    expect(rounds).toBeLessThan(5);
    await probeIsLate(rig);
    await everyMinute(rig);
  }
}

/** What every job owes its user after an outage that was shorter than the patience: each search paid once. */
export async function expectWhole(
  rig: Rig,
  { token, id, balance }: { token: string; id: string; balance: number },
  rows: number,
): Promise<void> {
  await expectDone(rig, { token, id, balance }, rows);
  expect((await rig.readJob(token, id)).usage).toMatchObject({ searches: rows });
}

/** All rows worked, all of them charged, nothing on hold. */
export async function expectDone(
  rig: Rig,
  { token, id, balance }: { token: string; id: string; balance: number },
  rows: number,
): Promise<void> {
  const job = await rig.ended(token, id, 120_000);
  expect(job).toMatchObject({
    status: 'completed',
    waiting: null,
    error: null,
    rows: { total: rows, done: rows, succeeded: rows, failed: 0 },
    credits: { held: 0, charged: rows },
  });
  expect((await rig.me(token)).credits.balance).toBe(balance - rows);
}
