import * as z from 'zod';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import { settleQuietly } from '../ledger/settle-quietly.ts';
import { failChunks } from '../processing/fail-chunks.ts';
import { readOpenProviders, waitingOf } from '../processing/open-providers.ts';
import { processors } from '../processing/processors.ts';
import { chunkRef, laneKeyOf, publishAll } from '../processing/publish-chunks.ts';
import { stopWork } from './cancel-job.ts';
import { dispatchJob } from './dispatch-job.ts';
import { jobRow } from './job-row.ts';
import { dispatchOf } from './job.pure.ts';

/** Leases that a chunk may lose before it is given up. */
const mostFruitlessLeases = 8;
const perRun = 20;

const ended = z.array(z.strictObject({ job: z.string(), run: z.int(), user: z.string() }));

const stalled = z.strictObject({
  job: jobRow,
  pending: z.array(chunkRef),
  exhausted: z.array(chunkRef),
});
type Stalled = z.infer<typeof stalled>;

/**
 * Finds running jobs that show no sign of life: goes on with a dispatch that died, publishes lost
 * chunks again, gives up those that cannot be worked. Each job is touched first, so that two runs side
 * by side do not take the same one.
 */
export async function recoverStalledJobs(ctx: Ctx): Promise<{ stalled: number }> {
  for (const { job, run, user } of await ctx.db.call('jobs_cancel_overdue', {}, ended)) {
    await stopWork(ctx, job, run);
    await settleQuietly(ctx, user);
  }
  const open = await readOpenProviders(ctx);
  const limits = {
    p_fruitless_leases: mostFruitlessLeases,
    p_limit: perRun,
    p_waiting: [...processors.keys()].filter((name) => waitingOf(ctx.config, name, open)),
  };
  const found = await ctx.db.call('jobs_stalled', limits, z.array(stalled));
  for (const one of found)
    await revive(ctx, one).catch(() => {
      // QStash is down: it comes up again with a later run.
      ctx.log('revive_failed', { jobId: one.job.id });
    });
  return { stalled: found.length };
}

async function revive(ctx: Ctx, { job, pending, exhausted }: Stalled): Promise<void> {
  ctx.log('job_stalled', { jobId: job.id, pending: pending.length, exhausted: exhausted.length });
  if (job.chunks_dispatched < job.chunks_total)
    return dispatchJob(ctx, dispatchOf(job), job.chunks_dispatched);
  for (const chunk of exhausted)
    await failChunks(ctx, { jobId: job.id, run: job.run, chunk }, 'Could not be processed');
  const dispatch = dispatchOf(job);
  // A lane that was paused by a Worker that died then would hold these back as well.
  const lane = laneKeyOf(ctx, dispatch);
  await timeLimit(queueTimeoutMs, ctx.qstash.flowControl.resume(lane));
  await publishAll(ctx, dispatch, pending, String(ctx.now().getTime()));
}
