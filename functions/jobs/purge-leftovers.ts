import type { Ctx } from '../context.ts';
import type { SweepPage } from '../shared/side-by-side.ts';

const perPage = 2000;

/** An upload may have left 100 MB: one short transaction. */
const uploadsPerPage = 5;

/** Days by which bounds are reckoned look back one day. */
const expiredDays = `
  with gone as (
    delete from user_days where (user_id, day) in (
      select user_id, day from user_days where day < (now() at time zone 'utc')::date - 60
        order by day limit $1 for update skip locked) returning 1)
  select count(*)::int as count from gone`;

const deadStreams = `
  with gone as (
    delete from event_streams where id in (
      select id from event_streams where lease_until < now() - interval '1 hour'
        order by lease_until limit $1 for update skip locked) returning 1)
  select count(*)::int as count from gone`;

/** What was told of jobs, as long after it as results are kept. */
const expiredNotifications = `
  with gone as (
    delete from notifications where id in (
      select id from notifications where created_at < now() - $2 * interval '1 day'
        order by created_at limit $1 for update skip locked) returning 1)
  select count(*)::int as count from gone`;

/**
 * Removes what was counted of days more than 60 days ago, streams whose Worker died an hour ago,
 * notifications that are older than RESULT_RETENTION_DAYS, and rows of uploads whose Worker died ten minutes ago:
 * their jobs await a file again.
 */
export async function purgeLeftovers(ctx: Ctx): Promise<SweepPage> {
  let [worked, isMore] = [0, false];
  const removals: [statement: string, params: number[]][] = [
    [expiredDays, [perPage]],
    [deadStreams, [perPage]],
    [expiredNotifications, [perPage, ctx.config.resultRetentionDays]],
  ];
  for (const [statement, params] of removals) {
    const [gone] = await ctx.db.rows<{ count: number }>(statement, params);
    worked += gone?.count ?? 0;
    isMore ||= gone?.count === perPage;
  }
  const uploads = await ctx.db.call('dead_uploads_abort', { p_limit: uploadsPerPage });
  return { worked: worked + uploads, isMore: isMore || uploads === uploadsPerPage, calls: 4 };
}
