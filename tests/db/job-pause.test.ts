import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { endOverduePauses } from '../../functions/jobs/end-overdue-stops.ts';
import { pauseJob, resumeJob } from '../../functions/jobs/pause-job.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import {
  csvOf,
  gate,
  JobFixture,
  providerFetch,
  providers,
  slotsOf,
} from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open();
  ({ ctx } = fixture);
});
beforeEach(() => {
  fixture.published = [];
});
afterAll(() => fixture.close());

type Of = Awaited<ReturnType<JobFixture['ready']>>;

/** A Redis that sets and gets, and no more. */
function plainRedis(): typeof ctx.redis {
  const values = new Map<string, unknown>();
  const none = () => Promise.reject(new TypeError('not played'));
  return {
    set: async (key: string, value: unknown) => void values.set(key, value),
    get: async (key: string) => values.get(key) ?? null,
    hdel: async () => 0,
    createScript: () => ({ exec: none }),
  } as never;
}

const job = (of: Of) => readJob(ctx, of);
describe('a pause', () => {
  test('gives back what is held; a resume holds anew and goes on', async () => {
    const of = await fixture.ready();
    await startJob(ctx, of);
    const [first] = fixture.messages();
    if (first) await processChunk(ctx, first, providers());
    const paused = await pauseJob(ctx, of);
    expect(paused).toMatchObject({
      status: 'paused',
      rows: { done: 6 },
      credits: { held: 0, charged: 6 },
    });
    expect(await pauseJob(ctx, of)).toMatchObject({ status: 'paused' });
    expect(await fixture.credits(of.userId)).toEqual({ balance: 494, held: 0 });
    await fixture.workAll();
    expect(await job(of)).toMatchObject({ rows: { done: 6 } });
    fixture.published = [];
    await Promise.all([resumeJob(ctx, of), resumeJob(ctx, of)]);
    expect(await fixture.credits(of.userId)).toEqual({ balance: 482, held: 12 });
    await fixture.workAll();
    expect(await job(of)).toMatchObject({
      status: 'completed',
      rows: { succeeded: 18 },
      credits: { held: 0, charged: 18 },
    });
  });

  test('too few credits leave it paused', async () => {
    const of = await fixture.ready(csvOf(18), 18);
    await startJob(ctx, of);
    await pauseJob(ctx, of);
    await fixture.topUp(of.userId, -10);
    await expect(resumeJob(ctx, of)).rejects.toMatchObject({ code: 'insufficient_credits' });
    expect(await job(of)).toMatchObject({ status: 'paused', credits: { held: 0 } });
  });

  test('rows that are being worked are finished and charged, and only they stay on hold', async () => {
    const of = await fixture.ready();
    await startJob(ctx, of);
    const [first, second] = fixture.messages();
    if (!first || !second) throw new Error('no messages');
    const slow = gate();
    const working = processChunk(ctx, first, slow.slots);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await pauseJob(ctx, of)).toMatchObject({ status: 'paused', credits: { held: 6 } });
    expect(await fixture.credits(of.userId)).toEqual({ balance: 494, held: 6 });
    expect((await processChunk(ctx, second, providers())).outcome).toBe('gone');
    slow.open();
    await working;
    expect(await job(of)).toMatchObject({
      status: 'paused',
      rows: { succeeded: 6 },
      credits: { held: 0, charged: 6 },
    });
  });

  test('a row whose model was not asked yet goes back, and keeps what was found for it', async () => {
    const of = await fixture.ready(csvOf(6));
    await startJob(ctx, of);
    const [first] = fixture.messages();
    if (!first) throw new Error('no message');
    let searches = 0;
    const answer = providerFetch();
    const slow = slotsOf(async (url, init, timeoutMs, read, check) => {
      if (!url.endsWith('/search')) return answer(url, init, timeoutMs, read, check);
      searches += 1;
      const found = await answer(url, init, timeoutMs, read, check);
      // Longer than it takes to hear of a pause.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      return found;
    });
    const heard = { ...ctx, redis: plainRedis() };
    const working = processChunk(heard, first, slow);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await pauseJob(heard, of);
    await working;
    expect(await job(of)).toMatchObject({
      status: 'paused',
      rows: { done: 0 },
      credits: { held: 0, charged: 0 },
    });
    fixture.published = [];
    await resumeJob(ctx, of);
    await fixture.workAll();
    expect(searches).toBe(6);
    expect(await job(of)).toMatchObject({
      status: 'completed',
      rows: { succeeded: 6 },
      credits: { held: 0, charged: 6, released: 0 },
      usage: { searches: 6 },
    });
  });

  test('a resume meanwhile takes them along; none is worked or charged twice', async () => {
    const of = await fixture.ready();
    await startJob(ctx, of);
    const [first] = fixture.messages();
    if (!first) throw new Error('no message');
    const slow = gate();
    const working = processChunk(ctx, first, slow.slots);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await pauseJob(ctx, of);
    fixture.published = [];
    await resumeJob(ctx, of);
    expect(fixture.messages().map(({ chunk }) => chunk)).toEqual([1, 2]);
    slow.open();
    await working;
    await fixture.workAll();
    expect(await job(of)).toMatchObject({
      status: 'completed',
      rows: { succeeded: 18 },
      credits: { held: 0, charged: 18 },
    });
  });

  test('an invocation that dies in it holds its rows no longer than its lease', async () => {
    const of = await fixture.ready();
    await startJob(ctx, of);
    const [first] = fixture.messages();
    if (!first) throw new Error('no message');
    void processChunk(ctx, first, gate().slots).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await pauseJob(ctx, of)).toMatchObject({ credits: { held: 6 } });
    await fixture.expireLeases(of.jobId);
    await endOverduePauses(ctx);
    expect(await job(of)).toMatchObject({ status: 'paused', credits: { held: 0, charged: 0 } });
    await cancelJob(ctx, of);
    expect(await fixture.credits(of.userId)).toEqual({ balance: 500, held: 0 });
  });
});
