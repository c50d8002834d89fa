import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRedis } from '../../functions/clients/redis.ts';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { recoverStalledJobs } from '../../functions/jobs/recover-stalled-jobs.ts';
import { startRedis } from '../../local/redis/index.ts';
import { JobFixture, providerFetch, providers } from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
let redis: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  redis = await startRedis({ token: 'cancel' });
  fixture = await JobFixture.open({ PARALLEL_ROWS_PER_INVOCATION: '5' });
  ctx = { ...fixture.ctx, redis: createRedis({ url: redis.url, token: 'cancel' }) };
});
afterAll(async () => {
  await Promise.all([fixture.close(), redis.close()]);
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
  expect(lines.filter((line) => line.endsWith(',ok,'))).toHaveLength(job.rows.succeeded);
  expect(await fixture.credits(userId)).toEqual({ balance: 500 - job.rows.succeeded, held: 0 });
});

test('nothing is begun once a cancel is under way, and the watchdog ends what it left', async () => {
  const { userId, jobId, messages } = await fixture.running(12);
  await processChunk(ctx, messages[0] as ChunkMessage, providers());
  await fixture.query('select rowloom.job_cancel_begin($1, $2)', [jobId, userId]);
  expect(await processChunk(ctx, messages[1] as ChunkMessage, providers())).toEqual({
    outcome: 'gone',
  });
  await recoverStalledJobs(ctx);
  expect(await readJob(ctx, { userId, jobId })).toMatchObject({ status: 'running' });
  await fixture.query("update jobs set cancel_at = now() - interval '31 seconds' where id = $1", [
    jobId,
  ]);
  await recoverStalledJobs(ctx);
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
