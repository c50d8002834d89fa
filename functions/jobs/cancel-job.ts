import type { Ctx } from '../deps.ts';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import { attemptLabel } from './dispatch-job.ts';
import { jobView, type JobRow } from './job.pure.ts';
import { announceCancel } from './progress.ts';

/** How long a cancel waits for invocations at work to commit the rows that they have finished. */
const patienceMs = 2500;
const lookMs = 150;

/**
 * Ends a job: finished rows stay and are charged, the credits of the others go back. Nothing new is begun
 * from now on; invocations at work hear of it and commit what they have, for which it waits a moment. A
 * second time changes nothing. Throws `job_not_open` for a job that has ended by itself.
 */
export async function cancelJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const of = { p_job: input.jobId, p_user: input.userId };
  const atWork = (): Promise<number> => ctx.db.call<number>('job_cancel_begin', of);
  const began = ctx.now().getTime();
  if ((await atWork()) > 0) {
    await announceCancel(ctx, input.jobId);
    do await new Promise((resolve) => setTimeout(resolve, lookMs));
    while ((await atWork()) > 0 && ctx.now().getTime() - began < patienceMs);
  }
  const { job, stopped } = await ctx.db.call<{ job: JobRow; stopped: boolean }>('job_cancel', of);
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
