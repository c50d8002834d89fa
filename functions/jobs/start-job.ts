import * as z from 'zod';
import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { dispatchJob } from './dispatch-job.ts';
import { jobRow } from './job-row.ts';
import { dispatchOf, jobView } from './job.pure.ts';

/** What `rowloom.job_run` says. */
export const started = z.discriminatedUnion('started', [
  z.strictObject({ started: z.literal(true), job: jobRow }),
  z.strictObject({
    started: z.literal(false),
    job: jobRow,
    required: z.int(),
    balance: z.int(),
  }),
]);
export type Started = z.infer<typeof started>;

/**
 * Holds the credits of a job whose rows are stored and hands its chunks to QStash. Without `upload` it
 * is a start after buying credits. Throws `insufficient_credits` and keeps the rows.
 */
export async function startJob(
  ctx: Ctx,
  input: { userId: string; jobId: string; upload?: { id: string; header: string[] } | undefined },
) {
  const outcome = await ctx.db.call(
    'job_start',
    {
      p_job: input.jobId,
      p_user: input.userId,
      p_per_row: ctx.config.creditsPerRow,
      p_upload: input.upload?.id ?? null,
      p_header: input.upload?.header ?? null,
    },
    started,
  );
  return launch(ctx, outcome, 'The rows are kept: start the job once there are enough.');
}

/** Dispatches a job that now runs; throws `insufficient_credits`, with `advice`, for one that does not. */
export async function launch(ctx: Ctx, outcome: Started, advice: string) {
  const { job } = outcome;
  if (!outcome.started) {
    const { required, balance } = outcome;
    throw new DomainError(
      'insufficient_credits',
      `The job needs ${required} credits; there are ${balance}. ${advice}`,
      { extra: { required, balance, jobId: job.id } },
    );
  }
  // The hold is committed: if publishing fails now, the watchdog publishes.
  await dispatchJob(ctx, dispatchOf(job), job.chunks_dispatched).catch(() => {
    ctx.log('dispatch_failed', { jobId: job.id });
  });
  return jobView(job, ctx.now());
}
