import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { QstashError } from '@upstash/qstash';
import type { Ctx } from '../../functions/context.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { recoverStalledJobs } from '../../functions/jobs/recover-stalled-jobs.ts';
import { createQstash } from '../../functions/clients/qstash.ts';
import { startQstash } from '../../local/qstash/index.ts';
import { sweep, type Sweep } from '../../functions/sweeps/sweep.ts';
import { sweepAll, sweepOn } from '../../functions/sweeps/sweeps.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { accepted, JobFixture, type Published } from '../support/job-fixture.ts';
import { insertStuckJobs } from '../support/stuck-jobs.ts';

type Sent = { url: string; body: { name: string }; deduplicationId: string; notBefore: number };

let fixture: JobFixture;
let ctx: Ctx;
let nowMs: number;
/** Sweeps that were handed over. */
let sent: Sent[];
let publish: (messages: Published[]) => Promise<unknown>;
beforeAll(async () => {
  fixture = await JobFixture.open();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await fixture.query('delete from job_chunks');
  await fixture.query('delete from jobs');
  fixture.published = [];
  sent = [];
  nowMs = Date.parse('2026-11-22T12:00:01Z');
  publish = async (messages) => {
    fixture.published.push(...messages);
    return accepted(messages);
  };
  ctx = by(async (message) => void sent.push(message));
});

/** What a sweep is given, whose messages `publishJSON` takes. */
function by(publishJSON: (message: Sent) => Promise<unknown>): Ctx {
  const qstash = {
    flowControl: fixture.ctx.qstash.flowControl,
    batchJSON: (messages: Published[]) => publish(messages),
    publishJSON,
  };
  const now = () => new Date(nowMs);
  return { ...fixture.ctx, qstash: qstash as never, now, log: () => undefined };
}

const stuck = (count: number, chunks?: (n: number) => number) =>
  insertStuckJobs(fixture.query, count, chunks);
const watchdog = (perPage: number): Sweep => ({
  name: 'stalled_jobs',
  begin: (of) => () => recoverStalledJobs(of, perPage),
});
const anyCalls = { mostCalls: 1_000_000 };
const chunksOf = (messages: Published[]) =>
  messages.map(({ body }) => `${body.jobId} ${body.chunk}`).toSorted();
const allChunks = async () =>
  (
    await fixture.query<{ name: string }>(
      "select job_id || ' ' || index as name from job_chunks where status = 'pending'",
    )
  )
    .map(({ name }) => name)
    .toSorted();
const pass = (seconds: number) =>
  fixture.query(
    "update jobs set dispatched_at = dispatched_at - $1 * interval '1 second', progress_at = progress_at - $1 * interval '1 second'",
    [seconds],
  );

describe('the watchdog', () => {
  test('moves a thousand stuck jobs in one sweep, each chunk once', async () => {
    await stuck(1000, (n) => (n === 500 ? 250 : 1 + (n % 3)));
    expect(await sweep(ctx, watchdog(20), anyCalls)).toMatchObject({
      worked: 1000,
      isHandedOver: false,
    });
    expect(chunksOf(fixture.published)).toEqual(await allChunks());
    expect(await sweep(ctx, watchdog(20), anyCalls)).toMatchObject({ worked: 0 });
    expect(sent).toEqual([]);
  });

  test('hands over once when its time is over, and the next one goes on', async () => {
    await stuck(30);
    const takeLong = publish;
    publish = (messages) => {
      nowMs += 2000;
      return takeLong(messages);
    };
    const first = await sweep(ctx, watchdog(5), anyCalls);
    expect(first.isHandedOver).toBe(true);
    expect(first.worked).toBeLessThan(30);
    expect(sent).toMatchObject([
      { url: 'http://127.0.0.1:8787/queue/sweeps', body: { name: 'stalled_jobs' } },
    ]);
    const begunMs = (sent[0]?.notBefore ?? 0) * 1000;
    expect(begunMs).toBeGreaterThan(nowMs);
    nowMs = begunMs;
    publish = takeLong;
    expect(await sweepOn(ctx, { name: 'stalled_jobs' })).toMatchObject({
      worked: 30 - first.worked,
      isHandedOver: false,
    });
    expect(sent).toHaveLength(1);
    expect(chunksOf(fixture.published)).toEqual(await allChunks());
  });

  test('hands over when its subrequests are spent', async () => {
    await stuck(30);
    const run = await sweep(ctx, watchdog(5), { mostCalls: 50 });
    expect(run).toMatchObject({ isHandedOver: true });
    expect(run.worked).toBeLessThan(30);
    expect(sent).toHaveLength(1);
  });

  test('a cron and a chain that are over in the same slot go on as one', async () => {
    await stuck(30);
    await sweep(ctx, watchdog(5), { mostCalls: 1 });
    nowMs += 17_000;
    await sweep(ctx, watchdog(5), { mostCalls: 1 });
    nowMs += 3000;
    await sweep(ctx, watchdog(5), { mostCalls: 1 });
    const ids = sent.map(({ deduplicationId }) => deduplicationId);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  test('two sweeps side by side publish each chunk once', async () => {
    await stuck(120, (n) => 1 + (n % 2));
    const runs = await Promise.all([1, 2].map(() => sweep(ctx, watchdog(7), anyCalls)));
    expect(runs.reduce((sum, { worked }) => sum + worked, 0)).toBe(120);
    expect(chunksOf(fixture.published)).toEqual(await allChunks());
  });

  test('stops while the queue is away, gives nothing up, and goes on later', async () => {
    await stuck(60);
    const works = publish;
    let tries = 0;
    publish = async () => {
      tries += 1;
      throw new TypeError('fetch failed');
    };
    for (let runs = 0; runs < 3; runs += 1) {
      expect(await sweep(ctx, watchdog(20), anyCalls)).toMatchObject({
        worked: 0,
        isHandedOver: false,
      });
      await pass(30);
    }
    expect(tries).toBeLessThan(100);
    publish = works;
    await sweep(ctx, watchdog(20), anyCalls);
    expect(chunksOf(fixture.published)).toEqual(await allChunks());
    expect(await allChunks()).toHaveLength(60);
  }, 120_000);

  test('goes on behind jobs whose messages are refused each time', async () => {
    const [...ids] = await stuck(40);
    const poisonous = new Set([ids[0], ids[1], ids[2], ids[3]]);
    const works = publish;
    publish = async (messages) => {
      if (messages.some(({ body }) => poisonous.has(body.jobId)))
        throw new QstashError('refused', 400);
      return works(messages);
    };
    await sweep(ctx, watchdog(8), anyCalls);
    const published = new Set(fixture.messages().map(({ jobId }) => jobId));
    expect(published).toEqual(new Set(ids.filter((id) => !poisonous.has(id))));
  });

  test('leaves what is being worked, and fails what lost its leases too often', async () => {
    const [jobId] = await stuck(2, () => 4);
    await fixture.query('delete from jobs where id <> $1', [jobId]);
    await fixture.query(`update jobs set chunks_dispatched = 4 where id = $1`, [jobId]);
    await fixture.query(
      `update job_chunks set fruitless_leases = case index when 1 then 8 else 0 end,
          lease_until = case index when 2 then now() + interval '1 minute' end where job_id = $1`,
      [jobId],
    );
    await sweep(ctx, watchdog(20), anyCalls);
    expect(fixture.messages().map(({ chunk }) => chunk)).toEqual([0, 3]);
    expect(
      await fixture.query('select index from job_chunks where rows_failed = 1 and job_id = $1', [
        jobId,
      ]),
    ).toEqual([{ index: 1 }]);
  });
});

test('all jobs that have waited too long are given up, but for chunks that are being worked', async () => {
  const [leased] = await stuck(45);
  await fixture.query("update jobs set started_at = now() - interval '3 hours'");
  await fixture.query(
    "update job_chunks set lease_until = now() + interval '1 minute' where job_id = $1",
    [leased],
  );
  await fixture.query(
    "insert into providers (name, opened_at, reason, detail, probe_at) values ('search', now() - interval '2 hours', 'unavailable', '503', now())",
  );
  await sweepOn({ ...ctx, now: () => new Date() }, { name: 'waiting_jobs' });
  await fixture.query('delete from providers');
  expect(await fixture.query("select id::text from jobs where status = 'running'")).toEqual([
    { id: leased },
  ]);
  expect(await fixture.query("select distinct error from jobs where status = 'failed'")).toEqual([
    { error: 'The search engine did not answer for 60 minutes' },
  ]);
});

describe('the cron', () => {
  test('runs the other sweeps when one fails, and says which', async () => {
    await stuck(3);
    const lines: Record<string, unknown>[] = [];
    const db = aroundCalls(ctx.db, ({ name }, next) => {
      if (name === 'jobs_purge') throw new Error('broken');
      return next();
    });
    const failing = {
      ...ctx,
      db,
      log: (event: string, fields: object) => void lines.push({ event, ...fields }),
    };
    const user = await fixture.newUser();
    await fixture.query('insert into user_days (user_id, day) values ($1, now()::date - 70)', [
      user,
    ]);
    await expect(sweepAll(failing)).rejects.toThrow('broken');
    expect(lines).toContainEqual({ event: 'sweep_failed', name: 'expired_rows', code: 'internal' });
    expect(fixture.messages()).toHaveLength(3);
    expect(await fixture.query('select 1 from user_days')).toEqual([]);
  });

  test('removes days of more than 60 days ago and streams that died an hour ago', async () => {
    const user = await fixture.newUser();
    await fixture.query(
      `insert into user_days (user_id, day) select $1, (now() at time zone 'utc')::date - n from generate_series(55, 65) n`,
      [user],
    );
    await fixture.query(
      `insert into event_streams (id, user_id, lease_until)
        select gen_random_uuid(), $1, now() - n * interval '40 minutes' from generate_series(-1, 3) n`,
      [user],
    );
    await sweepOn(ctx, { name: 'leftovers' });
    const days = await fixture.query(
      "select count(*)::int as n, max((now() at time zone 'utc')::date - day) as oldest from user_days",
    );
    expect(days).toEqual([{ n: 6, oldest: 60 }]);
    expect(
      await fixture.query(
        "select count(*)::int as n, bool_and(lease_until > now() - interval '1 hour') as young from event_streams",
      ),
    ).toEqual([{ n: 3, young: true }]);
  });

  test('rows of uploads whose Worker died go, of one that lives not a row', async () => {
    const userId = await fixture.newUser();
    const upload = async (life: string) => {
      const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
      const p_upload = randomUUID();
      const p_bounds = { ...ctx.config.bounds, uploads: 100 };
      const of = { p_job: job.id, p_user: userId };
      await ctx.db.call('job_upload_begin', { ...of, p_upload, p_bounds }, z.unknown());
      const chunk = { p_index: 0, p_first_row: 0, p_counts: [1], p_lines: '[["a"]]' };
      await ctx.db.call('job_upload_append', { p_job: job.id, p_upload, ...chunk });
      const age = 'update jobs set progress_at = now() - $2::interval where id = $1';
      await fixture.query(age, [job.id, life]);
      return { jobId: job.id, p_upload };
    };
    const alive = await Promise.all(['0', '9 minutes 50 seconds'].map(upload));
    const dead = await Promise.all(Array.from({ length: 12 }, () => upload('10 minutes')));
    const { worked } = await sweepOn(ctx, { name: 'leftovers' });
    expect(worked).toBe(12);
    const left = await fixture.query(
      'select job_id from job_chunks join jobs on id = job_id where user_id = $1',
      [userId],
    );
    expect(new Set(left.map(({ job_id }) => job_id))).toEqual(
      new Set(alive.map(({ jobId }) => jobId)),
    );
    const statuses =
      'select status, count(*)::int from jobs where user_id = $1 group by 1 order by 1';
    expect(await fixture.query(statuses, [userId])).toEqual([
      { status: 'created', count: 12 },
      { status: 'uploading', count: 2 },
    ]);
    // Should it live after all, nothing of it is stored; the job takes its file again.
    const [first] = dead;
    if (!first) expect.unreachable();
    await expect(
      ctx.db.call('job_upload_alive', { p_job: first.jobId, p_upload: first.p_upload }),
    ).rejects.toMatchObject({ code: 'upload_superseded' });
    await fixture.upload(userId, first.jobId, 'name,city\nlead 1,Bonn\n');
  });
});

test('the queue takes the same message of two sweeps once', async () => {
  await stuck(30);
  const keys = { currentSigningKey: 'sig_current', nextSigningKey: 'sig_next' };
  const qstash = await startQstash({ token: 'sweeps', ...keys });
  try {
    const client = createQstash({ url: qstash.url, token: 'sweeps' });
    const real = { ...by((message) => client.publishJSON(message)), now: () => new Date() };
    const slot = () => Math.floor(Date.now() / 20_000);
    const began = slot();
    const runs = [1, 2, 3].map(() => sweep(real, watchdog(5), { mostCalls: 1 }));
    for (const run of await Promise.all(runs)) expect(run.isHandedOver).toBe(true);
    const waiting = Object.values(qstash.state().messages).reduce((sum, n) => sum + n, 0);
    // Never three: the slot may end meanwhile.
    expect(waiting).toBeLessThanOrEqual(1 + slot() - began);
    expect(waiting).toBeGreaterThan(0);
  } finally {
    await qstash.close();
  }
});

test('a sweep whose message is not taken ends, and the cron goes on', async () => {
  await stuck(30);
  const away = by(() => Promise.reject(new Error('away')));
  const run = await sweep(away, watchdog(5), { mostCalls: 1 });
  expect(run.isHandedOver).toBe(false);
  await sweep(ctx, watchdog(5), anyCalls);
  expect(chunksOf(fixture.published)).toEqual(await allChunks());
});

test('a page that brings nothing forward ends a sweep', async () => {
  let pages = 0;
  const idle: Sweep = {
    name: 'idle',
    begin: () => async () => {
      pages += 1;
      return { worked: 0, isMore: true, calls: 1 };
    },
  };
  expect(await sweep(ctx, idle, anyCalls)).toMatchObject({ isHandedOver: false });
  expect(pages).toBe(1);
});
