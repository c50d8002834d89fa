import type { Ctx } from '../context.ts';
import { settleQuietly } from '../ledger/settle-quietly.ts';
import { windDown } from './cancel-job.ts';
import { jobRow } from './job-row.ts';
import { wholeJobView } from './job.pure.ts';
import { dispatchStarted, onSettledBooks, startOnEntitlement, startOutcome } from './start-job.ts';

/**
 * Pauses a running job: nothing new is begun, rows that are being worked are finished, the credits of the others go
 * back. Answers within 2 s: what is being worked may take longer, and is on hold until then. A second time changes
 * nothing. Throws `job_not_open`.
 */
export async function pauseJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const of = { p_job: input.jobId, p_user: input.userId };
  await windDown(ctx, of, 'pause');
  const job = await onSettledBooks(ctx, input.userId, () => ctx.db.call('job_pause', of, jobRow));
  await settleQuietly(ctx, input.userId);
  return wholeJobView(job, ctx.now());
}

/**
 * Goes on with a paused job, for a hold of its own; one that runs is left as it is. Throws `job_not_open`,
 * `insufficient_credits`, `account_suspended`, `too_many_failed_rows`, `fair_use` (the job stays paused).
 */
export async function resumeJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const outcome = await startOnEntitlement(ctx, input.userId, (terms) =>
    ctx.db.call('job_resume', { ...terms, p_job: input.jobId }, startOutcome),
  );
  return dispatchStarted(ctx, outcome, {
    credits: 'The job stays paused: resume it once there are enough.',
    tomorrow: 'The job stays paused: resume it tomorrow (UTC).',
  });
}
