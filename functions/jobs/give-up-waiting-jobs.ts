import type { Ctx } from '../context.ts';
import { failChunks } from '../processing/fail-chunks.ts';
import { readOpenProviders, waitingOf } from '../processing/open-providers.ts';
import { gaveUpSentence, isGivenUp } from '../processing/waiting.pure.ts';

/** So many in one run of the cron; the next run takes the rest. */
const perRun = 200;

type Running = { id: string; run: number; processor: string; started_at: string };

/** Ends jobs that have waited for a provider as long as anybody is asked to. Gives how many. */
export async function giveUpWaitingJobs(ctx: Ctx): Promise<number> {
  const open = await readOpenProviders(ctx);
  if (open.length === 0) return 0;
  const jobs = await ctx.db.rows<Running>(
    `select id, run, processor, started_at from jobs
      where status = 'running' and cancel_at is null order by started_at limit ${perRun}`,
  );
  const patienceMs = ctx.config.providerPatienceMs;
  let count = 0;
  for (const { id: jobId, run, processor, started_at: startedAt } of jobs) {
    const waiting = waitingOf(ctx.config, processor, open);
    const nowMs = ctx.now().getTime();
    if (!waiting || !isGivenUp(waiting, Date.parse(startedAt), nowMs, patienceMs)) continue;
    await failChunks(ctx, { jobId, run }, gaveUpSentence(waiting, patienceMs), { givenUp: true });
    count += 1;
  }
  return count;
}
