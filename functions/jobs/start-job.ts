import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { dispatchJob } from './dispatch-job.ts';
import { dispatchOf, jobView, type JobRow } from './job.pure.ts';

/** What `rowloom.job_run` says. */
export type Started = { started: boolean; job: JobRow; required?: number; balance?: number };

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
  return launch(ctx, outcome, 'The rows are kept: start the job once there are enough.');
}

/** Dispatches a job that now runs; throws `insufficient_credits`, with `advice`, for one that does not. */
export async function launch(ctx: Ctx, outcome: Started, advice: string) {
  const { job, required, balance } = outcome;
  if (!outcome.started)
    throw new DomainError(
      'insufficient_credits',
      `The job needs ${required} credits; there are ${balance}. ${advice}`,
      { extra: { required, balance, jobId: job.id } },
    );
  // The hold is committed: if publishing fails now, the watchdog publishes.
  await dispatchJob(ctx, dispatchOf(job), job.chunks_dispatched).catch(() => {
    ctx.log('dispatch_failed', { jobId: job.id });
  });
  return jobView(job, ctx.now());
}
