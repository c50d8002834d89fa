import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isUnanswered, sideBySide, type SweepPage } from '../shared/side-by-side.ts';
import { startJob } from './start-job.ts';

/** So many jobs that await credits are looked at in one page. */
const perRun = 50;
/** Standing, hold, and the first batches of the dispatch. */
const callsPerJob = 10;

/**
 * Those that can probably start, a user's oldest first, and no user's many before another's first; nobody's who
 * is beyond a bound of the day.
 */
const startable = `
  select j.id, j.user_id from jobs j join users u on u.id = j.user_id
    cross join lateral (select exists (
        select 1 from subscriptions s
          where s.user_id = u.id and s.terms -> 'credits' = 'null' and not s.taken_back
            and coalesce(s.paid, case s.status when 'trialing' then s.terms end) -> 'credits' = 'null'
            and (s.status in ('active', 'trialing') or (s.status = 'past_due'
              and coalesce(now() < s.failing_since + s.grace_days * interval '1 day', true)))) as is_unlimited) plan
    left join user_days d on d.user_id = u.id and d.day = rowloom.utc_day(clock_timestamp())
    where j.status = 'awaiting_credits' and j.id <> all($6::uuid[]) and ($1::uuid is null or j.user_id = $1) and u.suspended_at is null
      and rowloom.failed_rows_refusal(u.id, $4) is null
      and case when is_unlimited then coalesce(d.rows_unlimited, 0) + j.rows_total - j.rows_skipped - j.rows_succeeded <= $5
        else u.credits_balance >= (j.rows_total - j.rows_skipped - j.rows_succeeded)::bigint * $2 end
    order by row_number() over (partition by j.user_id order by j.created_at, j.id), j.created_at limit $3`;

type Started = { ids: string[]; started: number; isStopped: boolean };

/** Tries those behind the ones `tried`, one after the other: a user's oldest comes first. */
async function startSome(
  ctx: Ctx,
  input: { userId?: string | undefined; tried?: readonly string[] },
): Promise<Started> {
  const { creditsPerRow, bounds } = ctx.config;
  const { freeErrorRowsPerDay, unlimitedRowsPerDay } = bounds;
  const { userId = null, tried = [] } = input;
  const params = [userId, creditsPerRow, perRun, freeErrorRowsPerDay, unlimitedRowsPerDay, tried];
  const waiting = await ctx.db.rows<{ id: string; user_id: string }>(startable, params);
  const startOne = (job: { id: string; user_id: string }) =>
    startJob(ctx, { userId: job.user_id, jobId: job.id });
  // One that does not start holds up none behind it, not even by a bug.
  const { worked: started, isStopped } = await sideBySide(waiting, startOne, {
    atOnce: 1,
    onFailure: ({ id: jobId }, error) => {
      const code = error instanceof DomainError ? error.code : 'internal';
      ctx.log('job_still_awaits', { jobId, code });
      return isUnanswered(error);
    },
  });
  return { ids: waiting.map(({ id }) => id), started, isStopped };
}

/**
 * Starts the jobs that await credits and that the balance now covers, the oldest first; of one user, or
 * of everybody. Gives how many. What a job may start on is decided at its start.
 */
export async function startAwaitingJobs(
  ctx: Ctx,
  input: { userId?: string } = {},
): Promise<number> {
  return (await startSome(ctx, input)).started;
}

/** Pages of the same for everybody, behind those that did not start. */
export function beginStartingJobs(ctx: Ctx): () => Promise<SweepPage> {
  const tried: string[] = [];
  return async () => {
    const { ids, isStopped } = await startSome(ctx, { tried });
    tried.push(...ids);
    return {
      worked: ids.length,
      isMore: ids.length === perRun && !isStopped,
      calls: 1 + ids.length * callsPerJob,
    };
  };
}

/** Whether a user has jobs that await credits. */
export async function hasAwaitingJobs(ctx: Ctx, userId: string): Promise<boolean> {
  const rows = await ctx.db.rows(
    "select 1 from jobs where user_id = $1 and status = 'awaiting_credits' limit 1",
    [userId],
  );
  return rows.length > 0;
}

/** For work after the answer: what fails here, the cron does. */
export async function startAwaitingQuietly(ctx: Ctx, userId: string): Promise<void> {
  try {
    await startAwaitingJobs(ctx, { userId });
  } catch {
    ctx.log('start_put_off', { userId });
  }
}
