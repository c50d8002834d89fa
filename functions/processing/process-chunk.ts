import { settleQuietly } from '../ledger/settle-quietly.ts';
import { type ChunkMessage, publishChunks } from './publish-chunks.ts';
import { createDeadline } from '../providers/deadline.ts';
import * as z from 'zod';
import type { Args } from '../../db/call.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { again } from '../shared/retry.ts';
import { type ChunkOutcome, chunkOutcome } from './chunk-outcome.ts';
import {
  countResults,
  pendingRowsOf,
  leaseSeconds,
  mergeResults,
  type StoredResults,
} from './chunk.pure.ts';
import { columnNames } from '../csv/columns.pure.ts';
import { createProgress } from './progress-store.ts';
import type { RowResult } from './processor.ts';
import { processors } from './processors.ts';
import { createRowTools } from './create-row-tools.ts';
import { createConnectionLimiter, type Slots } from '../providers/connection-limiter.ts';
import { processRows, type RowOutcome } from './process-rows.ts';

/** Deliveries in a row that may bring no row to its end because providers are slow or over their limit. */
const mostFruitlessDeliveries = 2;
/** The longest that a provider's own word puts a chunk off. */
const longestPauseSeconds = 900;

/** Rows and results are many, and ours: only that they are lists is looked at. */
const listOf = <T>() => z.custom<T>(Array.isArray, 'not a list');

const lease = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('leased'),
    chunk: z.strictObject({
      rows: listOf<string[][]>(),
      results: listOf<StoredResults>().nullable(),
      fruitlessLeases: z.int(),
      revision: z.int(),
    }),
    job: z.strictObject({
      userId: z.string(),
      rowsTotal: z.int(),
      rowsKept: z.int(),
      header: listOf<string[]>(),
      prompt: z.string(),
      processor: z.string(),
    }),
  }),
  z.strictObject({ outcome: z.literal('busy'), retryAfterSeconds: z.number() }),
  z.strictObject({ outcome: z.literal(['done', 'gone']) }),
]);

type Leased = Extract<z.infer<typeof lease>, { outcome: 'leased' }>;

/**
 * Works one chunk: lease, rows, commit; two round trips to the database. Near its time limit it commits
 * what it has and queues the chunk again for the rest. A delivery that is late, double or beside another
 * changes nothing; `busy` asks the queue to come again when the lease of another delivery has run out.
 */
export async function processChunk(
  ctx: Ctx,
  message: ChunkMessage,
  slots: Slots = createConnectionLimiter(),
  limits?: Parameters<typeof createDeadline>[1],
): Promise<ChunkOutcome> {
  const token = crypto.randomUUID();
  const leased = await ctx.db.call(
    'chunk_lease',
    {
      p_job: message.jobId,
      p_run: message.run,
      p_index: message.chunk,
      p_token: token,
      p_seconds: leaseSeconds,
    },
    lease,
  );
  if (leased.outcome === 'busy')
    throw new DomainError('busy', 'Another delivery works on this chunk.', {
      retryAfterSeconds: leased.retryAfterSeconds,
    });
  if (leased.outcome !== 'leased') return { outcome: leased.outcome };
  const { chunk, job } = leased;

  const deadline = createDeadline(ctx.now().getTime(), limits);
  const toolbox = createRowTools(ctx, slots, deadline);
  const progress = createProgress(ctx, slots.run, message, deadline.stop);
  const processor = processors.get(job.processor);
  const { prompt } = job;
  const header = columnNames(job.header);
  const leads = pendingRowsOf(chunk.rows, chunk.results, message.run);
  try {
    await toolbox.prepare(leads.flatMap(({ row }) => processor?.research?.(header, row) ?? []));
    const outcomes = await processRows(ctx, {
      leads,
      header,
      prompt,
      processor,
      tools: toolbox.tools,
      deadline,
      onRow: progress.row,
    });
    // Before the commit, or its rows would be shown twice.
    await progress.end();
    const finished = toolbox.finish();
    try {
      return await settle(ctx, message, token, leased, outcomes, progress.cancelled);
    } finally {
      await finished;
    }
  } finally {
    deadline.clear();
  }
}

/** Commits what there is; a chunk with rows left is queued again. */
async function settle(
  ctx: Ctx,
  message: ChunkMessage,
  token: string,
  { chunk, job }: Leased,
  outcomes: Map<number, RowOutcome>,
  isCancelled: boolean,
): Promise<ChunkOutcome> {
  const { run } = message;
  const { added, waitMs, inTurn } = sortOut(outcomes, chunk.fruitlessLeases);
  const results = mergeResults(chunk.rows.length, chunk.results, added, run);
  const { succeeded, failed, left } = countResults(results, run);
  const outcome = await commit(ctx, {
    p_job: message.jobId,
    p_run: run,
    p_index: message.chunk,
    p_token: token,
    p_results: results,
    p_succeeded: succeeded,
    p_failed: failed,
    p_waited: inTurn,
  });
  if (outcome.status === 'completed') await settleQuietly(ctx, job.userId);
  // `stale` after an answer that was lost may be our own commit: one delivery too many does no harm.
  if (left === 0 || isCancelled || outcome.outcome === 'gone') return outcome;
  const dispatch = { ...message, userId: job.userId, rows: job.rowsTotal - job.rowsKept };
  const delaySeconds = Math.min(longestPauseSeconds, Math.ceil(waitMs / 1000));
  const rest = { index: message.chunk, revision: chunk.revision + 1 };
  await publishChunks(ctx, dispatch, [rest], { round: token, delaySeconds }).catch(
    (cause: unknown) => {
      // This delivery is tried again instead, and finds the rest of the chunk.
      throw new DomainError('busy', 'The rest of the chunk could not be queued.', {
        retryAfterSeconds: 5,
        cause,
      });
    },
  );
  return outcome;
}

/**
 * Parts results from what was postponed. Rows that were refused by a provider over its limit, or cut by
 * the deadline, fail when their chunk got nowhere for several deliveries; rows that only await their turn
 * do not.
 */
function sortOut(outcomes: Map<number, RowOutcome>, fruitlessLeases: number) {
  const added = new Map<number, RowResult>();
  const postponed = [...outcomes].flatMap(([at, outcome]) => {
    if (outcome.status === 'postponed') return [{ at, ...outcome }];
    added.set(at, outcome);
    return [];
  });
  if (added.size === 0 && fruitlessLeases >= mostFruitlessDeliveries)
    for (const { at, inTurn, waitMs } of postponed)
      if (!inTurn)
        added.set(at, {
          status: 'error',
          error: waitMs > 0 ? 'The provider is over its rate limit' : 'Took too long',
        });
  return {
    added,
    waitMs: Math.max(0, ...postponed.map(({ waitMs }) => waitMs)),
    inTurn: postponed.length > 0 && postponed.every((row) => row.inTurn),
  };
}

const pausesMs = [300, 1000];

/** Commits; an answer that was lost is asked for again, since the rows are paid for. */
const commit = (ctx: Ctx, args: Args<'chunk_commit'>): Promise<ChunkOutcome> =>
  again(
    pausesMs,
    () => ctx.db.call('chunk_commit', args, chunkOutcome),
    (error) => error instanceof DomainError && error.code === 'service_unavailable',
  );
