import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createQstash } from '../../functions/clients/qstash.ts';
import { createRedis } from '../../functions/clients/redis.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { endOverdueCancels } from '../../functions/jobs/end-overdue-stops.ts';
import { startRedis } from '../../local/redis/index.ts';
import { type Qstash, startQstash } from '../../local/qstash/index.ts';
import { csvOf, JobFixture, providerFetch, providers, streamOf } from '../support/job-fixture.ts';

const token = 'cancel';

let fixture: JobFixture;
let qstash: Qstash;
let ctx: JobFixture['ctx'];
let redis: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  const keys = { currentSigningKey: 'sig_current', nextSigningKey: 'sig_next' };
  // A minute of the queue's takes six seconds.
  [redis, qstash] = await Promise.all([
    startRedis({ token }),
    startQstash({ token, ...keys, timeScale: 10 }),
  ]);
  fixture = await JobFixture.open({ PARALLEL_ROWS_PER_INVOCATION: '5' });
  ctx = { ...fixture.ctx, redis: createRedis({ url: redis.url, token }) };
});
afterAll(async () => {
  await Promise.all([fixture.close(), redis.close(), qstash.close()]);
});

/** Answers each request after a moment, or when it is aborted. */
function slowSlots(ms: number) {
  let asked = 0;
  const slots = createConnectionLimiter(6, (async (url: string, init: RequestInit) => {
    asked += 1;
    await new Promise((resolve) => setTimeout(resolve, ms));
    init.signal?.throwIfAborted();
    return providerFetch()(url, init, 0, async (response) => response);
  }) as typeof fetch);
  return { slots, asked: () => asked };
}

test('a cancel keeps what invocations at work have finished, and ends them', async () => {
  const { userId, jobId, messages } = await fixture.running(500);
  const { slots, asked } = slowSlots(20);
  fixture.published = [];
  const work = processChunk(ctx, messages[0] as ChunkMessage, slots);
  while (asked() < 50) await new Promise((resolve) => setTimeout(resolve, 5));
  const job = await cancelJob(ctx, { userId, jobId });
  expect(job.status).toBe('cancelled');
  // Of fifty rows about twenty-five were asked about.
  expect(job.rows.succeeded).toBeGreaterThanOrEqual(10);
  expect(job.rows.succeeded).toBeLessThan(50);
  expect(job.credits).toEqual({
    held: 0,
    charged: job.rows.succeeded,
    released: 500 - job.rows.succeeded,
  });
  expect(await work).toMatchObject({ outcome: 'committed' });
  expect(fixture.published).toEqual([]);
  const lines = await fixture.output(userId, jobId);
  expect(lines.filter((line) => line.endsWith(',ok,,'))).toHaveLength(job.rows.succeeded);
  expect(await fixture.credits(userId)).toEqual({ balance: 500 - job.rows.succeeded, held: 0 });
});

test('a big job that is cancelled once leaves its user all that others may', async () => {
  const { userId, jobId, messages } = await fixture.running(500, 1000);
  const { slots, asked } = slowSlots(20);
  const works = messages.map((message) => processChunk(ctx, message, slots));
  while (asked() < 100) await new Promise((resolve) => setTimeout(resolve, 5));
  const { rows } = await cancelJob(ctx, { userId, jobId });
  await Promise.all(works);
  const [day] = await fixture.query<{ rows_unpaid: number }>(
    'select rows_unpaid from user_days where user_id = $1',
    [userId],
  );
  // Rows that were in the hands of ten invocations, five each.
  expect(day?.rows_unpaid).toBeLessThanOrEqual(50);
  expect(rows.succeeded + (day?.rows_unpaid ?? 0)).toBeLessThan(500);
  const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
  expect(await fixture.upload(userId, job.id, csvOf(20))).toMatchObject({ status: 'running' });
});

test('nothing is begun once a cancel is under way, and the watchdog ends what it left', async () => {
  const { userId, jobId, messages } = await fixture.running(12);
  await processChunk(ctx, messages[0] as ChunkMessage, providers());
  await fixture.query('select rowloom.job_cancel_begin($1, $2)', [jobId, userId]);
  expect(await processChunk(ctx, messages[1] as ChunkMessage, providers())).toEqual({
    outcome: 'gone',
  });
  await endOverdueCancels(ctx);
  expect(await readJob(ctx, { userId, jobId })).toMatchObject({ status: 'running' });
  await fixture.query("update jobs set cancel_at = now() - interval '31 seconds' where id = $1", [
    jobId,
  ]);
  await endOverdueCancels(ctx);
  expect(await readJob(ctx, { userId, jobId })).toMatchObject({
    status: 'cancelled',
    rows: { succeeded: 6 },
    credits: { held: 0, charged: 6, released: 6 },
  });
});

test('an invocation that does not hear of it is not waited for without end', async () => {
  const { userId, jobId, messages } = await fixture.running(6);
  await fixture.query(
    "update job_chunks set lease_until = now() + interval '1 minute' where job_id = $1",
    [jobId],
  );
  expect(await cancelJob(fixture.ctx, { userId, jobId })).toMatchObject({ status: 'cancelled' });
  expect(await processChunk(ctx, messages[0] as ChunkMessage, providers())).toEqual({
    outcome: 'gone',
  });
});

describe('a queue that takes its time', () => {
  /** A job of 18 rows in three chunks: one is worked, all messages wait in the queue. */
  async function queued() {
    const queue = createQstash({ url: qstash.url, token });
    const userId = await fixture.newUser(18);
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    // Nothing is delivered while the test looks.
    qstash.faults.add({ on: 'delivery', kind: 'latency', ms: 60_000 });
    const text = csvOf(18);
    const body = streamOf(text);
    const own = { ...ctx, qstash: queue };
    await uploadInput(own, { userId, jobId: job.id, body, contentLength: text.length });
    const message = { jobId: job.id, run: 1, chunk: 0, revision: 0 };
    await processChunk(own, message, providers());
    const cancel = () => cancelJob(own, { userId, jobId: job.id });
    const remove = () => deleteJob(own, { userId, jobId: job.id });
    return { userId, jobId: job.id, message, cancel, remove };
  }
  const bulkActions = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${qstash.url}/v2/bulkActions`, { headers });
    return ((await answer.json()) as { bulkActions: { state: string }[] }).bulkActions;
  };
  const ended = { status: 'cancelled', credits: { held: 0, charged: 6, released: 12 } };

  afterEach(() => {
    qstash.faults.clear();
    Object.assign(qstash.plan, { bulkCancelMs: 0, bulkActions: 1000 });
  });

  test('a bulk cancel that takes a minute is not waited for, and goes on', async () => {
    const { cancel } = await queued();
    qstash.plan.bulkCancelMs = 60_000;
    expect(await cancel()).toMatchObject(ended);
    expect(await bulkActions()).toEqual([expect.objectContaining({ state: 'IN_PROGRESS' })]);
    await expect
      .poll(bulkActions, { timeout: 20_000 })
      .toMatchObject([{ state: 'FINISHED', processed: 3 }]);
  });

  test('a queue that does not answer is not waited for; what it brings finds nothing to do', async () => {
    const { userId, message, cancel } = await queued();
    qstash.faults.add({ kind: 'latency', ms: 6000, match: 'DELETE /v2/messages' });
    let held = true;
    const answered = sleep(6000).then(() => (held = false));
    expect(await cancel()).toMatchObject(ended);
    expect(held).toBe(true);
    for (const chunk of [0, 1, 2])
      expect(await processChunk(ctx, { ...message, chunk }, providers())).toEqual({
        outcome: 'gone',
      });
    expect(await fixture.credits(userId)).toEqual({ balance: 12, held: 0 });
    await answered;
  });

  test('nor when the job is deleted, with what waits in the queue', async () => {
    const { userId, jobId, remove } = await queued();
    qstash.faults.add({ kind: 'latency', ms: 6000, match: 'DELETE /v2/messages' });
    let held = true;
    const answered = sleep(6000).then(() => (held = false));
    await remove();
    expect(held).toBe(true);
    await expect(readJob(ctx, { userId, jobId })).rejects.toMatchObject({ code: 'not_found' });
    expect(await fixture.credits(userId)).toEqual({ balance: 12, held: 0 });
    await answered;
  });

  test('more bulk actions than QStash runs at once: the job is cancelled all the same', async () => {
    const { cancel } = await queued();
    qstash.plan.bulkActions = 0;
    expect(await cancel()).toMatchObject(ended);
  });
});
