import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createJob } from '../../functions/jobs/create-job.ts';
import { failChunk } from '../../functions/processing/fail-chunks.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { listJobs, readJob } from '../../functions/jobs/read-job.ts';
import type { SlotFetch } from '../../functions/providers/connection-limiter.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { recoverStalledJobs } from '../../functions/jobs/recover-stalled-jobs.ts';
import { testCtx } from '../support/ctx.ts';
import {
  csvOf as csv,
  JobFixture,
  providerFetch,
  providers,
  slotsOf,
  streamOf,
} from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
let database: JobFixture['database'];
beforeAll(async () => {
  fixture = await JobFixture.open();
  ({ ctx, database } = fixture);
});
afterAll(() => fixture.close());

const newUser = (credits?: number) => fixture.newUser(credits);
const upload = (userId: string, jobId: string, text: string) => fixture.upload(userId, jobId, text);
const running = (rows: number, credits?: number) => fixture.running(rows, credits);
const credits = (userId: string) => fixture.credits(userId);
const text = (userId: string, jobId: string, partial?: boolean) =>
  fixture.output(userId, jobId, partial);

describe('create', () => {
  test('the same idempotency key gives the same job; with another request it is refused', async () => {
    const userId = await newUser();
    const request = { userId, filename: 'a.csv', idempotencyKey: 'k-1' };
    const made = await Promise.all(Array.from({ length: 5 }, () => createJob(ctx, request)));
    expect(new Set(made.map(({ job }) => job.id)).size).toBe(1);
    expect(made.filter(({ replayed }) => !replayed)).toHaveLength(1);
    await expect(createJob(ctx, { ...request, filename: 'b.csv' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    const other = await createJob(ctx, { ...request, userId: await newUser() });
    expect(other.replayed).toBe(false);
  });

  test('a prompt is held to the columns that are named', async () => {
    const userId = await newUser();
    await expect(
      createJob(ctx, { userId, filename: 'a.csv', prompt: 'Hi {{nmae}}', columns: ['name'] }),
    ).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('jobs are listed newest first, page by page', async () => {
    const userId = await newUser();
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1)
      ids.unshift((await createJob(ctx, { userId, filename: `${i}.csv` })).job.id);
    const first = await listJobs(ctx, { userId, limit: 3 });
    const [at = '', id = ''] = (first.nextCursor ?? '').split('~');
    const second = await listJobs(ctx, { userId, limit: 3, cursor: { at, id } });
    expect([...first.items, ...second.items].map((job) => job.id)).toEqual(ids);
    expect(second.nextCursor).toBeNull();
  });
});

describe('upload', () => {
  test('stores every row, holds a credit for each, publishes every chunk once', async () => {
    const { userId, jobId, messages } = await running(100);
    expect(messages.map((message) => message.chunk)).toEqual(
      Array.from({ length: 10 }, (_, i) => i),
    );
    expect(new Set(fixture.published.map(({ deduplicationId }) => deduplicationId)).size).toBe(10);
    expect(await credits(userId)).toEqual({ balance: 400, held: 100 });
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'running',
      rows: { total: 100, done: 0 },
      credits: { held: 100, charged: 0, released: 0 },
    });
  });

  test('too few credits: the rows are kept, and start runs them after a purchase', async () => {
    const userId = await newUser(10);
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    await expect(upload(userId, job.id, csv(25))).rejects.toMatchObject({
      code: 'insufficient_credits',
      extra: { required: 25, balance: 10 },
    });
    expect(await readJob(ctx, { userId, jobId: job.id })).toMatchObject({
      status: 'awaiting_credits',
      rows: { total: 25 },
    });
    await expect(startJob(ctx, { userId, jobId: job.id })).rejects.toMatchObject({
      code: 'insufficient_credits',
    });
    await fixture.topUp(userId, 20);
    expect(await startJob(ctx, { userId, jobId: job.id })).toMatchObject({ status: 'running' });
    expect(await credits(userId)).toEqual({ balance: 5, held: 25 });
    expect(await startJob(ctx, { userId, jobId: job.id })).toMatchObject({ status: 'running' });
    expect(await credits(userId)).toEqual({ balance: 5, held: 25 });
  });

  test.each([
    ['no end of a quote', 'a,b\n1,2\n"3\n', 'csv_invalid'],
    ['header only', 'a,b\n', 'csv_invalid'],
    ['too many rows', csv(501), 'too_large'],
  ])('%s: refused, and the job is open as before', async (_, bad, code) => {
    const userId = await newUser(600);
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    await expect(upload(userId, job.id, bad)).rejects.toMatchObject({ code });
    const { rows } = await database.pool.query(
      'select status, (select count(*)::int from job_chunks c where c.job_id = j.id) as chunks from jobs j where id = $1',
      [job.id],
    );
    expect(rows).toEqual([{ status: 'created', chunks: 0 }]);
    expect(await upload(userId, job.id, csv(3))).toMatchObject({
      status: 'running',
      rows: { total: 3 },
    });
  });

  test('an upload that breaks off leaves nothing, and the next one is whole', async () => {
    const userId = await newUser();
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    let sent = 0;
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        if (sent > 3) controller.error(new Error('gone'));
        else controller.enqueue(new TextEncoder().encode(csv(40)));
      },
    });
    await expect(
      uploadInput(ctx, { userId, jobId: job.id, body: broken, contentLength: undefined }),
    ).rejects.toMatchObject({ code: 'upload_interrupted' });
    expect(await upload(userId, job.id, csv(9))).toMatchObject({ rows: { total: 9 } });
  });

  test('of two uploads at once one wins whole', async () => {
    const userId = await newUser();
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    const outcomes = await Promise.allSettled([
      upload(userId, job.id, csv(30)),
      upload(userId, job.id, csv(70)),
    ]);
    expect(outcomes.some((outcome) => outcome.status === 'fulfilled')).toBe(true);
    const { rows } = await database.pool.query<{ total: number; stored: number }>(
      'select rows_total as total, (select sum(row_count)::int from job_chunks c where c.job_id = j.id) as stored from jobs j where id = $1',
      [job.id],
    );
    expect([30, 70]).toContain(rows[0]?.total);
    expect(rows[0]?.stored).toBe(rows[0]?.total);
  });

  test('two jobs of one user with credits for one: one runs, one waits', async () => {
    const userId = await newUser(30);
    const jobs = await Promise.all(
      [1, 2].map(() => createJob(ctx, { userId, filename: 'leads.csv' })),
    );
    const outcomes = await Promise.allSettled(
      jobs.map(({ job }) => upload(userId, job.id, csv(20))),
    );
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await credits(userId)).toEqual({ balance: 10, held: 20 });
  });

  test("another user's job is not there", async () => {
    const { jobId } = await running(1);
    const stranger = await newUser();
    await expect(upload(stranger, jobId, csv(1))).rejects.toMatchObject({ code: 'not_found' });
    await expect(readJob(ctx, { userId: stranger, jobId })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(text(stranger, jobId)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('chunks', () => {
  test('rows come out in order, each once, and credits are charged for those that succeeded', async () => {
    const { userId, jobId, messages } = await running(33);
    for (const message of messages.toReversed())
      await processChunk(ctx, message, providers(['lead 7', 'lead 20']));
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      progress: 1,
      rows: { total: 33, done: 33, succeeded: 31, failed: 2 },
      credits: { held: 0, charged: 31, released: 2 },
    });
    expect(await credits(userId)).toEqual({ balance: 500 - 31, held: 0 });
    const [header, ...lines] = await text(userId, jobId);
    expect(header).toBe(
      'name,city,research_summary,research_sources,email_subject,email_body,row_status,row_error,row_note',
    );
    expect(lines).toHaveLength(33);
    for (const [i, line] of lines.entries())
      expect(line).toBe(
        i === 7 || i === 20
          ? `lead ${i},"Bonn, ${i}",,,,,error,Search answered 400,`
          : `lead ${i},"Bonn, ${i}",lead ${i}: about lead ${i},,Hello,Dear lead ${i},ok,,`,
      );
  });

  test('a delivery that comes twice, late or at once with its twin changes nothing', async () => {
    const { userId, jobId, messages } = await running(12);
    const [first, second] = messages as [ChunkMessage, ChunkMessage];
    const twins = await Promise.allSettled(
      [first, first, first].map((m) => processChunk(ctx, m, providers())),
    );
    const outcomes = twins.map((twin) =>
      twin.status === 'fulfilled' ? twin.value.outcome : (twin.reason as { code: string }).code,
    );
    expect(outcomes.filter((outcome) => outcome === 'committed')).toHaveLength(1);
    expect(outcomes.every((outcome) => ['committed', 'busy', 'done'].includes(outcome))).toBe(true);
    expect(await processChunk(ctx, first, providers())).toEqual({ outcome: 'done' });
    await processChunk(ctx, second, providers());
    expect(await processChunk(ctx, second, providers())).toEqual({ outcome: 'gone' });
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      rows: { done: 12 },
    });
  });

  test('a worker whose lease was taken over cannot commit', async () => {
    const { messages } = await running(6);
    const [message] = messages as [ChunkMessage];
    const slow: SlotFetch = async (url, init, timeout, read) => {
      await database.pool.query(
        "update job_chunks set lease_until = now() - interval '1 second' where job_id = $1",
        [message.jobId],
      );
      if (url.endsWith('/search'))
        await processChunk(ctx, message, providers()).catch(() => undefined);
      return providerFetch()(url, init, timeout, read);
    };
    expect(['stale', 'gone']).toContain((await processChunk(ctx, message, slotsOf(slow))).outcome);
    const { rows } = await database.pool.query('select rows_done from jobs where id = $1', [
      message.jobId,
    ]);
    expect(rows).toEqual([{ rows_done: 6 }]);
  });

  test('a chunk that was given up becomes error rows, once, and the job ends', async () => {
    const { userId, jobId, messages } = await running(12);
    const [first, second] = messages as [ChunkMessage, ChunkMessage];
    await failChunk(ctx, first, 'Could not be processed');
    await failChunk(ctx, first, 'Could not be processed');
    await processChunk(ctx, second, providers());
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      rows: { succeeded: 6, failed: 6 },
      credits: { charged: 6, released: 6 },
    });
    expect((await text(userId, jobId))[1]).toBe(
      'lead 0,"Bonn, 0",,,,,error,Could not be processed,',
    );
  });

  test('a chunk that somebody works on is not given up', async () => {
    const { userId, jobId, messages } = await running(6);
    const [message] = messages as [ChunkMessage];
    const late: SlotFetch = async (...request) => {
      expect(await failChunk(ctx, message, 'Could not be processed')).toEqual({ outcome: 'stale' });
      return providerFetch()(...request);
    };
    await processChunk(ctx, message, slotsOf(late));
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({ rows: { succeeded: 6 } });
  });

  test('output of a running job is refused, or partial', async () => {
    const { userId, jobId, messages } = await running(18);
    await processChunk(ctx, messages[1] as ChunkMessage, providers());
    await expect(text(userId, jobId)).rejects.toMatchObject({ code: 'job_running' });
    const lines = await text(userId, jobId, true);
    expect(lines.slice(1).map((line) => line.split(',')[0])).toEqual([
      'lead 6',
      'lead 7',
      'lead 8',
      'lead 9',
      'lead 10',
      'lead 11',
    ]);
  });

  test('a database that is down is "come again", and the chunk is whole afterwards', async () => {
    const { messages } = await running(6);
    const down = testCtx({
      ...database,
      neonProxyUrl: database.neonProxyUrl,
      url: database.url.replace(/:\d+\//, ':9/'),
    });
    await expect(
      processChunk(down, messages[0] as ChunkMessage, providers()),
    ).rejects.toMatchObject({
      code: 'service_unavailable',
    });
    expect(await processChunk(ctx, messages[0] as ChunkMessage, providers())).toMatchObject({
      outcome: 'committed',
    });
  });
});

describe('the watchdog', () => {
  test('goes on with a dispatch that died after the hold was committed', async () => {
    const userId = await newUser();
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    const dead = { batchJSON: () => Promise.reject(new Error('QStash is down')) };
    const text = csv(20);
    await uploadInput(
      { ...ctx, qstash: dead as never },
      { userId, jobId: job.id, body: streamOf(text), contentLength: text.length },
    );
    fixture.published = [];
    expect(await recoverStalledJobs(ctx)).toMatchObject({ stalled: 0 });
    await database.pool.query(
      "update jobs set dispatched_at = now() - interval '30 seconds' where id = $1",
      [job.id],
    );
    await recoverStalledJobs(ctx);
    expect(fixture.published.map(({ body }) => body.chunk)).toEqual([0, 1, 2, 3]);
  });

  test('publishes lost chunks again, under another deduplication id, and gives up the hopeless', async () => {
    const { userId, jobId, messages } = await running(18);
    const before = new Set(fixture.published.map(({ deduplicationId }) => deduplicationId));
    await processChunk(ctx, messages[0] as ChunkMessage, providers());
    await database.pool.query(
      'update job_chunks set fruitless_leases = 8 where job_id = $1 and index = 1',
      [jobId],
    );
    await database.pool.query(
      "update jobs set progress_at = now() - interval '4 minutes' where id = $1",
      [jobId],
    );
    fixture.published = [];
    await Promise.all([recoverStalledJobs(ctx), recoverStalledJobs(ctx)]);
    expect(fixture.published.map(({ body }) => body.chunk)).toEqual([2]);
    expect(fixture.published.some(({ deduplicationId }) => before.has(deduplicationId))).toBe(
      false,
    );
    await processChunk(ctx, messages[2] as ChunkMessage, providers());
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      rows: { succeeded: 12, failed: 6 },
    });
  });
});

test('an unlimited plan runs without a hold and records the usage', async () => {
  const userId = await newUser(0);
  await fixture.goUnlimited(userId);
  const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
  fixture.published = [];
  await upload(userId, job.id, csv(6));
  await processChunk(ctx, fixture.published[0]?.body as ChunkMessage, providers(['lead 1']));
  const { rows } = await database.pool.query(
    "select kind, amount, details from credit_entries where user_id = $1 and kind not in ('signup', 'plan_grant')",
    [userId],
  );
  expect(rows).toEqual([{ kind: 'usage', amount: 0, details: { rows: 5 } }]);
});
