import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { changeJob } from '../../functions/jobs/change-job.ts';
import { pauseJob, resumeJob } from '../../functions/jobs/pause-job.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { recoverStalledJobs } from '../../functions/jobs/recover-stalled-jobs.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { sampleJob } from '../../functions/jobs/sample-job.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { csvOf, JobFixture, providers, slotsOf } from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open();
  ({ ctx } = fixture);
});
beforeEach(() => {
  fixture.published = [];
});
afterAll(() => fixture.close());

type Of = Awaited<ReturnType<JobFixture['ready']>>;

const sample = (of: Of, rows: number, failing: string[] = []) =>
  sampleJob(ctx, { ...of, rows }, providers(failing));
const job = (of: Of) => readJob(ctx, of);
/** Mails as they are stored, in row order; null: none. */
const mails = async ({ jobId }: Of): Promise<(string | null)[]> => {
  const chunks = await fixture.query<{ n: number; results: ({ cells?: string[] } | null)[] }>(
    'select row_count as n, results from job_chunks where job_id = $1 order by index',
    [jobId],
  );
  return chunks.flatMap(({ n, results }) =>
    Array.from({ length: n }, (_, i) => results?.[i]?.cells?.at(-1) ?? null),
  );
};

describe('a job that starts by hand', () => {
  test('waits for it, holds nothing before, and starts once however often it is asked', async () => {
    const of = await fixture.ready();
    expect(await job(of)).toMatchObject({
      status: 'ready',
      rows: { total: 18, done: 0 },
      credits: { held: 0 },
    });
    expect(fixture.published).toEqual([]);
    await Promise.all([startJob(ctx, of), startJob(ctx, of), startJob(ctx, of)]);
    expect(await fixture.credits(of.userId)).toEqual({ balance: 482, held: 18 });
    await fixture.workAll();
    expect(await job(of)).toMatchObject({ status: 'completed', credits: { charged: 18 } });
  });

  test('stays ready when there are too few credits', async () => {
    const of = await fixture.ready(csvOf(18), 10);
    await expect(startJob(ctx, of)).rejects.toMatchObject({
      code: 'insufficient_credits',
      extra: { required: 18, balance: 10 },
    });
    expect(await job(of)).toMatchObject({ status: 'ready' });
  });
});

describe('a sample', () => {
  test('works the first rows now, charges them once, and the run works the others', async () => {
    const of = await fixture.ready();
    expect(await sample(of, 3)).toEqual([0, 1, 2]);
    expect(await job(of)).toMatchObject({
      status: 'ready',
      rows: { total: 18, done: 3, succeeded: 3 },
      credits: { held: 0, charged: 3 },
    });
    // A double click, and a look at the same rows again.
    expect(await Promise.all([sample(of, 3), sample(of, 2)])).toEqual([
      [0, 1, 2],
      [0, 1],
    ]);
    expect(await fixture.credits(of.userId)).toEqual({ balance: 497, held: 0 });
    await startJob(ctx, of);
    expect(await fixture.credits(of.userId)).toEqual({ balance: 482, held: 15 });
    await fixture.workAll();
    expect(await job(of)).toMatchObject({
      status: 'completed',
      rows: { done: 18, succeeded: 18 },
      credits: { charged: 18, released: 0 },
    });
    expect(await mails(of)).not.toContain(null);
  });

  test('two at once are one', async () => {
    const of = await fixture.ready();
    const both = await Promise.all([sample(of, 3), sample(of, 3)]);
    expect(both).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(await job(of)).toMatchObject({ status: 'ready', credits: { charged: 3 } });
  });

  test('of fewer rows than asked for gives those; the start has nothing left to work', async () => {
    const of = await fixture.ready(csvOf(2));
    expect(await sample(of, 5)).toEqual([0, 1]);
    expect(await job(of)).toMatchObject({ status: 'ready', rows: { done: 2 } });
    const started = await startJob(ctx, of);
    expect(started).toMatchObject({ status: 'completed', credits: { held: 0, charged: 2 } });
    expect(fixture.published).toEqual([]);
  });

  test('a row that failed costs nothing and is worked by the run', async () => {
    const of = await fixture.ready();
    await sample(of, 2, ['lead 1']);
    expect(await job(of)).toMatchObject({
      rows: { done: 2, succeeded: 1, failed: 1 },
      credits: { charged: 1, released: 1 },
    });
    await startJob(ctx, of);
    await fixture.workAll();
    expect(await job(of)).toMatchObject({ rows: { succeeded: 18, failed: 0 } });
  });

  test('with another prompt is worked and charged again', async () => {
    const of = await fixture.ready();
    await sample(of, 2);
    await changeJob(ctx, { ...of, change: { prompt: 'Write about {{city}}.' } });
    await sample(of, 2);
    expect(await job(of)).toMatchObject({ rows: { done: 2 }, credits: { charged: 4 } });
  });

  test('whose Worker died is finished by the watchdog, and the job is ready again', async () => {
    const of = await fixture.ready();
    const dead = slotsOf(() => new Promise(() => {}));
    void sampleJob(ctx, { ...of, rows: 2 }, dead).catch(() => undefined);
    for (;;) {
      const [found] = await fixture.query<{ n: number }>(
        'select count(*)::int as n from job_chunks where job_id = $1 and lease_token is not null',
        [of.jobId],
      );
      if (found?.n === 1) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await expect(startJob(ctx, of)).rejects.toMatchObject({ code: 'job_running' });
    const detail =
      'A sample of the job is being worked: wait until it is there, or give it up by a pause.';
    const isRunning = { code: 'job_running', detail };
    await expect(changeJob(ctx, { ...of, change: { prompt: 'x' } })).rejects.toMatchObject(
      isRunning,
    );
    await expect(retryJob(ctx, of)).rejects.toMatchObject(isRunning);
    await expect(resumeJob(ctx, of)).rejects.toMatchObject({ code: 'job_not_open', detail });
    await fixture.expireLeases(of.jobId);
    await fixture.query(
      "update jobs set progress_at = now() - interval '1 hour', dispatched_at = now() - interval '1 hour' where id = $1",
      [of.jobId],
    );
    await recoverStalledJobs(ctx);
    expect(fixture.messages()).toHaveLength(1);
    await fixture.workAll();
    expect(await job(of)).toMatchObject({ status: 'ready', credits: { held: 0, charged: 2 } });
  });
});

test('a sample that waits for a provider can be given up', async () => {
  const of = await fixture.ready();
  const away = slotsOf(async (_url, _init, _timeout, read) =>
    read(new Response('no', { status: 401 })),
  );
  expect(await sampleJob(ctx, { ...of, rows: 2 }, away)).toEqual([0, 1]);
  expect(await job(of)).toMatchObject({ status: 'running', rows: { done: 0 } });
  expect(await pauseJob(ctx, of)).toMatchObject({ status: 'ready', credits: { held: 0 } });
  await fixture.query('select rowloom.provider_close(name) from providers');
  await sample(of, 2);
  expect(await job(of)).toMatchObject({ status: 'ready', credits: { held: 0, charged: 2 } });
});

describe('a change', () => {
  test('is checked against the file and refused once the run has begun', async () => {
    const of = await fixture.ready();
    const refused = (change: Parameters<typeof changeJob>[1]['change']) =>
      expect(changeJob(ctx, { ...of, change })).rejects.toMatchObject({ code: 'invalid_request' });
    await refused({ prompt: 'Hi {{nobody}}' });
    await refused({ columns: ['nobody'] });
    await refused({ research: { query: '{{nobody}}' } });
    await refused({ processor: 'nobody' });
    expect(await changeJob(ctx, { ...of, change: { language: 'de' } })).toMatchObject({
      language: 'de',
      prompt: 'Write.',
    });
    await startJob(ctx, of);
    await expect(changeJob(ctx, { ...of, change: { prompt: 'Late.' } })).rejects.toMatchObject({
      code: 'job_running',
    });
    await fixture.workAll();
    await expect(changeJob(ctx, { ...of, change: { prompt: 'Late.' } })).rejects.toMatchObject({
      code: 'job_not_open',
    });
  });

  test('to other columns works samples anew', async () => {
    const of = await fixture.ready();
    await sample(of, 2);
    const changed = await changeJob(ctx, { ...of, change: { processor: 'classify' } });
    expect(changed).toMatchObject({ rows: { done: 0 }, credits: { charged: 2 } });
    expect(changed.prompt).not.toBe('');
    expect(await mails(of)).toEqual(Array(18).fill(null));
  });
});

describe('duplicates', () => {
  const text = 'name,city\nlead 1,Bonn\nlead 2,Bonn\nlead 1,Bonn\nlead 1,Bonn\n';
  test('are worked, or skipped and not charged, as the job says at its start', async () => {
    const of = await fixture.ready(text);
    expect(await job(of)).toMatchObject({ rows: { total: 4, skipped: 0 } });
    const skipping = await changeJob(ctx, { ...of, change: { duplicates: 'skip' } });
    expect(skipping).toMatchObject({ rows: { total: 4, skipped: 2, done: 2 } });
    await startJob(ctx, of);
    await fixture.workAll();
    expect(await job(of)).toMatchObject({
      status: 'completed',
      rows: { total: 4, done: 4, succeeded: 2, skipped: 2 },
      credits: { charged: 2 },
    });
    await expect(retryJob(ctx, { ...of, rows: [2] })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});

describe('a retry of chosen rows', () => {
  const ended = async (failing: string[] = []) => {
    const of = await fixture.ready();
    await startJob(ctx, of);
    await fixture.workAll(failing);
    fixture.published = [];
    return of;
  };

  test('works those alone, with another prompt, and charges them again', async () => {
    const of = await ended();
    const before = await mails(of);
    const running = await retryJob(ctx, { ...of, rows: [7, 3, 3], prompt: 'Write again.' });
    expect(running).toMatchObject({
      status: 'running',
      prompt: 'Write again.',
      rows: { done: 16, succeeded: 16 },
      credits: { held: 2 },
    });
    expect(fixture.messages().map(({ chunk }) => chunk)).toEqual([0, 1]);
    await fixture.workAll();
    expect(await job(of)).toMatchObject({
      status: 'completed',
      rows: { succeeded: 18 },
      credits: { held: 0, charged: 20 },
    });
    expect((await mails(of)).length).toBe(before.length);
  });

  test('a row that fails this time keeps what was paid for, and says so', async () => {
    const of = await ended();
    const before = await mails(of);
    await retryJob(ctx, { ...of, rows: [4] });
    await fixture.workAll(['lead 4']);
    expect(await job(of)).toMatchObject({
      status: 'completed',
      rows: { succeeded: 18, failed: 0 },
      credits: { charged: 18, released: 1 },
    });
    expect(await mails(of)).toEqual(before);
    const [row] = await fixture.query<{ note: string }>(
      "select results -> 4 ->> 'note' as note from job_chunks where job_id = $1 and index = 0",
      [of.jobId],
    );
    expect(row?.note).toMatch(/^kept from an earlier run: Search answered 400/);
  });

  test('cancelled, every row has what it had', async () => {
    const of = await ended(['lead 2']);
    const before = await mails(of);
    await retryJob(ctx, { ...of, rows: [2, 3, 9] });
    await cancelJob(ctx, of);
    expect(await job(of)).toMatchObject({
      status: 'cancelled',
      rows: { done: 18, succeeded: 17, failed: 1 },
      credits: { held: 0, charged: 17 },
    });
    expect(await mails(of)).toEqual(before);
  });

  test('is bounded by the retries of a job only where rows had failed', async () => {
    const of = await ended(['lead 2']);
    for (let i = 0; i < 5; i += 1) {
      await retryJob(ctx, { ...of, rows: [3] });
      await fixture.workAll();
      fixture.published = [];
    }
    for (let i = 0; i < 3; i += 1) {
      await retryJob(ctx, { ...of, rows: [2, 3] });
      await fixture.workAll(['lead 2']);
      fixture.published = [];
    }
    await expect(retryJob(ctx, { ...of, rows: [2] })).rejects.toMatchObject({
      code: 'too_many_retries',
    });
  });

  test('a row that is not there, or a column', async () => {
    const of = await ended();
    await expect(retryJob(ctx, { ...of, rows: [18] })).rejects.toMatchObject({
      code: 'invalid_request',
      extra: { errors: [{ field: 'rows' }] },
    });
    await expect(retryJob(ctx, { ...of, prompt: '{{nobody}}' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});
