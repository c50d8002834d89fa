import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { settleQuietly } from '../ledger/settle-quietly.ts';
import { sideBySide, type SweepPage } from '../shared/side-by-side.ts';
import { stopWork } from './cancel-job.ts';

const perPage = 20;
/** Its messages, its announcement, and the fold of its user with a conflict. */
const callsPerJob = 8;

const ended = z.array(z.strictObject({ job: z.string(), run: z.int(), user: z.string() }));

/** Ends jobs whose cancel was begun and never finished. */
export async function endOverdueCancels(ctx: Ctx): Promise<SweepPage> {
  const found = await ctx.db.call('jobs_cancel_overdue', { p_limit: perPage }, ended);
  // Ended they are already; neither of these throws.
  const tidyUp = async ({ job, run, user }: (typeof found)[number]) => {
    await stopWork(ctx, job, run);
    await settleQuietly(ctx, user);
  };
  await sideBySide(found, tidyUp, { onFailure: () => false });
  return {
    worked: found.length,
    isMore: found.length === perPage,
    calls: 1 + found.length * callsPerJob,
  };
}
