import type { Ctx } from '../context.ts';
import { dispatchStarted, startOnEntitlement, startOutcome } from './start-job.ts';

/**
 * Works the rows of an ended job that have not succeeded again, for credits of their own; the others
 * stay as they are. Throws `nothing_to_retry`, `job_running`, `job_not_open`, `rows_expired`,
 * `account_suspended`, `insufficient_credits`, `too_many_retries`, `too_many_jobs`, `too_many_failed_rows`,
 * `fair_use` (the job stays as it was).
 */
export async function retryJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const outcome = await startOnEntitlement(ctx, input.userId, (terms) =>
    ctx.db.call('job_retry', { ...terms, p_job: input.jobId }, startOutcome),
  );
  return dispatchStarted(ctx, outcome, {
    credits: 'The job stays as it is: retry it once there are enough.',
    tomorrow: 'The job stays as it is: retry it tomorrow (UTC).',
  });
}
