import { afterAll, afterEach, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import {
  callsDuring,
  expectDone,
  expectWhole,
  jobUnderWay,
  mend,
  openOf,
  play,
  probeIsLate,
  untilWaiting,
} from '../support/outages.ts';
import { outageRig } from '../support/outage-cases.ts';
import { endedInTime, everyMinute } from '../support/worker-time.ts';

const rig = await outageRig();
const rows = 80;

afterEach(() => mend(rig));
afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

test('a provider that comes back just when rows have tried in vain: none of them fails', async () => {
  // Too short for the tries of all rows, and over while the first ones spend their last.
  for (const toSeconds of [0.3, 0.8, 1.5]) {
    const job = await jobUnderWay(rig, rows);
    await play([{ provider: 'llm', kind: 'unavailable', toSeconds }], rig.providers);
    await expectWhole(rig, job, rows);
  }
});

test('the Worker dies while a provider is away: the cron goes on probing', async () => {
  const job = await jobUnderWay(rig, rows);
  await play([{ provider: 'llm', kind: 'unavailable' }], rig.providers);
  await untilWaiting(rig, job.token, job.id);
  await rig.worker.restart();
  // The message that asked for probes was delivered to the one that died: nobody makes them any more.
  await play([], rig.providers);
  await probeIsLate(rig);
  await everyMinute(rig);
  expect(await openOf(rig)).toEqual([]);
  // What died held leases: the watchdog publishes their chunks again.
  await endedInTime(rig, job.token, job.id);
  // What was found stays in the cache, or is searched for again: its count has died with the Worker.
  await expectDone(rig, job, rows);
});

// Last: what is learned of a limit is remembered.
test('429 with Retry-After: rows wait, none fails, nobody is away for good', async () => {
  const job = await jobUnderWay(rig, rows);
  const [kind, retryAfterSeconds] = ['rate-limit' as const, 3];
  await play([{ provider: 'llm', kind, retryAfterSeconds, toSeconds: 3 }], rig.providers);
  await expectWhole(rig, job, rows);
});

test('429 with a Retry-After of half a minute: the job says until when it waits', async () => {
  const job = await jobUnderWay(rig, rows);
  await play([{ provider: 'llm', kind: 'rate-limit', retryAfterSeconds: 30 }], rig.providers);
  const { waiting, ...seen } = await untilWaiting(rig, job.token, job.id);
  expect(seen).toMatchObject({ status: 'running', rows: { failed: 0 } });
  expect(waiting).toMatchObject({ provider: 'llm', reason: 'rate_limited' });
  const leftMs = Date.parse(waiting?.until ?? '') - Date.now();
  expect(leftMs).toBeGreaterThan(0);
  expect(leftMs).toBeLessThanOrEqual(31_000);
  await callsDuring(rig, 'llm', 500);
  expect(await callsDuring(rig, 'llm', 3000)).toBe(0);
  await mend(rig);
  await expectWhole(rig, job, rows);
});
