import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { startAwaitingJobs } from '../../functions/jobs/start-awaiting-jobs.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { failChunks } from '../../functions/processing/fail-chunks.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import type { SlotFetch } from '../../functions/providers/connection-limiter.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { csvOf, JobFixture, providerFetch, slotsOf } from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open({ FREE_ERROR_ROWS_PER_DAY: '5' });
  ({ ctx } = fixture);
});
afterAll(() => fixture.close());

type Fault = 'filtered' | 'refused' | 'empty' | '400' | '503';

const answers: Record<Fault, () => Response> = {
  filtered: () => said({ content: 'Dear' }, 'content_filter'),
  refused: () => said({ refusal: 'I will not' }, 'stop'),
  empty: () => said({ content: '' }, 'stop'),
  '400': () => new Response('{"error":{"message":"no"}}', { status: 400 }),
  '503': () => new Response('no', { status: 503, headers: { 'retry-after': '0' } }),
};
const said = (delta: object, finish_reason: string) =>
  new Response(
    `data: ${JSON.stringify({ choices: [{ delta, finish_reason }] })}\n\ndata: [DONE]\n\n`,
  );

/** Providers whose model has trouble with some rows, by number, and is there for all others; `calls` of rows. */
function modelWith(faults: (row: number) => Fault | undefined) {
  const calls: number[] = [];
  const usual = providerFetch();
  const fetch: SlotFetch = async (...request) => {
    const [url, init, , read] = request;
    const row = /name: lead (\d+)/.exec(init.body as string)?.[1];
    if (url.endsWith('/search') || row === undefined) return usual(...request);
    calls.push(Number(row));
    const fault = faults(Number(row));
    return fault ? read(answers[fault]()) : usual(...request);
  };
  return { connections: slotsOf(fetch), calls };
}

async function work(messages: ChunkMessage[], model: ReturnType<typeof modelWith>, of = ctx) {
  for (const message of messages) await processChunk(of, message, model.connections);
}

const today = async (userId: string) => {
  const text =
    'select rows_succeeded as ok, rows_unpaid as faulty from user_days where user_id = $1';
  return (await fixture.query<{ ok: number; faulty: number }>(text, [userId]))[0];
};

const everyRow = (fault: Fault) => modelWith(() => fault);

describe('rows that count as faulty', () => {
  test.each(['filtered', 'refused', 'empty', '400'] as const)('%s, once a row', async (fault) => {
    const { userId, messages } = await fixture.running(6);
    await work(
      messages,
      modelWith((row) => (row < 2 ? fault : undefined)),
    );
    expect(await today(userId)).toEqual({ ok: 4, faulty: 2 });
  });

  test('not: empty rows, searches that fail, a model that fails', async () => {
    const userId = await fixture.newUser();
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    fixture.published = [];
    await fixture.upload(userId, job.id, `${csvOf(4)} , \n`);
    const inner = modelWith((row) => (row === 1 ? '503' : undefined));
    const fetch: SlotFetch = async (...request) => {
      const [url, init, , read] = request;
      if (url.endsWith('/search') && /lead 2/.test(init.body as string))
        return read(new Response('no', { status: 400 }));
      return inner.connections.fetch(...request);
    };
    for (const message of fixture.messages()) await processChunk(ctx, message, slotsOf(fetch));
    const [found] = await fixture.query(
      'select rows_succeeded, rows_failed from jobs where id = $1',
      [job.id],
    );
    expect(found).toMatchObject({ rows_succeeded: 2 });
    expect(await today(userId)).toEqual({ ok: 2, faulty: 0 });
  });

  test('also when the results come too late, and once when the answer to the commit is lost', async () => {
    const late = await fixture.running(3);
    const [message] = late.messages;
    if (!message) expect.unreachable();
    const cancelling = aroundCalls(ctx.db, async ({ name }, next) => {
      if (name === 'chunk_commit') await cancelJob(ctx, late);
      return next();
    });
    const of = { ...ctx, db: cancelling };
    expect(await processChunk(of, message, everyRow('refused').connections)).toEqual({
      outcome: 'gone',
    });
    const { rowCount } = await rowsOf(message);
    expect(await today(late.userId)).toEqual({ ok: 0, faulty: rowCount });

    const lost = await fixture.running(3);
    const [other] = lost.messages;
    if (!other) expect.unreachable();
    const db = aroundCalls(ctx.db, async ({ name }, next) => {
      if (name === 'chunk_commit') await next();
      return next();
    });
    await processChunk({ ...ctx, db }, other, everyRow('refused').connections);
    expect(await today(lost.userId)).toEqual({ ok: 0, faulty: (await rowsOf(other)).rowCount });
  });
});

const rowsOf = async ({ jobId, chunk }: ChunkMessage): Promise<{ rowCount: number }> => {
  const text = 'select row_count as "rowCount" from job_chunks where job_id = $1 and index = $2';
  const [row] = await fixture.query<{ rowCount: number }>(text, [jobId, chunk]);
  return row ?? { rowCount: 3 };
};

test('a chunk whose rows mostly fail begins no more of them before the budget is looked at', async () => {
  const userId = await fixture.newUser();
  const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
  fixture.published = [];
  const text = csvOf(60);
  const oneLane = { ...ctx, config: { ...ctx.config, parallelInvocations: 1 } };
  await uploadInput(oneLane, {
    userId,
    jobId: job.id,
    body: new Response(text).body,
    contentLength: text.length,
  });
  const messages = fixture.messages();
  expect(messages).toHaveLength(1);
  const model = everyRow('refused');
  await work(messages, model);
  const begun = model.calls.length;
  expect(begun).toBeLessThanOrEqual(ctx.config.parallelRowsPerInvocation + 10);
  await work(fixture.messages().slice(1), model);
  expect(model.calls).toHaveLength(begun);
  const [ended] = await fixture.query('select status, rows_failed from jobs where id = $1', [
    job.id,
  ]);
  expect(ended).toEqual({ status: 'failed', rows_failed: 60 });
  expect(await today(userId)).toEqual({ ok: 0, faulty: begun });
});

describe('the budget of a day', () => {
  test('a running job stops calling when it is spent; what it does not call counts nothing', async () => {
    const { userId, jobId, messages } = await fixture.running(60);
    const model = everyRow('refused');
    await work(messages, model);
    const spent = (await today(userId))?.faulty ?? 0;
    // One chunk is worked beyond it at most, when one after the other is.
    expect(spent).toBeGreaterThanOrEqual(5);
    expect(spent).toBeLessThanOrEqual(5 + 6);
    expect(model.calls).toHaveLength(spent);
    const [job] = await fixture.query('select status, rows_failed from jobs where id = $1', [
      jobId,
    ]);
    expect(job).toEqual({ status: 'failed', rows_failed: 60 });
    expect((await fixture.output(userId, jobId)).at(-1)).toMatch(
      /Too many rows failed or were cancelled today: \d+/,
    );
    expect(await fixture.credits(userId)).toEqual({ balance: 500, held: 0 });
  });

  test('no start and no retry: nobody works for nothing, whatever they upload', async () => {
    const { userId, jobId, messages } = await fixture.running(12);
    const model = everyRow('filtered');
    await work(messages, model);
    const refused = {
      code: 'too_many_failed_rows',
      extra: { limit: 5, used: expect.any(Number) },
      retryAfterSeconds: expect.any(Number),
    };
    const called = model.calls.length;
    await expect(retryJob(ctx, { userId, jobId })).rejects.toMatchObject(refused);
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    fixture.published = [];
    await expect(fixture.upload(userId, job.id, csvOf(6))).rejects.toMatchObject(refused);
    expect(fixture.messages()).toEqual([]);
    expect(model.calls).toHaveLength(called);
    expect(await fixture.credits(userId)).toEqual({ balance: 500, held: 0 });
    const [kept] = await fixture.query('select status, rows_total from jobs where id = $1', [
      job.id,
    ]);
    expect(kept).toEqual({ status: 'awaiting_credits', rows_total: 6 });

    // The cron looks at others meanwhile; the next day the job starts by itself.
    expect(await startAwaitingJobs(ctx, { userId })).toBe(0);
    await fixture.query('update user_days set day = day - 1 where user_id = $1', [userId]);
    expect(await startAwaitingJobs(ctx, { userId })).toBe(1);
  });

  test('is twice what succeeded that day, when that is more', async () => {
    const { userId, messages } = await fixture.running(30);
    await work(
      messages,
      modelWith((row) => (row % 3 === 0 ? 'refused' : undefined)),
    );
    expect(await today(userId)).toEqual({ ok: 20, faulty: 10 });
    const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
    expect(await fixture.upload(userId, job.id, csvOf(6))).toMatchObject({ status: 'running' });
  });
});

describe('retries of a job', () => {
  const retries = (jobId: string) =>
    fixture.query('select retries from jobs where id = $1', [jobId]);

  test('three, then no more', async () => {
    const of = await fixture.running(3);
    for (let i = 0; i < 3; i += 1) {
      await cancelJob(ctx, of);
      await retryJob(ctx, of);
    }
    await cancelJob(ctx, of);
    await expect(retryJob(ctx, of)).rejects.toMatchObject({
      code: 'too_many_retries',
      extra: { limit: 3 },
    });
    expect(await retries(of.jobId)).toEqual([{ retries: 3 }]);
  });

  test('not after a provider was waited for in vain; ten at once are one', async () => {
    const { userId, jobId } = await fixture.running(6);
    const of = { userId, jobId };
    const giveUp = { givenUp: true };
    for (let run = 1; run <= 4; run += 1) {
      await failChunks(ctx, { jobId, run }, 'The model did not answer for 60 minutes', giveUp);
      await retryJob(ctx, of);
    }
    expect(await retries(jobId)).toEqual([{ retries: 0 }]);
    await failChunks(ctx, { jobId, run: 5 }, 'Could not be processed');
    await Promise.allSettled(Array.from({ length: 10 }, () => retryJob(ctx, of)));
    expect(await retries(jobId)).toEqual([{ retries: 1 }]);
  });

  test('a delivery that gives up says so too', async () => {
    const { userId, jobId, messages } = await fixture.running(3);
    const open =
      "insert into providers (name, reason, detail, opened_at, probe_at) values ('search', 'unavailable', 'x', now() - interval '3 hours', now())";
    await fixture.query(open);
    await fixture.query("update jobs set started_at = now() - interval '2 hours' where id = $1", [
      jobId,
    ]);
    try {
      await work(
        messages,
        modelWith(() => undefined),
      );
    } finally {
      await fixture.query('delete from providers');
    }
    await retryJob(ctx, { userId, jobId });
    expect(await retries(jobId)).toEqual([{ retries: 0 }]);
    expect(await today(userId)).toBeUndefined();
  });
});

test('what was refused is told in sentences', async () => {
  const { userId, jobId } = await fixture.running(3);
  await cancelJob(ctx, { userId, jobId });
  const upload = fixture.upload(userId, jobId, csvOf(1));
  await expect(upload).rejects.toMatchObject({
    code: 'job_not_open',
    detail: expect.stringMatching(/^The job was cancelled: .+\.$/),
    extra: { jobStatus: 'cancelled' },
  });
  await expect(cancelJob(ctx, { userId, jobId: randomUUID() })).rejects.toMatchObject({
    detail: 'There is no such job.',
  });
});
