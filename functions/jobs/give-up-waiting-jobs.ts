import type { Ctx } from '../context.ts';
import { failChunks } from '../processing/fail-chunks.ts';
import { readOpenProviders, waitingOf } from '../processing/open-providers.ts';
import { gaveUpSentence, isGivenUp, type Waiting } from '../processing/waiting.pure.ts';
import { isUnanswered, sideBySide, type SweepPage } from '../shared/side-by-side.ts';

/** So many of one kind in one page. */
const perPage = 20;
/** The rows, and the fold of its user with a conflict. */
const callsPerJob = 5;

type Running = { id: string; run: number; started_at: string };

/** Ends jobs that have waited for a provider as long as anybody is asked to, the oldest runs first. */
export async function giveUpWaitingJobs(ctx: Ctx): Promise<SweepPage> {
  const open = await readOpenProviders(ctx);
  const page = { worked: 0, isMore: false, calls: 1 };
  if (open.length === 0) return page;
  for (const needsSearch of [true, false]) {
    const waiting = waitingOf(ctx.config, needsSearch, open);
    if (!waiting) continue;
    const { worked, isMore } = await giveUp(ctx, needsSearch, waiting);
    page.worked += worked;
    page.isMore ||= isMore;
    page.calls += 1 + perPage * callsPerJob;
  }
  return page;
}

/** Who runs for longest has waited for longest: behind the first that is not given up nobody is. */
async function giveUp(ctx: Ctx, needsSearch: boolean, waiting: Waiting) {
  const jobs = await ctx.db.rows<Running>(
    `select id, run, started_at from jobs
      where status = 'running' and cancel_at is null and pause_at is null and needs_search = $1 order by started_at limit ${perPage}`,
    [needsSearch],
  );
  const patienceMs = ctx.config.providerPatienceMs;
  const nowMs = ctx.now().getTime();
  const due = jobs.filter((job) =>
    isGivenUp(waiting, Date.parse(job.started_at), nowMs, patienceMs),
  );
  const reason = gaveUpSentence(waiting, patienceMs);
  let worked = 0;
  // Chunks that are being worked are left; they hear of it themselves.
  const giveUpOne = async ({ id: jobId, run }: Running) => {
    const { outcome } = await failChunks(ctx, { jobId, run }, reason, { givenUp: true });
    if (outcome === 'committed') worked += 1;
  };
  const { isStopped } = await sideBySide(due, giveUpOne, {
    onFailure: ({ id: jobId }, error) => {
      ctx.log('job_not_given_up', { jobId });
      return isUnanswered(error);
    },
  });
  return { worked, isMore: due.length === perPage && !isStopped };
}
