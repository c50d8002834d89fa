import { settleQuietly } from '../ledger/settle-quietly.ts';
import { publishNotification } from '../notifications/publish-notifications.ts';
import { runLabel } from '../processing/publish-chunks.ts';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { cancelByLabel } from '../clients/qstash.ts';
import { timeLimit } from '../clients/time-limit.ts';
import { jobRow } from './job-row.ts';
import { wholeJobView } from './job.pure.ts';
import { announceStop, type StopWord } from '../processing/progress-store.ts';

/**
 * How long a cancel waits for invocations at work to commit the rows that they have finished, and for queue
 * and Redis meanwhile: with its calls to the database it is to answer within 2 s.
 */
const windDownMs = 1200;
const lookMs = 150;
const publishMs = 300;

/**
 * Ends a job: finished rows stay and are charged, the credits of the others go back. Nothing new is begun
 * from now on; invocations at work hear of it and commit what they have, for which it waits a moment. What
 * they commit later is refused. A second time changes nothing. Throws `job_not_open` for a job that has
 * ended by itself.
 */
export async function cancelJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const of = { p_job: input.jobId, p_user: input.userId };
  await windDown(ctx, of);
  const job = await ctx.db.call('job_cancel', of, jobRow);
  await settleQuietly(ctx, input.userId);
  // What the queue does not take at once, the sweep hands over.
  if (job.options.notifyUrl !== undefined)
    await timeLimit(publishMs, publishNotification(ctx, { jobId: job.id })).catch(() => undefined);
  return wholeJobView(job, ctx.now());
}

type Of = { p_job: string; p_user: string };

/**
 * Begins to cancel or to pause a running job: nothing new is begun, and for 1.2 s at most what works on it may commit.
 * False: it does not run.
 */
export async function windDown(ctx: Ctx, of: Of, word: StopWord = 'cancel'): Promise<boolean> {
  const untilMs = ctx.now().getTime() + windDownMs;
  const begin = () => ctx.db.call(begins[word], of, stopping);
  const running = await begin();
  if (!running) return false;
  const untilNoneWorks = async (): Promise<void> => {
    while (ctx.now().getTime() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, lookMs));
      if (!(await begin())?.atWork) return;
    }
  };
  await Promise.all([
    stopWork(ctx, of.p_job, running.run, word),
    running.atWork > 0 && untilNoneWorks(),
  ]);
  return true;
}

const begins = { cancel: 'job_cancel_begin', pause: 'job_pause_begin' } as const;

const stopping = z.strictObject({ run: z.int(), atWork: z.int() }).nullable();

/**
 * Takes back what is queued of a run that ends, and tells who works on it that it ends, or begins nothing more; waits
 * for neither longer than 1.2 s. If either fails or comes late, what is delivered finds that there is nothing to do.
 */
export async function stopWork(
  ctx: Ctx,
  jobId: string,
  run: number,
  word: StopWord = 'cancel',
): Promise<void> {
  const takenBack = cancelByLabel(ctx.qstash, runLabel(jobId, run));
  await Promise.all([
    timeLimit(windDownMs, announceStop(ctx, jobId, word)).catch(() => undefined),
    timeLimit(windDownMs, takenBack).catch(() => ctx.log('cancel_messages_failed', { jobId })),
  ]);
}
