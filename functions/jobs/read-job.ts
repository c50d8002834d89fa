import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { openProviders } from '../processing/open-providers.ts';
import { jobWaiting } from './job-waiting.ts';
import {
  jobView,
  type JobSummary,
  summaryColumns,
  type WholeJob,
  wholeJobView,
  withLive,
} from './job.pure.ts';
import { latestNotification } from '../notifications/list-notifications.ts';
import { readLive } from '../processing/progress-store.ts';
import { pageOf } from '../shared/page.pure.ts';

type Of = { userId: string; jobId: string };

type Found<T> = { job: T; open?: unknown };

/** A job that runs, with which provider its rows wait for. */
const withWaiting = <T extends JobSummary>(ctx: Ctx, { job, open }: Found<T>): T => ({
  ...job,
  waiting: open == null ? null : jobWaiting(ctx, job, openProviders.parse(open)),
});

/** `Found`, of jobs `j`. */
const found = `to_jsonb(j) as job,
      case when status = 'running' then rowloom.providers_open() end as open`;

async function find<T extends JobSummary>(
  ctx: Ctx,
  { userId, jobId }: Of,
  columns: string,
  also: { select: string; params: unknown[] } = { select: '', params: [] },
): Promise<T> {
  const [row] = await ctx.db.rows<Found<T>>(
    `select ${found}${also.select} from (
        select ${columns} from jobs j where id = $1 and user_id = $2 and deleted_at is null) j`,
    [jobId, userId, ...also.params],
  );
  if (!row) throw new DomainError('not_found', 'There is no such job.');
  return withWaiting(ctx, row);
}

/** A user's job as it stands; another user's is `not_found`. */
export const findJob = (ctx: Ctx, of: Of): Promise<JobSummary> =>
  find<JobSummary>(ctx, of, summaryColumns.join(', '));

/** The same, with an event stream opened on it: `too_many_streams` when as many are open as may be. */
export const findStreamedJob = (
  ctx: Ctx,
  of: Of,
  { streamId, leaseSeconds }: { streamId: string; leaseSeconds: number },
): Promise<JobSummary> =>
  find<JobSummary>(ctx, of, summaryColumns.join(', '), {
    select: ', rowloom.stream_open($2, $3, $4, $5)',
    params: [streamId, ctx.config.bounds.eventStreams, leaseSeconds],
  });

/** The same with what its user wrote into it. */
export const findWholeJob = (ctx: Ctx, of: Of): Promise<WholeJob> => find<WholeJob>(ctx, of, '*');

/** A user's job as the API shows it, with the rows of chunks still at work. Throws `not_found`. */
export async function readJob(ctx: Ctx, input: Of) {
  const job = await find<WholeJob>(ctx, input, `*, ${latestNotification} as notification`);
  // Redis after Postgres: a chunk leaves Redis before it is committed, so that in this order one that
  // ends in between is missed for a moment; the other way round its rows would count twice.
  const live = job.status === 'running' ? await readLive(ctx, job) : undefined;
  return wholeJobView(live ? withLive(job, live) : job, ctx.now());
}

/** A user's jobs, newest first; the cursor is time and id of the last job of the page before. */
export async function listJobs(
  ctx: Ctx,
  input: { userId: string; limit: number; cursor?: { at: string; id: string } | undefined },
) {
  const rows = await ctx.db.rows<Found<JobSummary>>(
    `select ${found} from (
        select ${summaryColumns.join(', ')} from jobs
          where user_id = $1 and deleted_at is null
            and (created_at, id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, $1))
          order by created_at desc, id desc limit $4) j
      order by created_at desc, id desc`,
    [input.userId, input.cursor?.at ?? null, input.cursor?.id ?? null, input.limit + 1],
  );
  const { page, nextCursor } = pageOf(
    rows,
    input.limit,
    ({ job }) => `${job.created_at.replace('+00:00', 'Z')}~${job.id}`,
  );
  return { items: page.map((row) => jobView(withWaiting(ctx, row), ctx.now())), nextCursor };
}
