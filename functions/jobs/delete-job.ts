import type { Ctx } from '../deps.ts';
import { stopWork } from './cancel-job.ts';

/**
 * Removes a job with its rows and results, for good; one that runs is cancelled first. Its ledger
 * entries stay. Throws `not_found`, a second time too.
 */
export async function deleteJob(ctx: Ctx, input: { userId: string; jobId: string }): Promise<void> {
  const { stopped, attempt } = await ctx.db.call<{ stopped: boolean; attempt: number }>(
    'job_delete',
    {
      p_job: input.jobId,
      p_user: input.userId,
    },
  );
  if (stopped) await stopWork(ctx, input.jobId, attempt);
}
