import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { settleQuietly } from '../ledger/settle-quietly.ts';
import { publishNotification } from '../notifications/publish-notifications.ts';
import { sideBySide, type SweepPage } from '../shared/side-by-side.ts';
import type { StopWord } from '../processing/progress-store.ts';
import { stopWork } from './cancel-job.ts';

const perPage = 20;
/** Its messages, its announcement, and the fold of its user with a conflict. */
const callsPerJob = 8;

const ended = z.array(z.strictObject({ job: z.string(), run: z.int(), user: z.string() }));

/** Ends jobs whose cancel was begun and never finished. */
export const endOverdueCancels = (ctx: Ctx): Promise<SweepPage> =>
  finish(ctx, 'jobs_cancel_overdue', 'cancel');

/** Ends the holds of jobs whose pause was begun and never finished, or on which nobody works any more. */
export const endOverduePauses = (ctx: Ctx): Promise<SweepPage> =>
  finish(ctx, 'jobs_pause_overdue', 'pause');

async function finish(
  ctx: Ctx,
  name: 'jobs_cancel_overdue' | 'jobs_pause_overdue',
  word: StopWord,
): Promise<SweepPage> {
  const found = await ctx.db.call(name, { p_limit: perPage }, ended);
  // Ended they are already; neither of these throws.
  const tidyUp = async ({ job, run, user }: (typeof found)[number]) => {
    await stopWork(ctx, job, run, word);
    await settleQuietly(ctx, user);
    await publishNotification(ctx, { jobId: job });
  };
  await sideBySide(found, tidyUp, { onFailure: () => false });
  return {
    worked: found.length,
    isMore: found.length === perPage,
    calls: 1 + found.length * callsPerJob,
  };
}
