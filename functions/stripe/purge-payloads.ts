import type { Ctx } from '../context.ts';

/** Events in one run of the cron, which comes every minute: seven million a day. */
const perRun = 5000;

/** Removes what only Stripe needs, WEBHOOK_RETENTION_DAYS after receipt; the rows stay, for late duplicates. */
export async function purgePayloads(ctx: Ctx): Promise<{ purged: number }> {
  const purged = await ctx.db.call('payloads_purge', {
    p_days: ctx.config.webhookRetentionDays,
    p_limit: perRun,
  });
  if (purged > 0) ctx.log('payloads_purged', { purged });
  return { purged };
}
