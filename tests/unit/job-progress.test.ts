import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventId, notBefore, seenBy } from '../../functions/jobs/sse-cursor.pure.ts';
import type { JobRow } from '../../functions/jobs/job-row.ts';
import { type JobSummary, jobView, withLive } from '../../functions/jobs/job.pure.ts';
import { liveField, noLiveRows, sumLive } from '../../functions/processing/live-progress.pure.ts';
import { jobRow } from '../support/job-row.ts';

const started = '2026-10-01T12:00:00.123456+00:00';
const startedMs = Date.parse(started);
const at = (seconds: number) => new Date(startedMs + seconds * 1000);

/** Counts as the database allows them while a job runs. */
const running = fc
  .record({
    total: fc.integer({ min: 1, max: 5000 }),
    done: fc.nat(4999),
    failed: fc.nat(4999),
    kept: fc.nat(4999),
    skipped: fc.oneof(fc.constant(0), fc.nat(4999)),
  })
  .map(({ total, done, failed, kept, skipped }) => {
    const rowsDone = Math.min(done, total - 1);
    const rowsFailed = Math.min(failed, rowsDone);
    return jobRow({
      status: 'running',
      started_at: started,
      rows_total: total + skipped,
      rows_done: rowsDone + skipped,
      rows_skipped: skipped,
      rows_failed: rowsFailed,
      rows_succeeded: rowsDone - rowsFailed,
      rows_kept: Math.min(kept, rowsDone - rowsFailed),
      run_succeeded: rowsDone - rowsFailed - Math.min(kept, rowsDone - rowsFailed),
      run_failed: rowsFailed,
      credits_held: total,
    });
  });

const live = fc.record({ succeeded: fc.nat(9000), failed: fc.nat(9000) });

describe("a chunk's rows in Redis", () => {
  test('what invocations write is what readers sum', () => {
    fc.assert(
      fc.property(fc.array(live, { maxLength: 100 }), (chunks) => {
        const fields = chunks.map((rows, i) => liveField(rows, startedMs + i));
        const sum = (of: 'succeeded' | 'failed') => chunks.reduce((all, rows) => all + rows[of], 0);
        expect(sumLive(fields, startedMs + 1000)).toEqual({
          succeeded: sum('succeeded'),
          failed: sum('failed'),
        });
      }),
    );
  });

  test('a field counts as long as its lease, and what is none of ours never', () => {
    const field = liveField({ succeeded: 7, failed: 2 }, startedMs);
    expect(sumLive([field], startedMs + 59_999)).toEqual({ succeeded: 7, failed: 2 });
    expect(sumLive([field], startedMs + 60_000)).toEqual(noLiveRows);
    for (const foreign of ['', '7,2', '-7,2,9', '7,2,9,1', `7,x,${startedMs}`, null, {}, 7])
      expect(sumLive([foreign, field], startedMs)).toEqual({ succeeded: 7, failed: 2 });
  });
});

describe('a job with live rows', () => {
  test('adds up, stays below the total, moves no credit', () => {
    fc.assert(
      fc.property(running, live, (job, rows) => {
        const shown = withLive(job, rows);
        expect(shown.rows_done).toBe(shown.rows_succeeded + shown.rows_failed + job.rows_skipped);
        expect(shown.rows_done).toBe(
          Math.min(job.rows_total - 1, job.rows_done + rows.succeeded + rows.failed),
        );
        expect(shown.rows_succeeded).toBeGreaterThanOrEqual(job.rows_succeeded);
        expect(shown.rows_failed).toBeGreaterThanOrEqual(job.rows_failed);
        const view = jobView(shown, at(10));
        expect(view.progress).toBeLessThan(1);
        expect(view.credits).toEqual(jobView(job, at(10)).credits);
      }),
    );
  });

  test.each(['completed', 'cancelled', 'failed', 'awaiting_credits'] as const)(
    'one that is %s is what Postgres says',
    (status) => {
      const job = jobRow({ status, rows_total: 10, rows_done: 4, rows_succeeded: 4 });
      expect(withLive(job, { succeeded: 3, failed: 1 })).toBe(job);
    },
  );
});

describe('etaSeconds', () => {
  const eta = (fields: Partial<JobRow>, now: Date) => {
    const { rows_done = 0, rows_kept = 0, rows_skipped = 0 } = fields;
    const run_succeeded = rows_done - rows_kept - rows_skipped;
    const job = { status: 'running', started_at: started, rows_total: 100, run_succeeded } as const;
    return jobView(jobRow({ ...job, ...fields }), now).etaSeconds;
  };

  test.each<[string, Partial<JobRow>, number, number | null]>([
    ['nothing is done yet', {}, 10, null],
    ['a quarter took ten seconds', { rows_done: 25 }, 10, 30],
    ['it does not come out even', { rows_done: 30 }, 10, 24],
    ['rows of an earlier run are no speed', { rows_done: 60, rows_kept: 50 }, 5, 20],
    ['rows that are skipped are no speed', { rows_done: 50, rows_skipped: 25 }, 10, 20],
    ['all but the skipped is to be done', { rows_done: 70, rows_skipped: 70 }, 10, null],
    ['a retry has done nothing yet', { rows_done: 50, rows_kept: 50 }, 5, null],
    ['the clocks differ', { rows_done: 25 }, -3, 0],
    ['it has ended', { status: 'completed', rows_done: 100 }, 10, null],
    ['it waits for credits', { status: 'awaiting_credits', started_at: null }, 10, null],
  ])('when %s', (_, fields, seconds, wanted) => {
    expect(eta(fields, at(seconds))).toBe(wanted);
  });

  test('is null or a whole number that is not negative, whatever the counts', () => {
    fc.assert(
      fc.property(running, live, fc.integer({ min: -100, max: 100_000 }), (job, rows, seconds) => {
        const { etaSeconds } = jobView(withLive(job, rows), at(seconds));
        if (etaSeconds === null) return;
        expect(Number.isInteger(etaSeconds)).toBe(true);
        expect(etaSeconds).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('what a client has seen', () => {
  test('an id tells it all; a reconnect with it finds nothing new', () => {
    fc.assert(
      fc.property(running, (job) => {
        const seen = seenBy(eventId(job));
        expect(seen && eventId(seen)).toBe(eventId(job));
      }),
    );
  });

  test.each([undefined, '', '0', 'x-1-2-running', '1-2-3', '1-2-3-running\n', '1--2-3-running'])(
    'an id that is none of ours (%j) is as if there were none',
    (id) => {
      expect(seenBy(id)).toBeUndefined();
    },
  );

  test('never goes back within a run, and never shows what cannot be', () => {
    fc.assert(
      fc.property(running, fc.array(live, { maxLength: 20 }), (job, polls) => {
        let seen: JobSummary | undefined;
        for (const rows of polls) {
          const shown = notBefore(withLive(job, rows), seen);
          expect(shown.rows_done).toBeGreaterThanOrEqual(seen?.rows_done ?? 0);
          expect(shown.rows_done).toBe(shown.rows_succeeded + shown.rows_failed + job.rows_skipped);
          expect(shown.rows_done).toBeLessThan(job.rows_total);
          seen = shown;
        }
      }),
    );
  });

  test.each<[string, Partial<JobRow>, number]>([
    ['the end is the truth', { status: 'cancelled' }, 5],
    ['a new run begins anew', { run: 2 }, 5],
    ['a made-up id cannot fill a job', { rows_total: 8 }, 5],
    ['in the same run it stays', {}, 8],
    ['with those that are skipped', { rows_done: 7, rows_skipped: 4 }, 12],
  ])('%s', (_, fields, wanted) => {
    const job = jobRow({ status: 'running', run: 1, rows_total: 20, rows_done: 5, ...fields });
    expect(notBefore(job, seenBy('1-6-2-running')).rows_done).toBe(wanted);
  });
});
