import { expect, test } from 'vitest';
import {
  callsDuring,
  callsOf,
  expectWhole,
  heldLanes,
  jobUnderWay,
  type Name,
  play,
  untilWaiting,
} from './outages.ts';
import { type Rig, startRig } from './worker.ts';
import { JobStream } from './worker-events.ts';

/** A rig whose outages of seconds stand for those of minutes: probes come every three seconds (five after a refusal). */
export const outageRig = (): Promise<Rig> =>
  startRig({
    env: { PARALLEL_INVOCATIONS: '4', PARALLEL_ROWS_PER_INVOCATION: '4' },
    qstash: { parallelism: 4 },
    providerLatencyMs: 150,
  });

const rows = 80;

/** Tests of a provider that does not answer for a while, in whatever way. */
export function testOutagesOf(provider: Name, rig: Rig): void {
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
      .poll(() => heldLanes(rig), { timeout: 60_000 })
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
}
