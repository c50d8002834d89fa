import { retryJob } from '../../functions/jobs/retry-job.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { failChunk } from '../../functions/processing/fail-chunks.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { purgeJobs } from '../../functions/jobs/purge-jobs.ts';
import { listJobs, readJob } from '../../functions/jobs/read-job.ts';
import { readOutput } from '../../functions/jobs/read-output.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { recoverStalledJobs } from '../../functions/jobs/recover-stalled-jobs.ts';
import { csvOf, JobFixture, providers } from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open();
  ({ ctx } = fixture);
});
afterAll(() => fixture.close());

const work = async (messages: ChunkMessage[], failing: string[] = []) => {
  for (const message of messages) await processChunk(ctx, message, providers(failing));
};

const statuses = (lines: string[]): (string | undefined)[] =>
  lines.slice(1).map((line) => line.split(',').at(-3));

/** A job of 18 rows in three chunks, ended, with rows 2 and 7 failed. */
async function endedWithFailures(credits = 500) {
  const job = await fixture.running(18, credits);
  await work(job.messages, ['lead 2', 'lead 7']);
  fixture.published = [];
  return job;
}

describe('cancel', () => {
  test('keeps finished rows, gives the other credits back, takes the messages back', async () => {
    const { userId, jobId, messages } = await fixture.running(18);
    await work(messages.slice(0, 1));
    const of = { userId, jobId };
    expect(await cancelJob(ctx, of)).toMatchObject({
      status: 'cancelled',
      rows: { total: 18, done: 6, succeeded: 6, failed: 0 },
      credits: { held: 0, charged: 6, released: 12 },
    });
    expect(await fixture.credits(userId)).toEqual({ balance: 494, held: 0 });
    expect(fixture.cancelled).toContain(`job-${jobId}-1`);
    const lines = await fixture.output(userId, jobId);
    expect(statuses(lines)).toEqual([...Array(6).fill('ok'), ...Array(12).fill('error')]);
    expect(lines.at(-1)).toBe('lead 17,"Bonn, 17",,,,,error,The job was cancelled,');
  });

  test('twice, at once and with late deliveries: one release', async () => {
    const { userId, jobId, messages } = await fixture.running(12);
    const of = { userId, jobId };
    const outcomes = await Promise.all([
      cancelJob(ctx, of),
      cancelJob(ctx, of),
      processChunk(ctx, messages[0] as ChunkMessage, providers()),
    ]);
    expect(outcomes[0]).toMatchObject({ status: 'cancelled' });
    expect(await processChunk(ctx, messages[1] as ChunkMessage, providers())).toEqual({
      outcome: 'gone',
    });
    expect(await failChunk(ctx, messages[1] as ChunkMessage, 'x')).toEqual({ outcome: 'gone' });
    const { credits } = await readJob(ctx, of);
    expect(await fixture.credits(userId)).toEqual({ balance: 500 - credits.charged, held: 0 });
  });

  test('with the queue down it holds all the same', async () => {
    const { userId, jobId } = await fixture.running(6);
    const down = { http: { request: () => Promise.reject(new Error('down')) } };
    const job = await cancelJob({ ...ctx, qstash: down as never }, { userId, jobId });
    expect(job.status).toBe('cancelled');
  });

  test('before the start nothing was held; an ended job stays as it is', async () => {
    const userId = await fixture.newUser(10);
    const created = await createJob(ctx, { userId, filename: 'a.csv' });
    expect(await cancelJob(ctx, { userId, jobId: created.job.id })).toMatchObject({
      status: 'cancelled',
      credits: { held: 0, charged: 0, released: 0 },
    });
    await expect(fixture.upload(userId, created.job.id, csvOf(3))).rejects.toMatchObject({
      code: 'job_not_open',
    });
    const waiting = await createJob(ctx, { userId, filename: 'a.csv' });
    await fixture.upload(userId, waiting.job.id, csvOf(20)).catch(() => undefined);
    expect(await cancelJob(ctx, { userId, jobId: waiting.job.id })).toMatchObject({
      status: 'cancelled',
    });
    await expect(startJob(ctx, { userId, jobId: waiting.job.id })).rejects.toMatchObject({
      code: 'job_not_open',
    });
    const ended = await endedWithFailures();
    await expect(cancelJob(ctx, ended)).rejects.toMatchObject({ code: 'job_not_open' });
  });
});

describe('retry', () => {
  test('works the failed rows only, for their credits only', async () => {
    const { userId, jobId } = await endedWithFailures();
    const before = await fixture.output(userId, jobId);
    expect(await retryJob(ctx, { userId, jobId })).toMatchObject({
      status: 'running',
      rows: { total: 18, done: 16, succeeded: 16, failed: 0 },
      credits: { held: 2, charged: 16, released: 2 },
    });
    expect(fixture.messages()).toEqual([
      { jobId, run: 2, chunk: 0, revision: 1 },
      { jobId, run: 2, chunk: 1, revision: 1 },
    ]);
    await work(fixture.messages(), ['lead 7']);
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      rows: { done: 18, succeeded: 17, failed: 1 },
      credits: { held: 0, charged: 17, released: 3 },
    });
    expect(await fixture.credits(userId)).toEqual({ balance: 483, held: 0 });
    const after = await fixture.output(userId, jobId);
    expect(after.filter((line, i) => line !== before[i])).toEqual([
      'lead 2,"Bonn, 2",lead 2: about lead 2,,Hello,Dear lead 2,ok,,',
    ]);
  });

  test('a message of the run before does nothing; an error stays until its row is worked', async () => {
    const { userId, jobId, messages } = await endedWithFailures();
    await retryJob(ctx, { userId, jobId });
    expect(await processChunk(ctx, messages[0] as ChunkMessage, providers())).toEqual({
      outcome: 'gone',
    });
    expect(statuses(await fixture.output(userId, jobId, true))).toEqual(Array(16).fill('ok'));
    await cancelJob(ctx, { userId, jobId });
    const lines = await fixture.output(userId, jobId);
    expect(lines).toHaveLength(19);
    expect(lines[3]).toBe('lead 2,"Bonn, 2",,,,,error,Search answered 400,');
    expect(await fixture.credits(userId)).toEqual({ balance: 484, held: 0 });
  });

  test('of a cancelled job: whatever has not succeeded', async () => {
    const { userId, jobId, messages } = await fixture.running(18);
    await work(messages.slice(0, 1), ['lead 2']);
    await cancelJob(ctx, { userId, jobId });
    fixture.published = [];
    expect(await retryJob(ctx, { userId, jobId })).toMatchObject({ credits: { held: 13 } });
    await work(fixture.messages());
    expect(statuses(await fixture.output(userId, jobId))).toEqual(Array(18).fill('ok'));
    expect(await fixture.credits(userId)).toEqual({ balance: 482, held: 0 });
  });

  test('a chunk given up in the retry keeps what each row had', async () => {
    const { userId, jobId } = await endedWithFailures();
    await retryJob(ctx, { userId, jobId });
    for (const message of fixture.messages()) await failChunk(ctx, message, 'Given up');
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      rows: { succeeded: 16, failed: 2 },
    });
    expect((await fixture.output(userId, jobId))[3]).toContain(',error,Search answered 400');
  });

  test('too few credits, nothing failed, still running: the job stays as it is', async () => {
    const { userId, jobId } = await endedWithFailures(18);
    await fixture.topUp(userId, -2);
    await expect(retryJob(ctx, { userId, jobId })).rejects.toMatchObject({
      code: 'insufficient_credits',
      extra: { required: 2, balance: 0 },
    });
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      rows: { failed: 2 },
    });
    const whole = await fixture.running(6);
    await expect(retryJob(ctx, whole)).rejects.toMatchObject({ code: 'job_running' });
    await work(whole.messages);
    await expect(retryJob(ctx, whole)).rejects.toMatchObject({ code: 'nothing_to_retry' });
  });

  test('two at once start one run', async () => {
    const { userId, jobId } = await endedWithFailures();
    const outcomes = await Promise.allSettled([1, 2].map(() => retryJob(ctx, { userId, jobId })));
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await fixture.credits(userId)).toEqual({ balance: 482, held: 2 });
  });
});

describe('delete and retention', () => {
  const chunks = (jobId: string) =>
    fixture.query('select count(*)::int as n from job_chunks where job_id = $1', [jobId]);

  test('a deleted job is gone with its rows; the ledger keeps its entries', async () => {
    const { userId, jobId } = await endedWithFailures();
    await deleteJob(ctx, { userId, jobId });
    expect(await chunks(jobId)).toEqual([{ n: 0 }]);
    await expect(readJob(ctx, { userId, jobId })).rejects.toMatchObject({ code: 'not_found' });
    await expect(fixture.output(userId, jobId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(retryJob(ctx, { userId, jobId })).rejects.toMatchObject({ code: 'not_found' });
    await expect(deleteJob(ctx, { userId, jobId })).rejects.toMatchObject({ code: 'not_found' });
    expect((await listJobs(ctx, { userId, limit: 10 })).items).toEqual([]);
    expect(await fixture.credits(userId)).toEqual({ balance: 484, held: 0 });
    const left = await fixture.query(
      'select filename, prompt, header, columns, idempotency_key from jobs where id = $1',
      [jobId],
    );
    expect(left).toEqual([
      { filename: '', prompt: '', header: null, columns: null, idempotency_key: null },
    ]);
  });

  test('a running one gives its credits back first; deliveries find nothing', async () => {
    const { userId, jobId, messages } = await fixture.running(12);
    await work(messages.slice(0, 1));
    await deleteJob(ctx, { userId, jobId });
    expect(await fixture.credits(userId)).toEqual({ balance: 494, held: 0 });
    expect(fixture.cancelled).toContain(`job-${jobId}-1`);
    expect(await processChunk(ctx, messages[1] as ChunkMessage, providers())).toEqual({
      outcome: 'gone',
    });
  });

  test("another user's job is not there to be cancelled, retried or deleted", async () => {
    const { jobId } = await endedWithFailures();
    const of = { userId: await fixture.newUser(), jobId };
    for (const verb of [cancelJob, retryJob, deleteJob])
      await expect(verb(ctx, of)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('rows and results go after the retention, in whatever state the job was left', async () => {
    const ended = await endedWithFailures();
    const young = await endedWithFailures();
    const running = await fixture.running(6);
    const userId = await fixture.newUser(1);
    const waiting = await createJob(ctx, { userId, filename: 'a.csv' });
    await fixture.upload(userId, waiting.job.id, csvOf(9)).catch(() => undefined);
    const old = [ended.jobId, running.jobId, waiting.job.id];
    await fixture.query(
      `update jobs set created_at = created_at - interval '31 days', finished_at = finished_at - interval '31 days',
             progress_at = progress_at - interval '31 days'
         where id = any($1)`,
      [old],
    );
    expect(await purgeJobs(ctx)).toMatchObject({ purged: 2 });
    expect(await purgeJobs(ctx)).toMatchObject({ purged: 0 });
    for (const jobId of [ended.jobId, waiting.job.id])
      expect(await chunks(jobId)).toEqual([{ n: 0 }]);
    await expect(fixture.output(ended.userId, ended.jobId)).rejects.toMatchObject({
      code: 'rows_expired',
    });
    await expect(retryJob(ctx, ended)).rejects.toMatchObject({ code: 'rows_expired' });
    expect(await readJob(ctx, ended)).toMatchObject({ status: 'completed', rows: { total: 18 } });
    expect(await readJob(ctx, { userId, jobId: waiting.job.id })).toMatchObject({
      status: 'cancelled',
    });
    expect(await fixture.output(young.userId, young.jobId)).toHaveLength(19);
    await work(running.messages);
    expect(await fixture.output(running.userId, running.jobId)).toHaveLength(7);
  });
});

test('an output that is being read breaks off when its rows go, rather than end early', async () => {
  const { userId, jobId } = await endedWithFailures();
  const { body } = await readOutput(ctx, {
    userId,
    jobId,
    options: { partial: false, raw: false, bom: false },
  });
  await deleteJob(ctx, { userId, jobId });
  await expect(new Response(body).text()).rejects.toMatchObject({ code: 'rows_expired' });
});

test('a job under way for longer than the retention is left alone', async () => {
  const userId = await fixture.newUser(1);
  const { job } = await createJob(ctx, { userId, filename: 'a.csv' });
  await fixture.query(
    "update jobs set created_at = created_at - interval '31 days' where id = $1",
    [job.id],
  );
  await fixture.upload(userId, job.id, csvOf(9)).catch(() => undefined);
  expect(await purgeJobs(ctx)).toMatchObject({ purged: 0 });
  expect(await readJob(ctx, { userId, jobId: job.id })).toMatchObject({
    status: 'awaiting_credits',
    rows: { total: 9 },
  });
});

test('a retry with another price charges each row at its own', async () => {
  const { userId, jobId } = await endedWithFailures();
  const dearer = { ...ctx, config: { ...ctx.config, creditsPerRow: 3 } };
  await retryJob(dearer, { userId, jobId });
  await work(fixture.messages());
  expect(await readJob(ctx, { userId, jobId })).toMatchObject({
    credits: { held: 0, charged: 16 + 2 * 3, released: 2 },
  });
  expect(await fixture.credits(userId)).toEqual({ balance: 500 - 22, held: 0 });
});

describe('the time limit of an invocation', () => {
  const limits = { startMs: 60, stopMs: 400 };

  test('near it the rows that are done are committed and the rest is queued again', async () => {
    const slow = { ...ctx, config: { ...ctx.config, parallelRowsPerInvocation: 2 } };
    const { userId, jobId, messages } = await fixture.running(6);
    const [message] = messages as [ChunkMessage];
    const late = providers();
    const waits: typeof late = {
      ...late,
      fetch: async (...args) => {
        await new Promise((resolve) => setTimeout(resolve, 40));
        return late.fetch(...args);
      },
    };
    fixture.published = [];
    expect(await processChunk(slow, message, waits, limits)).toMatchObject({
      outcome: 'committed',
    });
    const { rows, status } = await readJob(ctx, { userId, jobId });
    expect(status).toBe('running');
    expect(rows.done).toBeGreaterThan(0);
    expect(rows.done).toBeLessThan(6);
    expect(fixture.messages()).toEqual([{ ...message, revision: 1 }]);
    expect(await fixture.output(userId, jobId, true)).toHaveLength(1 + rows.done);
    // The queue gives the first message up, for all that it knows: its rest has one of its own.
    expect(await failChunk(ctx, message, 'Could not be processed')).toEqual({ outcome: 'stale' });
    for (let i = 0; i < 6; i += 1) await processChunk(slow, message, waits, limits);
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'completed',
      rows: { succeeded: 6 },
      credits: { charged: 6 },
    });
    expect(await fixture.output(userId, jobId)).toEqual([
      'name,city,research_summary,research_sources,email_subject,email_body,row_status,row_error,row_note',
      ...Array.from(
        { length: 6 },
        (_, i) => `lead ${i},"Bonn, ${i}",lead ${i}: about lead ${i},,Hello,Dear lead ${i},ok,,`,
      ),
    ]);
  });

  test('the queue is down for the rest: this delivery comes again', async () => {
    const { jobId, messages } = await fixture.running(6);
    const [message] = messages as [ChunkMessage];
    const down = { batchJSON: () => Promise.reject(new Error('down')) };
    const none = { startMs: 0, stopMs: 100 };
    await expect(
      processChunk({ ...ctx, qstash: down as never }, message, providers(), none),
    ).rejects.toMatchObject({ code: 'busy' });
    expect(await processChunk(ctx, message, providers())).toMatchObject({ outcome: 'committed' });
    expect(await fixture.query('select status from jobs where id = $1', [jobId])).toEqual([
      { status: 'completed' },
    ]);
  });
});

test('a row without content is skipped, asks nobody and costs nothing', async () => {
  const userId = await fixture.newUser();
  const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
  fixture.published = [];
  await fixture.upload(userId, job.id, 'name,city\nlead 1,Bonn\n,\n');
  await work(fixture.messages());
  expect(await fixture.output(userId, job.id)).toEqual([
    'name,city,research_summary,research_sources,email_subject,email_body,row_status,row_error,row_note',
    'lead 1,Bonn,lead 1: about lead 1,,Hello,Dear lead 1,ok,,',
    ',,,,,,skipped,,empty row',
  ]);
  expect(await fixture.credits(userId)).toEqual({ balance: 499, held: 0 });
});

describe('the watchdog', () => {
  const quiet = (jobId: string, minutes: number) =>
    fixture.query(
      `update jobs set progress_at = now() - $2 * interval '1 minute',
          dispatched_at = now() - $2 * interval '1 minute' where id = $1`,
      [jobId, minutes],
    );

  test('waits twice as long after each time that brought nothing', async () => {
    const { jobId } = await fixture.running(6);
    const seen: number[] = [];
    for (const minutes of [3, 3, 5, 7, 9]) {
      await quiet(jobId, minutes);
      seen.push((await recoverStalledJobs(ctx)).stalled);
    }
    expect(seen).toEqual([1, 0, 1, 0, 1]);
    await cancelJob(ctx, {
      userId:
        (
          await fixture.query<{ id: string }>('select user_id as id from jobs where id = $1', [
            jobId,
          ])
        )[0]?.id ?? '',
      jobId,
    });
  });

  test('does not flood a queue that is only slow', async () => {
    const { userId, jobId, messages } = await fixture.running(60);
    fixture.published = [];
    for (const message of messages.slice(0, 5)) {
      await quiet(jobId, 2.5);
      await recoverStalledJobs(ctx);
      await work([message]);
    }
    // Once; the next time it waits twice as long.
    expect(fixture.published).toHaveLength(10);
    await cancelJob(ctx, { userId, jobId });
  });

  test('ends a job in the end whose deliveries never come', async () => {
    const { userId, jobId } = await fixture.running(6);
    for (let i = 0; i < 9; i += 1) {
      await quiet(jobId, 60);
      await recoverStalledJobs(ctx);
    }
    expect(await readJob(ctx, { userId, jobId })).toMatchObject({
      status: 'failed',
      rows: { failed: 6 },
      credits: { held: 0, released: 6 },
    });
  });

  test('leaves a job alone that waits behind another one of its user', async () => {
    const first = await fixture.running(12);
    const { job } = await createJob(ctx, { userId: first.userId, filename: 'second.csv' });
    await fixture.upload(first.userId, job.id, csvOf(6));
    await work(first.messages.slice(0, 1));
    await quiet(job.id, 10);
    expect(await recoverStalledJobs(ctx)).toMatchObject({ stalled: 0 });
    await work(first.messages.slice(1));
    expect(await recoverStalledJobs(ctx)).toMatchObject({ stalled: 1 });
  });

  test('a retry whose dispatch died publishes only what is to be worked', async () => {
    const { userId, jobId } = await endedWithFailures();
    const down = { batchJSON: () => Promise.reject(new Error('down')) };
    await retryJob({ ...ctx, qstash: down as never }, { userId, jobId });
    await quiet(jobId, 1);
    await recoverStalledJobs(ctx);
    expect(fixture.messages().filter((message) => message.jobId === jobId)).toEqual([
      { jobId, run: 2, chunk: 0, revision: 1 },
      { jobId, run: 2, chunk: 1, revision: 1 },
    ]);
  });
});
