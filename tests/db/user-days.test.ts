import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { csvOf, JobFixture } from '../support/job-fixture.ts';
import { unbounded } from '../support/unbounded.ts';

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open({ ...unbounded, PARALLEL_INVOCATIONS: '3' });
  ({ ctx } = fixture);
});
afterAll(() => fixture.close());

type Chunk = { job: string; run: number; index: number; rows: number };
type Commit = { args: Parameters<typeof commit>[0]; isTaken: boolean };

const answer = z.looseObject({ outcome: z.string() });
const token = '11111111-1111-4111-8111-111111111111';

const commit = (args: {
  p_job: string;
  p_run: number;
  p_index: number;
  p_token: string;
  p_commit: string;
  p_results: object;
  p_succeeded: number;
  p_failed: number;
  p_usage: object;
}) => ctx.db.call('chunk_commit', args, answer);

/** A user whose chunks are committed, twice, late or never; `unpaid`: what they should have come to. */
class Day {
  readonly userId: string;
  unpaid = 0;
  #sent: Commit[] = [];

  constructor(userId: string) {
    this.userId = userId;
  }

  async begin(rows: number): Promise<void> {
    const { job } = await createJob(ctx, { userId: this.userId, filename: 'leads.csv' });
    await fixture.upload(this.userId, job.id, csvOf(rows));
  }

  #chunks(): Promise<Chunk[]> {
    return fixture.query<Chunk>(
      `select j.id as job, j.run, c.index, c.row_count - c.rows_succeeded as rows
        from jobs j join job_chunks c on c.job_id = j.id
        where j.user_id = $1 and j.status = 'running' and c.status = 'pending' order by 1, 3`,
      [this.userId],
    );
  }

  /**
   * Works one chunk: so many of its rows fail, by their own fault or not, and others were cut before. `when`: before
   * its user cancels, while they do, or after it.
   */
  async work({ which, failing, isFaulty, cut, when }: Work): Promise<void> {
    const chunks = await this.#chunks();
    const chunk = chunks[which % Math.max(1, chunks.length)];
    if (!chunk) return;
    const { job: p_job, run: p_run, index: p_index } = chunk;
    const place = { p_job, p_run, p_index };
    await ctx.db.call(
      'chunk_lease',
      { ...place, p_token: token, p_seconds: 60, p_free_rows: 1e6 },
      answer,
    );
    const [row] = await fixture.query<{ row_count: number; rows_succeeded: number }>(
      'select row_count, rows_succeeded from job_chunks where job_id = $1 and index = $2',
      [p_job, p_index],
    );
    if (!row) expect.unreachable();
    const failed = failing % (chunk.rows + 1);
    const rowsFaulty = isFaulty ? failed : 0;
    const results = Array.from({ length: row.row_count }, (_, i) =>
      i < failed ? { status: 'error', error: 'x', run: p_run } : { status: 'ok', cells: [] },
    );
    const args = {
      ...place,
      p_token: token,
      p_commit: randomUUID(),
      p_results: results,
      p_succeeded: row.row_count - failed,
      p_failed: failed,
      p_usage: { rowsFaulty, rowsAnswered: chunk.rows - failed, rowsCut: cut },
    };
    const of = { p_job, p_user: this.userId };
    if (when === 'cancelling') await ctx.db.call('job_cancel_begin', of, z.unknown());
    if (when === 'cancelled') await this.#cancel(p_job);
    const { outcome } = await commit(args);
    this.unpaid += rowsFaulty;
    // Somebody else may have cancelled it.
    const isTooLate = outcome === 'gone' && (await this.#isCancelled(p_job));
    const ended = (when === 'running' ? 0 : cut) + (isTooLate ? chunk.rows - failed : 0);
    // Of a run that its user ended, a fourth.
    this.unpaid += Math.ceil(ended / 4);
    if (when === 'cancelling') await this.#cancel(p_job);
    this.#sent.push({ args, isTaken: outcome === 'committed' });
  }

  /** A commit whose answer was lost is sent again, whatever has happened since. */
  async again(which: number): Promise<void> {
    const taken = this.#sent.filter(({ isTaken }) => isTaken);
    const one = taken[which % Math.max(1, taken.length)];
    if (!one) return;
    const [chunk] = await fixture.query<{ lease_token: string | null }>(
      'select lease_token from job_chunks where job_id = $1 and index = $2',
      [one.args.p_job, one.args.p_index],
    );
    // Only the last one of its chunk: nobody sends an older one again.
    if (chunk?.lease_token === one.args.p_commit) await commit(one.args);
  }

  async #jobs(statuses: string): Promise<string[]> {
    const text = `select id from jobs where user_id = $1 and status in (${statuses}) and rows_succeeded < rows_total order by id`;
    return (await fixture.query<{ id: string }>(text, [this.userId])).map(({ id }) => id);
  }

  async #isCancelled(jobId: string): Promise<boolean> {
    const text = "select 1 from jobs where id = $1 and status = 'cancelled'";
    return (await fixture.query(text, [jobId])).length > 0;
  }

  /** A job that has just ended by itself stays as it is. */
  async #cancel(jobId: string): Promise<void> {
    const error: unknown = await cancelJob(ctx, { userId: this.userId, jobId }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error !== undefined) expect(error).toMatchObject({ code: 'job_not_open' });
  }

  async cancel(which: number): Promise<void> {
    const jobs = await this.#jobs("'running'");
    const jobId = jobs[which % Math.max(1, jobs.length)];
    if (jobId !== undefined) await this.#cancel(jobId);
  }

  async retry(which: number): Promise<void> {
    const jobs = await this.#jobs("'completed', 'cancelled', 'failed'");
    const jobId = jobs[which % Math.max(1, jobs.length)];
    if (jobId !== undefined) await retryJob(ctx, { userId: this.userId, jobId });
  }

  /** What is counted, and what the jobs themselves come to. */
  async counted() {
    const [day] = await fixture.query(
      'select rows_succeeded, rows_unpaid, rows_unlimited from user_days where user_id = $1',
      [this.userId],
    );
    const [jobs] = await fixture.query(
      `select coalesce(sum(rows_succeeded), 0)::integer as rows_succeeded,
          coalesce(sum(case status when 'running' then rows_total else rows_succeeded end), 0)::integer as rows_unlimited
        from jobs where user_id = $1`,
      [this.userId],
    );
    return { day, jobs: { ...jobs, rows_unpaid: this.unpaid } };
  }
}

type Work = {
  which: number;
  failing: number;
  isFaulty: boolean;
  cut: number;
  when: 'running' | 'cancelling' | 'cancelled';
};

const which = fc.nat({ max: 20 });
const whens = ['running', 'running', 'running', 'running', 'cancelling', 'cancelled'] as const;
const step = fc.oneof(
  fc.record({ do: fc.constant('begin' as const), rows: fc.integer({ min: 1, max: 12 }) }),
  fc.record({
    do: fc.constant('work' as const),
    which,
    failing: fc.nat({ max: 6 }),
    isFaulty: fc.boolean(),
    cut: fc.nat({ max: 3 }),
    when: fc.constantFrom(...whens),
  }),
  fc.record({ do: fc.constantFrom('again' as const, 'cancel' as const, 'retry' as const), which }),
);

test('rows of a day add up, whatever is committed twice, late, cancelled and retried', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const day = new Day(await fixture.newUser(0));
      await fixture.goUnlimited(day.userId);
      await day.begin(8);
      for (const one of steps)
        if (one.do === 'begin') await day.begin(one.rows);
        else if (one.do === 'work') await day.work(one);
        else await day[one.do](one.which);
      const counted = await day.counted();
      expect(counted.day).toEqual(counted.jobs);
    }),
    { numRuns: 12 },
  );
});

test('at once: commits of several jobs of one user, with starts and cancels between, count every row', async () => {
  const day = new Day(await fixture.newUser(0));
  await fixture.goUnlimited(day.userId);
  for (let i = 0; i < 6; i += 1) await day.begin(12);
  const chunks = Array.from({ length: 18 }, (_, i) =>
    day.work({
      which: i,
      failing: i % 3,
      isFaulty: true,
      cut: 0,
      when: i % 9 === 8 ? 'cancelled' : 'running',
    }),
  );
  await Promise.all([...chunks, day.begin(5), day.begin(5), day.cancel(2), day.cancel(3)]);
  const { day: counted, jobs } = await day.counted();
  expect(counted).toEqual(jobs);
});
