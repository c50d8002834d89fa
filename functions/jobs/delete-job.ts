import { settleQuietly } from '../ledger/settle-quietly.ts';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { timeLimit } from '../clients/time-limit.ts';
import { forgetResearch } from '../providers/research-cache.ts';
import { createSharedRedis } from '../providers/shared-redis.ts';
import { stopWork, windDown } from './cancel-job.ts';

/** How long a deletion waits for Redis to forget what was found: several thousand rows take no longer. */
const patienceMs = 1200;
/** With what it has waited for before, a deletion is to answer within 2 s. */
const longestMs = 1700;
const leastMs = 300;

const deleted = z.strictObject({ stopped: z.boolean(), run: z.int() });

/**
 * Removes a job with its rows and results, for good; one that runs is cancelled first, with the wait of a cancel:
 * rows that are finished are charged. Its ledger entries stay. What was found for its rows, and nobody else has
 * asked for, is forgotten in 1.2 s, or within a day. Throws `not_found`, a second time too.
 */
export async function deleteJob(ctx: Ctx, input: { userId: string; jobId: string }): Promise<void> {
  const of = { p_job: input.jobId, p_user: input.userId };
  const beganMs = ctx.now().getTime();
  const isWoundDown = await windDown(ctx, of);
  const { stopped, run } = await ctx.db.call('job_delete', of, deleted);
  const leftMs = Math.max(leastMs, longestMs - (ctx.now().getTime() - beganMs));
  await Promise.all([
    // It has begun to run meanwhile.
    stopped && !isWoundDown && stopWork(ctx, input.jobId, run),
    stopped && settleQuietly(ctx, input.userId),
    forget(ctx, input, Math.min(patienceMs, leftMs)),
  ]);
}

/** A deletion is done whatever becomes of this. */
async function forget(
  ctx: Ctx,
  input: { userId: string; jobId: string },
  forMs: number,
): Promise<void> {
  const shared = createSharedRedis(ctx, { run: (work) => work() });
  const signal = AbortSignal.timeout(forMs);
  await timeLimit(forMs, forgetResearch(shared, input, signal)).catch(() =>
    ctx.log('research_not_forgotten', { jobId: input.jobId }),
  );
}
