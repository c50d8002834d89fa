import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import { DomainError } from '../../functions/errors.ts';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { openStream } from '../../functions/jobs/open-stream.ts';
import { purgeJobs } from '../../functions/jobs/purge-jobs.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { startAwaitingJobs } from '../../functions/jobs/start-awaiting-jobs.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { UploadAccount } from '../../functions/jobs/upload-memory.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { csvOf, JobFixture, providers, streamOf } from '../support/job-fixture.ts';

/** Bounds as they are by default, where a test does not set others. */
let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open();
  ({ ctx } = fixture);
});
afterAll(() => fixture.close());

const within = (bounds: Partial<JobFixture['ctx']['config']['bounds']>): JobFixture['ctx'] => ({
  ...ctx,
  config: { ...ctx.config, bounds: { ...ctx.config.bounds, ...bounds } },
});

const newJob = async (userId: string): Promise<string> =>
  (await createJob(ctx, { userId, filename: 'leads.csv' })).job.id;

/** A job whose rows are there, of a user without credits. */
async function awaiting(userId: string, rows: number): Promise<string> {
  const jobId = await newJob(userId);
  const refused = { code: 'insufficient_credits' };
  await expect(fixture.upload(userId, jobId, csvOf(rows))).rejects.toMatchObject(refused);
  return jobId;
}

const uploadIn = (of: JobFixture['ctx'], userId: string, jobId: string, rows: number) => {
  const text = csvOf(rows);
  return uploadInput(of, { userId, jobId, body: streamOf(text), contentLength: text.length });
};

const begin = (userId: string, jobId: string, of = ctx) =>
  of.db.call(
    'job_upload_begin',
    { p_job: jobId, p_user: userId, p_upload: randomUUID(), p_bounds: of.config.bounds },
    z.looseObject({ upload_id: z.string() }),
  );

/** How many went through; the others must all have been refused with `refused`. */
async function through(work: Promise<unknown>[], refused: object): Promise<number> {
  const settled = await Promise.allSettled(work);
  for (const one of settled)
    if (one.status === 'rejected') expect(one.reason).toMatchObject(refused);
  return settled.filter(({ status }) => status === 'fulfilled').length;
}

/** Writes to jobs take a moment in this test, so that whoever counts before them, unlocked, counts too few. */
async function writeSlowly(): Promise<void> {
  await fixture.query(`create function public.slowly() returns trigger language plpgsql
    as $$ begin perform pg_sleep(0.01); return new; end $$`);
  await fixture.query(`create trigger slowly before insert or update of upload_id on jobs
    for each row execute function public.slowly()`);
  onTestFinished(async () => {
    await fixture.query('drop trigger slowly on jobs');
    await fixture.query('drop function public.slowly()');
  });
}

const scalar = async (text: string, params: unknown[]): Promise<unknown> =>
  (await fixture.query<{ value: unknown }>(`select (${text}) as value`, params))[0]?.value;

const statusOf = (jobId: string) => scalar('select status from jobs where id = $1', [jobId]);

const unlimitedToday = (userId: string) =>
  scalar('select rows_unlimited from user_days where user_id = $1', [userId]);

describe('open jobs', () => {
  test('150 creations at once make exactly 100 jobs; a key that is known still answers', async () => {
    const userId = await fixture.newUser();
    const input = { userId, filename: 'leads.csv', idempotencyKey: 'the-first' };
    const first = await createJob(ctx, input);
    await writeSlowly();
    const more = Array.from({ length: 150 }, () => newJob(userId));
    const refused = { code: 'too_many_jobs', extra: { limit: 100, used: 100 } };
    expect(await through(more, refused)).toBe(99);
    expect(await createJob(ctx, input)).toEqual({ job: first.job, replayed: true });

    await cancelJob(ctx, { userId, jobId: first.job.id });
    await newJob(userId);
    await expect(newJob(userId)).rejects.toThrow(/100 may be open at once/);
    // Others have theirs.
    await newJob(await fixture.newUser());
  });

  test('the same key many times at once makes one job', async () => {
    const userId = await fixture.newUser();
    const input = { userId, filename: 'leads.csv', idempotencyKey: 'one' };
    const made = await Promise.all(Array.from({ length: 10 }, () => createJob(ctx, input)));
    expect(new Set(made.map(({ job }) => job.id)).size).toBe(1);
    expect(made.filter(({ replayed }) => !replayed)).toHaveLength(1);
  });

  test('a retry opens a job again', async () => {
    const { userId, jobId, messages } = await fixture.running(6);
    for (const message of messages) await processChunk(ctx, message, providers(['lead 2']));
    await newJob(userId);
    const of = { userId, jobId };
    await expect(retryJob(within({ openJobs: 1 }), of)).rejects.toMatchObject({
      code: 'too_many_jobs',
      extra: { limit: 1, used: 1 },
    });
    expect(await retryJob(within({ openJobs: 2 }), of)).toMatchObject({ status: 'running' });
  });
});

describe('uploads', () => {
  test('of 20 that begin at once three go on; taking one over counts once', async () => {
    const userId = await fixture.newUser();
    const jobs = await Promise.all(Array.from({ length: 20 }, () => newJob(userId)));
    const refused = { code: 'too_many_uploads', extra: { limit: 3, used: 3 } };
    await writeSlowly();
    const beginning = jobs.map((id) => begin(userId, id));
    expect(await through(beginning, refused)).toBe(3);
    const uploading = await fixture.query<{ id: string; upload_id: string }>(
      "select id, upload_id from jobs where user_id = $1 and status = 'uploading'",
      [userId],
    );
    expect(uploading).toHaveLength(3);
    const [first, second, third] = uploading;
    const idle = jobs.find((id) => uploading.every((one) => one.id !== id));
    if (!first || !second || !third || idle === undefined) expect.unreachable();
    await begin(userId, first.id);

    // A minute without a sign of life: only those that give one count.
    await fixture.query(
      "update jobs set progress_at = now() - interval '61 seconds' where user_id = $1",
      [userId],
    );
    for (const { id, upload_id: upload } of [second, third])
      await ctx.db.call('job_upload_alive', { p_job: id, p_upload: upload });
    await begin(userId, idle);
    await expect(begin(userId, first.id)).rejects.toMatchObject(refused);
    // The first upload of that job was taken over, and is no sign of life of the second.
    await expect(
      ctx.db.call('job_upload_alive', { p_job: first.id, p_upload: first.upload_id }),
    ).rejects.toMatchObject({ code: 'upload_superseded' });
    await ctx.db.call('job_upload_abort', { p_job: second.id, p_upload: second.upload_id });
    await begin(userId, first.id);
  });

  test('one that ends, is refused or breaks off makes room', async () => {
    const userId = await fixture.newUser();
    const [jobs, of] = [
      await Promise.all([newJob(userId), newJob(userId)]),
      within({ uploads: 1 }),
    ];
    const [good, bad] = jobs;
    if (good === undefined || bad === undefined) expect.unreachable();
    await expect(fixture.upload(userId, bad, 'name\n')).rejects.toMatchObject({
      code: 'csv_invalid',
    });
    await fixture.upload(userId, good, csvOf(3));
    await begin(userId, bad, of);
  });
});

test('whoever sends one job over and over keeps nobody else from uploading', async () => {
  const [userId, other] = [await fixture.newUser(), await fixture.newUser()];
  const [jobId, theirs] = [await newJob(userId), await newJob(other)];
  const account = new UploadAccount();
  const bodies = Array.from({ length: 66 }, () => new TransformStream<Uint8Array, Uint8Array>());
  const codes = bodies.map(({ readable }) =>
    uploadInput(ctx, { userId, jobId, body: readable, contentLength: undefined }, account).then(
      () => 'stored',
      (error: unknown) => (error instanceof DomainError ? error.code : String(error)),
    ),
  );
  await vi.waitUntil(async () => (await statusOf(jobId)) === 'uploading');
  const body = streamOf(csvOf(2));
  await uploadInput(ctx, { userId: other, jobId: theirs, body, contentLength: undefined }, account);
  await Promise.all(bodies.map(({ writable }) => writable.abort().catch(() => undefined)));
  const counts = Object.groupBy(await Promise.all(codes), (code) => code);
  expect(counts['too_many_uploads']).toHaveLength(61);
  expect(counts['upload_interrupted']).toHaveLength(5);
});

describe('signs of life', () => {
  /** What is called while `work` goes on and time passes, and whether timers are left behind. */
  async function calledBy(
    of: JobFixture['ctx'],
    work: (of: JobFixture['ctx']) => Promise<() => Promise<unknown>>,
  ) {
    const called: string[] = [];
    const db = aroundCalls(of.db, async ({ name }, next) => {
      called.push(name);
      // The first one does not come through.
      if (/alive|renew/.test(name) && called.filter((other) => other === name).length === 1)
        throw new Error('the database is away');
      return next();
    });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const end = await work({ ...of, db });
    vi.advanceTimersByTime(61_000);
    await end();
    expect(vi.getTimerCount()).toBe(0);
    return called.filter((name) => /alive|renew/.test(name));
  }

  test('an upload gives one every 20 s, and none once it has ended, however it ends', async () => {
    const userId = await fixture.newUser();
    for (const text of ['name\nlead 1\n', 'name\n']) {
      const jobId = await newJob(userId);
      const called = await calledBy(ctx, async (of) => {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const upload = uploadInput(of, { userId, jobId, body: readable, contentLength: undefined });
        upload.catch(() => undefined);
        const writer = writable.getWriter();
        await vi.waitUntil(async () => (await statusOf(jobId)) === 'uploading');
        return async () => {
          await writer.write(new TextEncoder().encode(text));
          await writer.close();
          await upload.catch(() => undefined);
        };
      });
      expect(called).toEqual(Array(3).fill('job_upload_alive'));
    }
  });

  test.each(['superseded', 'cancelled', 'deleted'])(
    'an upload that was %s ends with its next sign of life, though its client waits on',
    async (how) => {
      const userId = await fixture.newUser();
      const jobId = await newJob(userId);
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      onTestFinished(() => void vi.useRealTimers());
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const input = { userId, jobId, body: readable, contentLength: undefined };
      const account = new UploadAccount();
      const refused = expect(uploadInput(ctx, input, account)).rejects.toMatchObject({
        code: 'upload_superseded',
      });
      const gone = expect(writable.getWriter().closed).rejects.toBeUndefined();
      await vi.waitUntil(async () => (await statusOf(jobId)) === 'uploading');
      if (how === 'superseded') await fixture.upload(userId, jobId, csvOf(3));
      else await (how === 'deleted' ? deleteJob : cancelJob)(ctx, { userId, jobId });
      const status = await statusOf(jobId);
      vi.advanceTimersByTime(20_000);
      await Promise.all([refused, gone]);
      expect(account.held(Date.now()).bytes).toBe(0);
      expect(await statusOf(jobId)).toBe(status);
    },
  );

  test('a stream renews its place, also after a time without the database', async () => {
    const userId = await fixture.newUser();
    const jobId = await newJob(userId);
    const called = await calledBy(
      ctx,
      async (of) => (await openStream(of, { userId, jobId })).close,
    );
    expect(called).toEqual(Array(3).fill('stream_renew'));
    const [p_stream, lease] = [randomUUID(), { p_user: userId, p_seconds: 45 }];
    await ctx.db.call('stream_renew', { ...lease, p_stream });
    const streams = 'select count(*)::integer from event_streams where user_id = $1';
    expect(await scalar(streams, [userId])).toBe(1);
  });
});

describe('event streams', () => {
  test('of 40 at once 20 open; one that is closed, or dead, makes room', async () => {
    const userId = await fixture.newUser();
    const of = { userId, jobId: await newJob(userId) };
    const opening = Array.from({ length: 40 }, () => openStream(ctx, of));
    const refused = { code: 'too_many_streams', extra: { limit: 20, used: 20 } };
    expect(await through(opening, refused)).toBe(20);
    const open = (await Promise.allSettled(opening)).flatMap((one) =>
      one.status === 'fulfilled' ? [one.value] : [],
    );
    await open[0]?.close();
    await open[0]?.close();
    const next = await openStream(ctx, of);
    await expect(openStream(ctx, of)).rejects.toMatchObject(refused);

    const dead = "update event_streams set lease_until = now() - interval '1 second'";
    await fixture.query(
      `${dead} where id = (select id from event_streams where user_id = $1 limit 1)`,
      [userId],
    );
    const last = await openStream(ctx, of);
    await expect(openStream(ctx, of)).rejects.toMatchObject(refused);
    await Promise.all([...open, next, last].map(({ close }) => close()));
    expect(
      await scalar('select count(*)::integer from event_streams where user_id = $1', [userId]),
    ).toBe(0);
  });

  test("nobody streams another's job, and no place is taken by trying", async () => {
    const [userId, other] = [await fixture.newUser(), await fixture.newUser()];
    const jobId = await newJob(other);
    await expect(openStream(ctx, { userId, jobId })).rejects.toMatchObject({ code: 'not_found' });
    expect(
      await scalar('select count(*)::integer from event_streams where user_id = $1', [userId]),
    ).toBe(0);
  });
});

describe('fair use of an unlimited plan', () => {
  test('ten starts at the edge: exactly what fits begins, and a cancel gives back what was not worked', async () => {
    const userId = await fixture.newUser(0);
    const of = within({ unlimitedRowsPerDay: 50 });
    const jobs: string[] = [];
    for (let i = 0; i < 10; i += 1) jobs.push(await awaiting(userId, 10));
    await fixture.goUnlimited(userId);
    const starts = jobs.map((jobId) => startJob(of, { userId, jobId }));
    const refused = {
      code: 'fair_use',
      extra: { limit: 50, used: 50, rows: 10 },
      retryAfterSeconds: expect.any(Number),
    };
    expect(await through(starts, refused)).toBe(5);
    expect(await unlimitedToday(userId)).toBe(50);
    const statuses = 'select status, count(*)::integer from jobs where user_id = $1 group by 1';
    expect(await fixture.query(`${statuses} order by 1`, [userId])).toEqual([
      { status: 'awaiting_credits', count: 5 },
      { status: 'running', count: 5 },
    ]);
    // Nobody is held up by them: they are not even tried.
    const tried: string[] = [];
    const log = (event: string) => void tried.push(event);
    expect(await startAwaitingJobs({ ...of, log }, { userId })).toBe(0);
    expect(tried).toEqual([]);

    const message = fixture.messages().find(({ jobId }) => jobs.includes(jobId));
    if (!message) expect.unreachable();
    const { status } = await processChunk(of, message, providers());
    expect(status).toBe('running');
    const { rows } = await cancelJob(of, { userId, jobId: message.jobId });
    expect(rows.done).toBeGreaterThan(0);
    expect(await unlimitedToday(userId)).toBe(40 + rows.done);
    expect(await startAwaitingJobs(within({ unlimitedRowsPerDay: 60 }), { userId })).toBe(1);
  });

  test('until midnight (UTC); a job that no day has room for is told so', async () => {
    const userId = await fixture.newUser(0);
    const [first, second, large] = [
      await awaiting(userId, 10),
      await awaiting(userId, 10),
      await awaiting(userId, 16),
    ];
    await fixture.goUnlimited(userId);
    const of = within({ unlimitedRowsPerDay: 15 });
    await startJob(of, { userId, jobId: first });
    const error = await startJob(of, { userId, jobId: second }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'fair_use', extra: { jobId: second, used: 10 } });
    const { retryAfterSeconds } = error as { retryAfterSeconds: number };
    const left = 86_400 - ((Date.now() / 1000) % 86_400);
    expect(Math.abs(retryAfterSeconds - left)).toBeLessThan(30);
    await expect(startJob(of, { userId, jobId: large })).rejects.toMatchObject({
      code: 'fair_use',
      detail: expect.stringContaining('Split the file'),
      retryAfterSeconds: undefined,
    });

    // The next day: what began yesterday gives back to yesterday.
    await fixture.query('update user_days set day = day - 1 where user_id = $1', [userId]);
    await fixture.query(
      "update jobs set started_at = started_at - interval '1 day' where id = $1",
      [first],
    );
    expect(await startJob(of, { userId, jobId: second })).toMatchObject({ status: 'running' });
    await cancelJob(of, { userId, jobId: first });
    const days = 'select rows_unlimited from user_days where user_id = $1 order by day';
    expect(await fixture.query(days, [userId])).toEqual([
      { rows_unlimited: 0 },
      { rows_unlimited: 10 },
    ]);
  });
});

describe('stored bytes', () => {
  const stored = (userId: string) =>
    scalar('select sum(bytes_stored)::integer from jobs where user_id = $1', [userId]);
  const chunksOf = (userId: string) =>
    scalar(
      'select count(*)::integer from job_chunks c join jobs j on j.id = c.job_id where user_id = $1',
      [userId],
    );
  const truth = (userId: string) =>
    scalar(
      'select sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0))::integer from job_chunks c join jobs j on j.id = c.job_id where user_id = $1',
      [userId],
    );

  test('are counted at the end of an upload and of a job, and no more once they are gone', async () => {
    const { userId, jobId, messages } = await fixture.running(18);
    const uploaded = await stored(userId);
    expect(uploaded).toBeGreaterThan(300);
    expect(uploaded).toBe(await truth(userId));
    for (const message of messages) await processChunk(ctx, message, providers());
    expect(await stored(userId)).toBeGreaterThan(Number(uploaded));
    expect(await stored(userId)).toBe(await truth(userId));

    const second = await newJob(userId);
    await fixture.upload(userId, second, csvOf(18));
    await cancelJob(ctx, { userId, jobId: second });
    expect(await stored(userId)).toBe(await truth(userId));
    await deleteJob(ctx, { userId, jobId: second });
    expect(await stored(userId)).toBe(await truth(userId));
    await fixture.query("update jobs set finished_at = now() - interval '31 days' where id = $1", [
      jobId,
    ]);
    await purgeJobs(ctx);
    expect(await stored(userId)).toBe(0);
  });

  test('a full store takes no upload; one that overflows it leaves nothing behind', async () => {
    const userId = await fixture.newUser();
    const of = within({ storedBytes: 2000 });
    const [one, two] = [await newJob(userId), await newJob(userId)];
    await uploadIn(of, userId, one, 30);
    const used = Number(await stored(userId));
    expect(used).toBeLessThan(2000);
    await expect(uploadIn(of, userId, two, 300)).rejects.toMatchObject({
      code: 'storage_full',
      extra: { limitBytes: 2000, usedBytes: used },
    });
    expect(await stored(userId)).toBe(used);
    expect(await statusOf(two)).toBe('created');
    expect(await chunksOf(userId)).toBe(
      await scalar('select chunks_total from jobs where id = $1', [one]),
    );

    const brim = within({ storedBytes: used });
    await expect(uploadIn(brim, userId, two, 1)).rejects.toMatchObject({
      code: 'storage_full',
      extra: { limitBytes: used, usedBytes: used },
    });
    await deleteJob(ctx, { userId, jobId: one });
    await uploadIn(brim, userId, two, 3);
  });
});
