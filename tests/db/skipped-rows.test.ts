import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { startAwaitingJobs } from '../../functions/jobs/start-awaiting-jobs.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { failChunk } from '../../functions/processing/fail-chunks.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { JobFixture, providers } from '../support/job-fixture.ts';

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await JobFixture.open();
});
afterAll(() => fixture.close());

const work = async (messages: ChunkMessage[], failing: string[] = []) => {
  for (const message of messages) await processChunk(fixture.ctx, message, providers(failing));
};

const blank = ' ,\n';
const leads = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `lead ${from + i},Bonn\n`).join('');

const ok = (i: number) => `lead ${i},Bonn,lead ${i}: about lead ${i},,Hello,Dear lead ${i},ok,,`;
const skipped = '" ",,,,,,skipped,,empty row';

/** A job whose upload has been sent; what came of that. */
async function sent(rows: string, credits = 500) {
  const userId = await fixture.newUser(credits);
  const { job } = await createJob(fixture.ctx, { userId, filename: 'leads.csv' });
  fixture.published = [];
  const upload = await fixture
    .upload(userId, job.id, `name,city\n${rows}`)
    .then((answer) => ({ answer }))
    .catch((error: unknown) => ({ error }));
  return { userId, jobId: job.id, ...upload, messages: fixture.messages() };
}

type Of = { userId: string; jobId: string };
const creditsOf = ({ userId }: Of) => fixture.credits(userId);
const outputOf = async ({ userId, jobId }: Of, partial = false): Promise<string[]> =>
  (await fixture.output(userId, jobId, partial)).slice(1);

test('what the reader noticed is told with the job', async () => {
  const userId = await fixture.newUser();
  const { job } = await createJob(fixture.ctx, { userId, filename: 'leads.csv' });
  const warnings = ['1 line above the header was left out.'];
  const text = `Leads of May\nname,city\n${leads(0, 3)}`;
  expect(await fixture.upload(userId, job.id, text)).toMatchObject({
    warnings,
    rows: { total: 3 },
  });
  expect(await readJob(fixture.ctx, { userId, jobId: job.id })).toMatchObject({ warnings });
});

describe('rows without content', () => {
  test('are not held for, worked or charged; they come out as they came, at their place', async () => {
    const job = await sent(`${blank}${leads(0, 4)}${blank}${blank}${leads(4, 8)}${blank}`);
    expect(job).toMatchObject({
      answer: {
        status: 'running',
        rows: { total: 12, done: 4, succeeded: 0, failed: 0, skipped: 4 },
        credits: { held: 8 },
        warnings: [],
      },
    });
    expect(await creditsOf(job)).toEqual({ balance: 492, held: 8 });
    await work(job.messages.slice(0, 1));
    expect((await outputOf(job, true)).filter((line) => line === skipped)).toHaveLength(4);
    await work(job.messages.slice(1));
    expect(await readJob(fixture.ctx, job)).toMatchObject({
      status: 'completed',
      rows: { total: 12, done: 12, succeeded: 8, failed: 0, skipped: 4 },
      credits: { held: 0, charged: 8, released: 0 },
      progress: 1,
    });
    expect(await creditsOf(job)).toEqual({ balance: 492, held: 0 });
    expect(await outputOf(job)).toEqual([
      skipped,
      ...[0, 1, 2, 3].map(ok),
      skipped,
      skipped,
      ...[4, 5, 6, 7].map(ok),
      skipped,
    ]);
    await expect(retryJob(fixture.ctx, job)).rejects.toMatchObject({ code: 'nothing_to_retry' });
  });

  test('a thousand that a spreadsheet left behind need no message of the queue', async () => {
    const job = await sent(leads(0, 6) + blank.repeat(990), 6);
    expect(job).toMatchObject({ answer: { rows: { total: 996, done: 990 }, status: 'running' } });
    const [chunks] = await fixture.query(
      "select count(*) filter (where status = 'pending')::int as pending, count(*)::int as chunks from job_chunks where job_id = $1",
      [job.jobId],
    );
    expect(job.messages).toHaveLength(Number(chunks?.['pending']));
    expect(job.messages.length).toBeLessThan(Number(chunks?.['chunks']) / 5);
    await work(job.messages);
    expect(await outputOf(job)).toEqual([
      ...[0, 1, 2, 3, 4, 5].map(ok),
      ...Array<string>(990).fill(skipped),
    ]);
    expect(await creditsOf(job)).toEqual({ balance: 0, held: 0 });
  });

  test('a file of nothing else is refused, and nothing of it is kept', async () => {
    const job = await sent(blank.repeat(100));
    expect(job).toMatchObject({
      error: {
        code: 'csv_invalid',
        extra: { line: 2, reason: 'There are no rows below the header.' },
      },
    });
    expect(
      await fixture.query(
        'select status, rows_total as rows, (select count(*)::int from job_chunks c where c.job_id = j.id) as chunks from jobs j where id = $1',
        [job.jobId],
      ),
    ).toEqual([{ status: 'created', rows: 0, chunks: 0 }]);
  });

  test('do not count towards the most rows of a file', async () => {
    // MAX_ROWS is 500 here.
    expect(await sent(leads(0, 500) + blank.repeat(300))).toMatchObject({
      answer: { rows: { total: 800, skipped: 300 } },
    });
    expect(await sent(leads(0, 501))).toMatchObject({ error: { code: 'too_large' } });
  });
});

describe('too few credits', () => {
  test('what is needed are those of the rows with content, and so many start it', async () => {
    const job = await sent(leads(0, 5) + blank.repeat(20), 4);
    expect(job).toMatchObject({
      error: { code: 'insufficient_credits', extra: { required: 5, balance: 4 } },
    });
    expect(await readJob(fixture.ctx, job)).toMatchObject({
      status: 'awaiting_credits',
      rows: { total: 25, done: 20, skipped: 20 },
    });
    await expect(startJob(fixture.ctx, job)).rejects.toMatchObject({ extra: { required: 5 } });
    await fixture.topUp(job.userId, 1);
    expect(await startAwaitingJobs(fixture.ctx, { userId: job.userId })).toBe(1);
    expect(await creditsOf(job)).toEqual({ balance: 0, held: 5 });
  });

  test('another file for the same job has skipped rows of its own only', async () => {
    const job = await sent(leads(0, 5) + blank.repeat(20), 1);
    await fixture.upload(job.userId, job.jobId, `name,city\n${leads(7, 8)}`);
    expect(await readJob(fixture.ctx, job)).toMatchObject({
      status: 'running',
      rows: { total: 1, done: 0, skipped: 0 },
      warnings: [],
    });
    expect(await creditsOf(job)).toEqual({ balance: 0, held: 1 });
  });
});

test("an unlimited plan's day counts the rows with content", async () => {
  const userId = await fixture.newUser(0);
  await fixture.goUnlimited(userId);
  const { job } = await createJob(fixture.ctx, { userId, filename: 'leads.csv' });
  await fixture.upload(userId, job.id, `name,city\n${leads(0, 5)}${blank.repeat(20)}`);
  const counted = () =>
    fixture.query('select rows_unlimited as rows from user_days where user_id = $1', [userId]);
  expect(await counted()).toEqual([{ rows: 5 }]);
  await cancelJob(fixture.ctx, { userId, jobId: job.id });
  expect(await counted()).toEqual([{ rows: 0 }]);
});

describe('a job that does not go well', () => {
  test('a retry works and holds for the failed rows alone', async () => {
    const job = await sent(blank + leads(0, 4) + blank + leads(4, 9));
    await work(job.messages, ['lead 2', 'lead 7']);
    expect(await readJob(fixture.ctx, job)).toMatchObject({
      status: 'completed',
      rows: { total: 11, done: 11, succeeded: 7, failed: 2, skipped: 2 },
      credits: { charged: 7, released: 2 },
    });
    fixture.published = [];
    expect(await retryJob(fixture.ctx, job)).toMatchObject({
      status: 'running',
      rows: { done: 9, succeeded: 7, failed: 0, skipped: 2 },
      credits: { held: 2 },
    });
    await work(fixture.messages());
    expect(await readJob(fixture.ctx, job)).toMatchObject({
      status: 'completed',
      rows: { total: 11, done: 11, succeeded: 9, failed: 0, skipped: 2 },
    });
    expect(await outputOf(job)).toEqual([
      skipped,
      ...[0, 1, 2, 3].map(ok),
      skipped,
      ...[4, 5, 6, 7, 8].map(ok),
    ]);
    expect(await creditsOf(job)).toEqual({ balance: 491, held: 0 });
  });

  test('a cancel gives back what was held, no more; a retry of it goes on', async () => {
    const job = await sent(leads(0, 3) + blank.repeat(4) + leads(3, 14) + blank);
    await work(job.messages.slice(0, 1));
    const done = (await readJob(fixture.ctx, job)).rows.succeeded;
    expect(await cancelJob(fixture.ctx, job)).toMatchObject({
      status: 'cancelled',
      rows: { total: 19, done: done + 5, succeeded: done, skipped: 5 },
      credits: { charged: done, released: 14 - done },
    });
    expect(await creditsOf(job)).toEqual({ balance: 500 - done, held: 0 });
    const cancelled = await outputOf(job);
    expect(cancelled.filter((line) => line === skipped)).toHaveLength(5);
    expect(cancelled.at(-2)).toBe('lead 13,Bonn,,,,,error,The job was cancelled,');
    fixture.published = [];
    await retryJob(fixture.ctx, job);
    await work(fixture.messages());
    expect(await readJob(fixture.ctx, job)).toMatchObject({
      status: 'completed',
      rows: { succeeded: 14, skipped: 5 },
    });
    expect(await creditsOf(job)).toEqual({ balance: 486, held: 0 });
  });

  test('a chunk that is given up fails its rows with content; with no other the job failed', async () => {
    const job = await sent(leads(0, 2) + blank.repeat(2));
    for (const message of job.messages) await failChunk(fixture.ctx, message, 'Given up');
    expect(await readJob(fixture.ctx, job)).toMatchObject({
      status: 'failed',
      error: 'Given up',
      rows: { total: 4, done: 4, succeeded: 0, failed: 2, skipped: 2 },
      credits: { charged: 0, released: 2 },
    });
    expect((await outputOf(job)).slice(1)).toEqual([
      'lead 1,Bonn,,,,,error,Given up,',
      skipped,
      skipped,
    ]);
    expect(await creditsOf(job)).toEqual({ balance: 500, held: 0 });
  });
});
