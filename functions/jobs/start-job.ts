import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { dispatchJob } from './dispatch-job.ts';
import { jobView, type JobRow } from './job.pure.ts';

type Started = { started: boolean; job: JobRow; required?: number; balance?: number };

/**
 * Holds the credits of a job whose rows are stored and hands its chunks to QStash. Without `upload` it
 * is a start after buying credits. Throws `insufficient_credits` and keeps the rows.
 */
export async function startJob(
  ctx: Ctx,
  input: { userId: string; jobId: string; upload?: { id: string; header: string[] } | undefined },
) {
  const outcome = await ctx.db.call<Started>('job_start', {
    p_job: input.jobId,
    p_user: input.userId,
    p_upload: input.upload?.id ?? null,
    p_header: input.upload?.header ?? null,
    p_per_row: ctx.config.creditsPerRow,
  });
  if (!outcome.started)
    throw new DomainError(
      'insufficient_credits',
      `The job needs ${outcome.required} credits; there are ${outcome.balance}. The rows are kept: start the job once there are enough.`,
      { extra: { required: outcome.required, balance: outcome.balance, jobId: input.jobId } },
    );
  // The hold is committed: if publishing fails now, the watchdog publishes.
  await dispatchJob(ctx, outcome.job).catch(() => {
    ctx.log('dispatch_failed', { jobId: input.jobId });
  });
  return jobView(outcome.job, ctx.now());
}
