import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isFinal, shownResult, type ChunkRows } from '../processing/chunk.pure.ts';
import {
  type ConnectionLimiter,
  createConnectionLimiter,
} from '../providers/connection-limiter.ts';
import { processChunk } from '../processing/process-chunk.ts';
import type { Sender } from '../processing/sender.ts';
import type { JobRow } from './job-row.ts';
import { areRowsGone } from './job.pure.ts';
import { findJob, findWholeJob } from './read-job.ts';
import { isWorkedAsAsked } from './shown-row.pure.ts';
import { refusedToStart, startOnEntitlement, startOutcome } from './start-job.ts';

/** How long a request waits for its rows: what takes longer goes on, and is read as rows. */
const longestMs = 25_000;
const lookMs = 250;
/** Chunks that are looked through for rows that are not skipped. */
const pageChunks = 50;
const mostTries = 4;

type Found = Pick<ChunkRows, 'results' | 'duplicates'> & {
  index: number;
  first_row: number;
  row_count: number;
};
type FirstRow = { index: number; chunk: number; isToWork: boolean };

/**
 * Works the first rows of a job that has not begun, for a credit each, and gives their indices; they are not worked
 * again by its run. A row that was sampled with the same settings is not worked again; one at which another request
 * is, is waited for. Throws `insufficient_credits`, `account_suspended`, `too_many_failed_rows`, `fair_use`,
 * `job_running`, `job_not_open`, `rows_expired`, `busy`.
 */
export async function sampleJob(
  ctx: Ctx,
  { rows, ...of }: { userId: string; jobId: string; rows: number },
  connections = createConnectionLimiter(),
): Promise<number[]> {
  const untilMs = ctx.now().getTime() + longestMs;
  for (let tries = 1; ; tries += 1) {
    const job = await findWholeJob(ctx, of);
    if (areRowsGone(job)) throw new DomainError('rows_expired', "The job's rows were deleted.");
    const first = await firstRows(ctx, job, rows, await readProfile(ctx, of.userId));
    const toWork = first.filter(({ isToWork }) => isToWork);
    const isSampled = job.status === 'running' && job.returns_to !== null;
    if (toWork.length > 0 || isSampled) {
      const isOver = await workRows(ctx, { ...of, job, toWork, untilMs, connections });
      if (!isOver && tries < mostTries) continue;
    }
    return first.map(({ index }) => index);
  }
}

type Work = {
  userId: string;
  jobId: string;
  job: JobRow;
  toWork: FirstRow[];
  untilMs: number;
  connections: ConnectionLimiter;
};

/** False: it was changed, or another sample was at work; it is to be looked at anew. */
async function workRows(
  ctx: Ctx,
  { userId, jobId, job, toWork, untilMs, connections }: Work,
): Promise<boolean> {
  const p_rows = toWork.map(({ index }) => index);
  const start = () =>
    startOnEntitlement(ctx, userId, (terms) =>
      ctx.db.call(
        'job_sample',
        { ...terms, p_job: jobId, p_rows, p_version: job.settings_version, p_run: job.run },
        startOutcome,
      ),
    );
  const outcome = await start().catch((error: unknown) => {
    if (error instanceof DomainError && error.code === 'settings_changed') return undefined;
    throw error;
  });
  if (!outcome) return false;
  if (!outcome.started)
    throw refusedToStart(ctx, outcome, {
      credits: 'Sample fewer rows, or buy some.',
      tomorrow: 'Sample it tomorrow (UTC).',
    });
  const { run } = outcome.job;
  const isMine = !outcome.joined;
  if (isMine) {
    const chunks = [...new Set(toWork.map(({ chunk }) => chunk))];
    const outcomes = await Promise.all(
      chunks.map((chunk) =>
        // Whatever fails here, the watchdog goes on with it.
        processChunk(ctx, { jobId, run, chunk, revision: 0 }, connections).catch(() => {
          ctx.log('sample_left', { jobId });
        }),
      ),
    );
    // What is left of them waits for a provider: nobody waits for that in a request.
    if (outcomes.every((one) => one !== undefined)) return true;
  }
  await untilWorked(ctx, { userId, jobId, run, untilMs });
  return isMine;
}

/** Until the run is over, or the request has waited long enough. */
async function untilWorked(
  ctx: Ctx,
  { userId, jobId, run, untilMs }: { userId: string; jobId: string; run: number; untilMs: number },
): Promise<void> {
  for (;;) {
    const job = await findJob(ctx, { userId, jobId });
    const isOver = job.run !== run || job.status !== 'running';
    if (isOver || ctx.now().getTime() + lookMs > untilMs) return;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

const readProfile = async (ctx: Ctx, userId: string): Promise<Sender | null> => {
  const text = 'select sender from user_profiles where user_id = $1';
  const [found] = await ctx.db.rows<{ sender: Sender | null }>(text, [userId]);
  return found?.sender ?? null;
};

/** The first rows that are not skipped, and whether they have no result by the present settings. */
async function firstRows(
  ctx: Ctx,
  job: JobRow,
  count: number,
  profile: Sender | null,
): Promise<FirstRow[]> {
  const found: FirstRow[] = [];
  for (let after = -1; found.length < count;) {
    const chunks = await ctx.db.rows<Found>(
      `select index, first_row, row_count, results, duplicates from job_chunks
        where job_id = $1 and index > $2 order by index limit ${pageChunks}`,
      [job.id, after],
    );
    for (const chunk of chunks) found.push(...rowsOf(chunk, job, profile));
    after = chunks.at(-1)?.index ?? after;
    if (chunks.length < pageChunks) break;
  }
  return found.slice(0, count);
}

function rowsOf(
  { index: chunk, first_row, row_count, results, duplicates }: Found,
  job: JobRow,
  profile: Sender | null,
) {
  const same = new Map(job.skips_duplicates ? duplicates : []);
  return Array.from({ length: row_count }, (_, i) => i).flatMap((i): FirstRow[] => {
    const result = results?.[i];
    const shown = shownResult(result, same.get(i));
    if (shown?.status === 'skipped') return [];
    const isUnderWay = job.status === 'running' && !isFinal(result, job.generation);
    return [
      {
        index: first_row + i,
        chunk,
        isToWork: !isWorkedAsAsked(job, profile, shown) && !isUnderWay,
      },
    ];
  });
}
