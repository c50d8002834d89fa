import { settleQuietly } from '../ledger/settle-quietly.ts';
import { runLabel } from '../processing/publish-chunks.ts';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import { jobRow } from './job-row.ts';
import { jobView } from './job.pure.ts';
import { announceCancel } from '../processing/progress-store.ts';

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
  const began = ctx.now().getTime();
  let running = await begin(ctx, of);
  if (running) await stopWork(ctx, input.jobId, running.run);
  while (running && running.atWork > 0 && ctx.now().getTime() - began < patienceMs) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
    running = await begin(ctx, of);
  }
  const job = await ctx.db.call('job_cancel', of, jobRow);
  await settleQuietly(ctx, input.userId);
  return jobView(job, ctx.now());
}

const stopping = z.strictObject({ run: z.int(), atWork: z.int() }).nullable();

const begin = (ctx: Ctx, of: { p_job: string; p_user: string }) =>
  ctx.db.call('job_cancel_begin', of, stopping);

/**
 * Takes back what is queued of a run that ends, and tells who works on it. If either fails, what still
 * comes finds that there is nothing to do.
 */
export async function stopWork(ctx: Ctx, jobId: string, run: number): Promise<void> {
  const cancelled = ctx.qstash.messages.cancel({ filter: { label: runLabel(jobId, run) } });
  const takeBack = timeLimit(queueTimeoutMs, cancelled).catch(() => {
    ctx.log('cancel_messages_failed', { jobId });
  });
  await Promise.all([announceCancel(ctx, jobId), takeBack]);
}
