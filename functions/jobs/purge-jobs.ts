import type { Ctx } from '../context.ts';

/** Jobs in one run of the cron, which comes every minute. */
const perRun = 20;

/** Removes rows and results that are older than RESULT_RETENTION_DAYS. */
export async function purgeJobs(ctx: Ctx): Promise<{ purged: number }> {
  const purged = await ctx.db.call('jobs_purge', {
    p_days: ctx.config.resultRetentionDays,
    p_limit: perRun,
  });
  if (purged > 0) ctx.log('jobs_purged', { purged });
  return { purged };
}
