import type { Ctx } from '../deps.ts';
import { type ChunkRef, dispatchJob, publishAll } from './dispatch-job.ts';
import { stopWork } from './cancel-job.ts';
import { failChunk } from './fail-chunk.ts';
import { dispatchOf, type JobRow } from './job.pure.ts';

/** Leases that a chunk may lose before it is given up. */
const mostAttempts = 8;
const perRun = 20;

type Stalled = { job: JobRow; pending: ChunkRef[]; spent: ChunkRef[] };

/**
 * Finds running jobs that show no sign of life: goes on with a dispatch that died, publishes lost
 * chunks again, gives up those that cannot be worked. Each job is touched first, so that two runs side
 * by side do not take the same one.
 */
export async function watchJobs(ctx: Ctx): Promise<{ stalled: number }> {
  const cancelled = await ctx.db.rows<{ ended: { job: string; attempt: number } }>(
    'select e as ended from rowloom.jobs_cancel_overdue() e',
  );
  for (const { ended } of cancelled) await stopWork(ctx, ended.job, ended.attempt);
  const stalled = await ctx.db.rows<{ job: Stalled }>(
    'select j as job from rowloom.jobs_stalled($1, $2) j',
    [mostAttempts, perRun],
  );
  for (const { job: found } of stalled)
    await revive(ctx, found).catch(() => {
      // QStash is down: it comes up again with a later run.
      ctx.log('revive_failed', { jobId: found.job.id });
    });
  return { stalled: stalled.length };
}

async function revive(ctx: Ctx, { job, pending, spent }: Stalled): Promise<void> {
  ctx.log('job_stalled', { jobId: job.id, pending: pending.length, spent: spent.length });
  if (job.chunks_dispatched < job.chunks_total)
    return dispatchJob(ctx, dispatchOf(job), job.chunks_dispatched);
  for (const { index: chunk, part } of spent)
    await failChunk(
      ctx,
      { jobId: job.id, attempt: job.attempt, chunk, part },
      'Could not be processed',
    );
  await publishAll(ctx, dispatchOf(job), pending, String(ctx.now().getTime()));
}
