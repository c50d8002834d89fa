import type { Ctx } from '../deps.ts';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import { attemptLabel } from './dispatch-job.ts';
import { jobView, type JobRow } from './job.pure.ts';
import { announceCancel } from './progress.ts';

/**
 * Ends a job at once: finished rows stay and are charged, the credits of the others go back. A second
 * time changes nothing. Throws `job_not_open` for a job that has ended by itself.
 */
export async function cancelJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const { job, stopped } = await ctx.db.call<{ job: JobRow; stopped: boolean }>('job_cancel', {
    p_job: input.jobId,
    p_user: input.userId,
  });
  if (stopped) await stopWork(ctx, input.jobId, job.attempt);
  return jobView(job, ctx.now());
}

/**
 * Takes back what is queued of an attempt that has ended, and tells who works on it. If either fails, what
 * still comes finds that there is nothing to do.
 */
export async function stopWork(ctx: Ctx, jobId: string, attempt: number): Promise<void> {
  const cancelled = ctx.qstash.messages.cancel({ filter: { label: attemptLabel(jobId, attempt) } });
  const takeBack = timeLimit(queueTimeoutMs, cancelled).catch(() => {
    ctx.log('cancel_messages_failed', { jobId });
  });
  await Promise.all([announceCancel(ctx, jobId), takeBack]);
}
