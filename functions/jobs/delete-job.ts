import { settleQuietly } from '../ledger/settle-quietly.ts';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { stopWork } from './cancel-job.ts';

const deleted = z.strictObject({ stopped: z.boolean(), run: z.int() });

/**
 * Removes a job with its rows and results, for good; one that runs is cancelled first. Its ledger
 * entries stay. Throws `not_found`, a second time too.
 */
export async function deleteJob(ctx: Ctx, input: { userId: string; jobId: string }): Promise<void> {
  const of = { p_job: input.jobId, p_user: input.userId };
  const { stopped, run } = await ctx.db.call('job_delete', of, deleted);
  if (!stopped) return;
  await Promise.all([stopWork(ctx, input.jobId, run), settleQuietly(ctx, input.userId)]);
}
