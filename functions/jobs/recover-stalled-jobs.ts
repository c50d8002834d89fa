import { QstashError } from '@upstash/qstash';
import * as z from 'zod';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { failChunks } from '../processing/fail-chunks.ts';
import { readOpenProviders, waitingOf } from '../processing/open-providers.ts';
import { batchMessages, laneKeyOf, MessagesRefused } from '../processing/publish-chunks.ts';
import { isUnanswered, sideBySide, type SweepPage } from '../shared/side-by-side.ts';
import { dispatchJob } from './dispatch-job.ts';

/** Leases that a chunk may lose before it is given up. */
const mostFruitlessLeases = 8;
/** Times that all of its chunks are published anew before the rest is given up. */
const mostWatchdogRuns = 8;

const defaultPerPage = 20;

const stalled = z.strictObject({
  jobId: z.string(),
  run: z.int(),
  userId: z.string(),
  rows: z.int(),
  needsSearch: z.boolean(),
  chunks: z.int(),
  from: z.int(),
  watchdogRuns: z.int(),
  hopeless: z.int(),
});
type Stalled = z.infer<typeof stalled>;

/** Chunks to give up and to settle, a lane, a pace; then two calls a batch. */
const callsFor = ({ chunks, from }: Stalled): number =>
  6 + 2 * Math.ceil(Math.max(0, chunks - from) / batchMessages);

/**
 * Finds running jobs that show no sign of life: goes on with a dispatch that died, publishes lost chunks
 * again, gives up those that cannot be worked. Each job is touched first, so that two runs side by side do
 * not take the same one. What is not published now has a dispatch that died.
 */
export async function recoverStalledJobs(
  ctx: Ctx,
  perPage = defaultPerPage,
): Promise<SweepPage & { stalled: number }> {
  const open = await readOpenProviders(ctx);
  const limits = {
    p_fruitless_leases: mostFruitlessLeases,
    p_limit: perPage,
    p_waiting: [true, false].filter((needsSearch) => waitingOf(ctx.config, needsSearch, open)),
  };
  const found = await ctx.db.call('jobs_stalled', limits, z.array(stalled));
  const resumed = new Set<string>();
  const { worked, isStopped } = await sideBySide(found, (job) => revive(ctx, job, resumed), {
    onFailure: ({ jobId }, error) => {
      ctx.log('revive_failed', { jobId });
      return isAway(error);
    },
  });
  return {
    stalled: found.length,
    worked,
    isMore: found.length === perPage && !isStopped,
    calls: found.reduce((sum, job) => sum + callsFor(job), 2),
  };
}

/** The queue or the database is away; anything else is this job's own trouble. */
function isAway(error: unknown): boolean {
  if (error instanceof DomainError) return isUnanswered(error);
  if (error instanceof QstashError) return (error.status ?? 500) >= 429;
  return !(error instanceof MessagesRefused);
}

async function revive(ctx: Ctx, job: Stalled, resumed: Set<string>): Promise<void> {
  const { chunks, from, watchdogRuns, hopeless, ...dispatch } = job;
  const { jobId, run } = dispatch;
  ctx.log('job_stalled', { jobId, chunks: chunks - from, hopeless, watchdogRuns });
  if (watchdogRuns === 0) return dispatchJob(ctx, dispatch, from);
  if (hopeless > 0) {
    const leases = watchdogRuns > mostWatchdogRuns ? 0 : mostFruitlessLeases;
    await failChunks(ctx, { jobId, run, fruitlessLeases: leases }, 'Could not be processed');
    if (leases === 0) return undefined;
  }
  // A lane that was paused by a Worker that died then would hold these back as well.
  const lane = laneKeyOf(ctx, dispatch);
  if (!resumed.has(lane)) {
    await timeLimit(queueTimeoutMs, ctx.qstash.flowControl.resume(lane));
    resumed.add(lane);
  }
  return dispatchJob(ctx, dispatch, from, roundOf(ctx, watchdogRuns));
}

/** Less than from one time that chunks are published anew to the next. */
const roundMs = 120_000;

/** Who goes on with a dispatch of another soon after publishes nothing twice. */
const roundOf = (ctx: Ctx, watchdogRuns: number): string =>
  `${watchdogRuns}-${Math.floor(ctx.now().getTime() / roundMs)}`;
