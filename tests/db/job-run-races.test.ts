import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { changeJob } from '../../functions/jobs/change-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { pauseJob } from '../../functions/jobs/pause-job.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { sampleJob } from '../../functions/jobs/sample-job.ts';
import { startAwaitingJobs } from '../../functions/jobs/start-awaiting-jobs.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { leaseChunk } from '../../functions/processing/lease-chunk.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { csvOf, gate, JobFixture, providers } from '../support/job-fixture.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';

let fixture: JobFixture;
let ctx: Ctx;
beforeAll(async () => {
  fixture = await JobFixture.open();
  ({ ctx } = fixture);
});
beforeEach(() => {
  fixture.published = [];
});
afterAll(() => fixture.close());

type Of = { userId: string; jobId: string };

const job = (of: Of) => readJob(ctx, of);
const leases = async ({ jobId }: Of): Promise<number> => {
  const [found] = await fixture.query<{ n: number }>(
    'select count(*)::int as n from job_chunks where job_id = $1 and lease_until > now()',
    [jobId],
  );
  return found?.n ?? 0;
};
const untilLeased = async (of: Of, count: number): Promise<void> => {
  while ((await leases(of)) < count) await new Promise((resolve) => setTimeout(resolve, 10));
};

/** The same database, but that a sample is begun there only after `first`. */
function samplingAfter(first: Promise<unknown>): Ctx {
  const call = async (...told: [name: string, ...rest: unknown[]]): Promise<unknown> => {
    if (told[0] === 'job_sample') await first;
    return Reflect.apply(ctx.db.call, ctx.db, told);
  };
  return { ...ctx, db: { ...ctx.db, call } };
}

test('a duplicate that was sampled is skipped again once its result is dropped', async () => {
  const of = await fixture.ready('name,city\nlead 1,Bonn\nlead 1,Bonn\nlead 2,Bonn\n');
  await sampleJob(ctx, { ...of, rows: 3 }, providers());
  expect(await changeJob(ctx, { ...of, change: { duplicates: 'skip' } })).toMatchObject({
    rows: { done: 3, succeeded: 3, skipped: 0 },
  });
  expect(await changeJob(ctx, { ...of, change: { processor: 'classify' } })).toMatchObject({
    rows: { done: 1, succeeded: 0, skipped: 1 },
  });
  expect(
    await changeJob(ctx, { ...of, change: { processor: 'research_email', duplicates: null } }),
  ).toMatchObject({ rows: { done: 0, skipped: 0 } });
  await changeJob(ctx, { ...of, change: { duplicates: 'skip' } });
  await startJob(ctx, of);
  await fixture.workAll();
  expect(await job(of)).toMatchObject({
    status: 'completed',
    rows: { done: 3, succeeded: 2, skipped: 1 },
    credits: { charged: 5 },
  });
});

test('a sample that was cancelled before its first commit leaves nothing chosen', async () => {
  const of = await fixture.ready();
  void sampleJob(ctx, { ...of, rows: 3 }, gate().slots).catch(() => undefined);
  await untilLeased(of, 1);
  await cancelJob(ctx, of);
  await fixture.expireLeases(of.jobId);
  fixture.published = [];
  await retryJob(ctx, { ...of, rows: [17] });
  expect(fixture.messages().map(({ chunk }) => chunk)).toEqual([2]);
  await fixture.workAll();
  expect(await job(of)).toMatchObject({
    status: 'cancelled',
    rows: { done: 1 },
    credits: { held: 0, charged: 1 },
  });
});

test('of two samples, one by an older look, the second works nothing again', async () => {
  const of = await fixture.ready();
  let first: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    first = resolve;
  });
  const late = sampleJob(samplingAfter(done), { ...of, rows: 3 }, providers());
  await new Promise((resolve) => setTimeout(resolve, 100));
  await sampleJob(ctx, { ...of, rows: 3 }, providers());
  first();
  expect(await late).toEqual([0, 1, 2]);
  expect(await job(of)).toMatchObject({ status: 'ready', credits: { held: 0, charged: 3 } });
});

test('a sample that finds another at work, and then done, shows its rows', async () => {
  const of = await fixture.ready();
  const slow = gate();
  const first = sampleJob(ctx, { ...of, rows: 3 }, slow.slots);
  await untilLeased(of, 1);
  const second = sampleJob(samplingAfter(first), { ...of, rows: 3 }, providers());
  await new Promise((resolve) => setTimeout(resolve, 100));
  slow.open();
  expect(await second).toEqual([0, 1, 2]);
  expect(await job(of)).toMatchObject({ status: 'ready', credits: { charged: 3 } });
});

test('a change that concerns no row lets samples stand', async () => {
  const of = await fixture.ready();
  await sampleJob(ctx, { ...of, rows: 2 }, providers());
  await changeJob(ctx, { ...of, change: { notifyUrl: 'https://example.com/hook' } });
  await sampleJob(ctx, { ...of, rows: 2 }, providers());
  expect(await job(of)).toMatchObject({ credits: { charged: 2 } });
  await fixture.query(`insert into user_profiles (user_id, sender) values ($1, '{"name":"Ada"}')`, [
    of.userId,
  ]);
  // Another sender writes other mails.
  await sampleJob(ctx, { ...of, rows: 2 }, providers());
  expect(await job(of)).toMatchObject({ credits: { charged: 4 } });
});

test('a job that awaits credits no more starts by itself once it is to start by hand', async () => {
  const userId = await fixture.newUser(5);
  const { job: created } = await createJob(ctx, { userId, filename: 'a.csv' });
  const of = { userId, jobId: created.id };
  await expect(fixture.upload(userId, created.id, csvOf(18))).rejects.toMatchObject({
    code: 'insufficient_credits',
  });
  await changeJob(ctx, { ...of, change: { start: 'manual' } });
  await fixture.topUp(userId, 100);
  await startAwaitingJobs(ctx, { userId });
  expect(await job(of)).toMatchObject({ status: 'ready', credits: { held: 0 } });
});

test('a pause beside an invocation that has outlived its lease holds for nobody but the living', async () => {
  const { userId, jobId, messages } = await fixture.running(15);
  const of = { userId, jobId };
  const chunk = (index: number) =>
    messages.find((message) => message.chunk === index) as ChunkMessage;
  const [living, late] = [gate(), gate()];
  const working = processChunk(ctx, chunk(2), living.slots);
  const outliving = processChunk(ctx, chunk(0), late.slots);
  await untilLeased(of, 2);
  await fixture.query(
    "update job_chunks set lease_until = now() - interval '1 second' where job_id = $1 and index = 0",
    [jobId],
  );
  expect(await pauseJob(ctx, of)).toMatchObject({ status: 'paused', credits: { held: 3 } });
  late.open();
  expect(await outliving).toMatchObject({ outcome: 'stale' });
  living.open();
  expect(await working).toMatchObject({ outcome: 'committed' });
  expect(await job(of)).toMatchObject({ rows: { done: 3 }, credits: { held: 0, charged: 3 } });
  await assertBooksHold(fixture.database.pool);
});

test('a lease that waited while its job was paused is given back', async () => {
  const { userId, jobId, messages } = await fixture.running(15);
  const [message] = messages;
  if (!message) throw new Error('no message');
  const blocker = await fixture.database.pool.connect();
  await blocker.query('begin');
  await blocker.query('select 1 from job_chunks where job_id = $1 and index = $2 for update', [
    jobId,
    message.chunk,
  ]);
  const lease = leaseChunk(ctx, message, crypto.randomUUID());
  await new Promise((resolve) => setTimeout(resolve, 200));
  await pauseJob(ctx, { userId, jobId });
  await blocker.query('commit');
  blocker.release();
  expect((await lease).outcome).toBe('gone');
  expect(await leases({ userId, jobId })).toBe(0);
});

test('a retry of chosen rows that is done while it is paused leaves the job as it was', async () => {
  const { userId, jobId } = await fixture.running(18);
  const of = { userId, jobId };
  await cancelJob(ctx, of);
  fixture.published = [];
  await retryJob(ctx, { ...of, rows: [0] });
  const [message] = fixture.messages();
  if (!message) throw new Error('no message');
  const slow = gate();
  const working = processChunk(ctx, message, slow.slots);
  await untilLeased(of, 1);
  await pauseJob(ctx, of);
  slow.open();
  await working;
  expect(await job(of)).toMatchObject({
    status: 'cancelled',
    rows: { done: 1 },
    credits: { held: 0, charged: 1 },
  });
});

test('rows that an older version has counted end the job, and are charged', async () => {
  const { userId, jobId, messages } = await fixture.running(18);
  const [first, ...others] = messages;
  if (!first) throw new Error('no message');
  const results = Array.from({ length: 6 }, () => ({ status: 'ok', cells: ['', '', '', 'x'] }));
  await fixture.query(
    `update job_chunks set results = $3, rows_succeeded = 6, status = 'done' where job_id = $1 and index = $2`,
    [jobId, first.chunk, JSON.stringify(results)],
  );
  await fixture.query(
    'update jobs set rows_succeeded = rows_succeeded + 6, rows_done = rows_done + 6 where id = $1',
    [jobId],
  );
  for (const message of others) await processChunk(ctx, message, providers());
  expect(await job({ userId, jobId })).toMatchObject({
    status: 'completed',
    credits: { held: 0, charged: 18 },
  });
});
