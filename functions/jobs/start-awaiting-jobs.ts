import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { startJob } from './start-job.ts';

/** So many jobs that await credits are looked at in one run; the next run takes the rest. */
const perRun = 50;

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
    where j.status = 'awaiting_credits' and ($1::uuid is null or j.user_id = $1) and u.suspended_at is null
      and rowloom.failed_rows_refusal(u.id, $4) is null
      and case when is_unlimited then coalesce(d.rows_unlimited, 0) + j.rows_total - j.rows_skipped <= $5
        else u.credits_balance >= (j.rows_total - j.rows_skipped)::bigint * $2 end
    order by row_number() over (partition by j.user_id order by j.created_at, j.id), j.created_at limit $3`;

/**
 * Starts the jobs that await credits and that the balance now covers, the oldest first; of one user, or
 * of everybody. Gives how many. What a job may start on is decided at its start.
 */
export async function startAwaitingJobs(
  ctx: Ctx,
  input: { userId?: string } = {},
): Promise<number> {
  const { creditsPerRow, bounds } = ctx.config;
  const { freeErrorRowsPerDay, unlimitedRowsPerDay } = bounds;
  const params = [
    input.userId ?? null,
    creditsPerRow,
    perRun,
    freeErrorRowsPerDay,
    unlimitedRowsPerDay,
  ];
  const waiting = await ctx.db.rows<{ id: string; user_id: string }>(startable, params);
  let count = 0;
  for (const { id: jobId, user_id: userId } of waiting) {
    try {
      await startJob(ctx, { userId, jobId });
      count += 1;
    } catch (error) {
      // One that does not start holds up none behind it, not even by a bug.
      const code = error instanceof DomainError ? error.code : 'internal';
      ctx.log('job_still_awaits', { jobId, code });
    }
  }
  return count;
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
