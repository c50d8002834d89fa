import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createJob } from '../../functions/jobs/create-job.ts';
import { purgeJobs } from '../../functions/jobs/purge-jobs.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { readOutput } from '../../functions/jobs/read-output.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { sweepOn } from '../../functions/sweeps/sweeps.ts';
import { csvOf, JobFixture, providers } from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open();
  ctx = { ...fixture.ctx, log: () => undefined };
});
afterAll(() => fixture.close());
beforeEach(() => fixture.query('update jobs set purged_at = now() where purged_at is null'));

const one = { p_chunks: 1, p_bytes: 1_000_000_000 };

async function ended(rows: number) {
  const job = await fixture.running(rows);
  for (const message of job.messages) await processChunk(ctx, message, providers(['lead 2']));
  return job;
}
const age = (jobId: string, days = 31) =>
  fixture.query(
    `update jobs set created_at = created_at - $2 * interval '1 day',
        finished_at = finished_at - $2 * interval '1 day', progress_at = progress_at - $2 * interval '1 day'
      where id = $1`,
    [jobId, days],
  );
const chunks = async (jobId: string) =>
  (await fixture.query('select 1 from job_chunks where job_id = $1', [jobId])).length;
const stored = async (jobId: string) =>
  (
    await fixture.query(
      'select status, purged_at is not null as purged, bytes_stored from jobs where id = $1',
      [jobId],
    )
  )[0];
const read = (of: { userId: string; jobId: string }) =>
  readOutput(ctx, { ...of, options: { partial: false, raw: false, bom: false } });
const expired = { code: 'rows_expired' };

/** A job of so many rows that awaits credits. */
async function awaiting(rows: number) {
  const userId = await fixture.newUser(1);
  const { job } = await createJob(ctx, { userId, filename: 'a.csv' });
  await fixture.upload(userId, job.id, csvOf(rows)).catch(() => undefined);
  return { userId, jobId: job.id };
}

test('from the first chunk on nobody reads or works a job whose rows go', async () => {
  const job = await ended(18);
  await fixture.query('update jobs set bytes_stored = 1000 where id = $1', [job.jobId]);
  const { body } = await read(job);
  await age(job.jobId);
  expect(await purgeJobs(ctx, one)).toMatchObject({ purged: 0, worked: 1, isMore: true });
  expect(await chunks(job.jobId)).toBe(2);
  expect(await stored(job.jobId)).toMatchObject({ purged: false });
  await expect(new Response(body).text()).rejects.toMatchObject(expired);
  await expect(read(job)).rejects.toMatchObject(expired);
  await expect(retryJob(ctx, job)).rejects.toMatchObject(expired);
  expect(await readJob(ctx, job)).toMatchObject({ status: 'completed', rows: { succeeded: 17 } });
  await purgeJobs(ctx, one);
  expect(await purgeJobs(ctx, one)).toMatchObject({ purged: 1, worked: 2 });
  expect(await stored(job.jobId)).toEqual({ status: 'completed', purged: true, bytes_stored: 0 });
  expect(await purgeJobs(ctx, one)).toMatchObject({ worked: 0, isMore: false });
});

test('a job that was left lying is cancelled when its rows begin to go', async () => {
  const job = await awaiting(18);
  await age(job.jobId);
  await purgeJobs(ctx, one);
  expect(await readJob(ctx, job)).toMatchObject({ status: 'cancelled' });
  await fixture.topUp(job.userId, 100);
  await expect(startJob(ctx, job)).rejects.toMatchObject({ code: 'job_not_open' });
  await expect(retryJob(ctx, job)).rejects.toMatchObject(expired);
  await expect(fixture.upload(job.userId, job.jobId, csvOf(6))).rejects.toMatchObject({
    code: 'job_not_open',
  });
  await sweepOn(ctx, { name: 'expired_rows' });
  expect(await chunks(job.jobId)).toBe(0);
  expect(await readJob(ctx, job)).toMatchObject({
    status: 'cancelled',
    finishedAt: expect.any(String) as string,
  });
});

test('jobs that are created or await credits are cancelled after the retention without a change', async () => {
  const userId = await fixture.newUser(1);
  const make = async () => (await createJob(ctx, { userId, filename: 'a.csv' })).job.id;
  const [left, lately, uploaded, started] = [
    await make(),
    await make(),
    await make(),
    await make(),
  ];
  for (const jobId of [left, uploaded, started]) await age(jobId);
  await age(lately, 29);
  // A sign of life: the rest of the retention begins anew.
  await fixture.upload(userId, uploaded, csvOf(9)).catch(() => undefined);
  await fixture.upload(userId, started, csvOf(1));
  const waiting = await awaiting(9);
  await age(waiting.jobId);
  await sweepOn(ctx, { name: 'expired_rows' });
  const statuses = await Promise.all(
    [left, lately, uploaded, started].map(
      async (jobId) => (await readJob(ctx, { userId, jobId })).status,
    ),
  );
  expect(statuses).toEqual(['cancelled', 'created', 'awaiting_credits', 'running']);
  expect((await readJob(ctx, waiting)).status).toBe('cancelled');
});

test('a page ends at so many bytes as well, and takes one chunk at least', async () => {
  const job = await ended(18);
  await age(job.jobId);
  expect(await purgeJobs(ctx, { p_chunks: 100, p_bytes: 1 })).toMatchObject({
    worked: 1,
    isMore: true,
  });
  expect(await chunks(job.jobId)).toBe(2);
});

test('many jobs of one user do not keep another from being purged', async () => {
  const greedy = await fixture.newUser();
  await fixture.query(
    `insert into jobs (user_id, filename, processor, prompt, created_at)
      select $1, 'a.csv', 'research_email', '', now() - interval '40 days' from generate_series(1, 350)`,
    [greedy],
  );
  const other = await ended(6);
  await age(other.jobId);
  await sweepOn(ctx, { name: 'expired_rows' });
  expect(await stored(other.jobId)).toMatchObject({ purged: true });
  const left = await fixture.query('select 1 from jobs where user_id = $1 and purged_at is null', [
    greedy,
  ]);
  expect(left).toEqual([]);
});

test('two purges side by side wait for nobody and leave nothing', async () => {
  const jobs = [await ended(12), await ended(12), await ended(12)];
  for (const { jobId } of jobs) await age(jobId);
  await Promise.all([1, 2, 3].map(() => sweepOn(ctx, { name: 'expired_rows' })));
  for (const { jobId } of jobs) {
    expect(await chunks(jobId)).toBe(0);
    expect(await stored(jobId)).toMatchObject({ purged: true });
  }
});
