import type { Ctx } from '../deps.ts';
import { launch, started } from './start-job.ts';

/**
 * Works the rows of an ended job that have not succeeded again, for credits of their own; the others
 * stay as they are. Throws `nothing_to_retry`, `job_running`, `job_not_open`, `rows_expired`,
 * `insufficient_credits` (the job stays as it was).
 */
export async function retryJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const of = { p_job: input.jobId, p_user: input.userId, p_per_row: ctx.config.creditsPerRow };
  const outcome = await ctx.db.call('job_retry', of, started);
  return launch(ctx, outcome, 'The job stays as it is: retry it once there are enough.');
}
