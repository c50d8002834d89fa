import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import {
  callsDuring,
  callsOf,
  expectDone,
  expectWhole,
  heldLanes,
  jobUnderWay,
  mend,
  type Name,
  openOf,
  play,
  probeIsLate,
  untilWaiting,
} from '../support/outages.ts';
import { startRig } from '../support/worker.ts';
import { JobStream } from '../support/worker-events.ts';
import { endedInTime, everyMinute } from '../support/worker-time.ts';

// Outages of seconds stand for those of minutes: probes come every three seconds (five after a refusal).
const rig = await startRig({
  env: { PARALLEL_INVOCATIONS: '4', PARALLEL_ROWS_PER_INVOCATION: '4' },
  qstash: { parallelism: 4 },
  providerLatencyMs: 150,
});
const rows = 80;

afterEach(() => mend(rig));
afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

describe.each<Name>(['llm', 'search'])('%s does not answer for a while', (provider) => {
  test('the job waits, nobody calls but probes, and it goes on', async () => {
    const job = await jobUnderWay(rig, rows);
    const stream = await JobStream.open(rig.url, job.token, job.id);
    await play([{ provider, kind: 'unavailable' }], rig.providers);
    const waiting = { provider, reason: 'unavailable', until: null };
    expect(await untilWaiting(rig, job.token, job.id)).toMatchObject({
      status: 'running',
      waiting,
      etaSeconds: null,
      rows: { failed: 0 },
    });
    const shown = await stream.until(({ job: one }) => one.waiting !== null);
    expect(shown.at(-1)).toMatchObject({ event: 'progress', job: { status: 'running', waiting } });
    await expect
      .poll(() => heldLanes(rig), { timeout: 10_000 })
      .toEqual([expect.stringMatching(/^user-/)]);
    // Calls that were under way end.
    await callsDuring(rig, provider, 1000);
    expect(await callsDuring(rig, provider, 4000)).toBeLessThanOrEqual(2);
    const outage = callsOf(rig);
    await play([], rig.providers);
    await expectWhole(rig, job, rows);
    const last = (await stream.rest()).at(-1);
    expect(last).toMatchObject({ event: 'done', job: { waiting: null } });
    expect(await heldLanes(rig)).toEqual([]);
    // Nothing is paid twice: a search for each company, and one of a probe.
    const paid = callsOf(rig).searchAnswered - job.before.searchAnswered;
    expect(paid).toBeGreaterThanOrEqual(rows);
    expect(paid).toBeLessThanOrEqual(rows + (provider === 'search' ? 1 : 0));
    expect(callsOf(rig)[provider] - outage[provider]).toBeLessThanOrEqual(rows + 2);
  });

  test.each(['error', 'refused', 'cut', 'hang', 'empty', 'unreadable'] as const)(
    '%s: no row fails',
    async (kind) => {
      const job = await jobUnderWay(rig, rows);
      await play([{ provider, kind }], rig.providers);
      expect(await untilWaiting(rig, job.token, job.id)).toMatchObject({
        waiting: { provider, reason: 'unavailable' },
        rows: { failed: 0 },
      });
      await play([], rig.providers);
      await expectWhole(rig, job, rows);
    },
  );
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
