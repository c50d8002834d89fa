import { expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import type { JobRow } from '../../functions/jobs/job-row.ts';
import { liveField } from '../../functions/processing/live-progress.pure.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { jobRow } from '../support/job-row.ts';

const now = () => new Date('2026-10-01T12:00:10Z');

/** A job with one chunk of 40 rows at work; after each answer of either store, time goes on. */
function world(job: JobRow, goOn: (state: { job: JobRow; live: number }) => void = () => {}) {
  const state = { job, live: 40 };
  const asked: string[] = [];
  const answer = async <T>(store: string, value: T): Promise<T> => {
    asked.push(store);
    goOn(state);
    return value;
  };
  const ctx = {
    now,
    db: { rows: () => answer('postgres', [{ job: state.job }]) },
    redis: {
      hgetall: () =>
        answer('redis', {
          0: liveField({ succeeded: state.live, failed: 0 }, now().getTime()),
        }),
    },
  } as unknown as Ctx;
  return { asked, read: () => readJob(ctx, { userId: job.user_id, jobId: job.id }) };
}

const running = jobRow({
  status: 'running',
  rows_total: 100,
  started_at: '2026-10-01T12:00:00+00:00',
});

test('rows of a chunk at work show in counts, progress and estimate, not in credits', async () => {
  const job = {
    ...running,
    rows_done: 10,
    rows_succeeded: 8,
    rows_failed: 2,
    credits_held: 100,
    run_succeeded: 8,
    run_failed: 2,
  };
  expect(await world(job).read()).toMatchObject({
    rows: { total: 100, done: 50, succeeded: 48, failed: 2 },
    credits: { held: 100, charged: 0, released: 0 },
    progress: 0.5,
    etaSeconds: 10,
  });
});

test('a chunk that is committed between two looks is not counted twice', async () => {
  const { read } = world(running, (state) => {
    state.live = 0;
    state.job = { ...state.job, rows_done: 40, rows_succeeded: 40 };
  });
  expect((await read()).rows.done).toBeLessThanOrEqual(40);
});

test.each([
  'created',
  'awaiting_credits',
  'ready',
  'paused',
  'completed',
  'cancelled',
  'failed',
] as const)('nobody asks Redis about a job that is %s', async (status) => {
  const { asked, read } = world(jobRow({ status }));
  await read();
  expect(asked).toEqual(['postgres']);
});
