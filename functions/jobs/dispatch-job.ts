import type { Ctx } from '../deps.ts';
import { laneOf } from './job.pure.ts';

/** Messages in one publish: QStash takes more, but a batch that fails is sent again as a whole. */
const batchMessages = 100;

/** Retries that every QStash plan grants; the delays are 10, 30 and 90 s. */
const retries = 3;
const retryDelay = '10000 * pow(3, retried)';

export type ChunkMessage = { jobId: string; attempt: number; chunk: number };

/** What a job's messages are addressed by: its id, the attempt, and whose lane they take. */
export type Dispatch = { jobId: string; attempt: number; userId: string; rows: number };

type Next = { indexes: number[]; from: number } | null;

/** By this label a job's messages are found, and taken back. */
export const jobLabel = (jobId: string): string => `job-${jobId}`;

/**
 * Publishes chunks by index. `round` tells a repeated publication from QStash's memory of the first:
 * the same round twice is one delivery.
 */
export async function publishChunks(
  ctx: Ctx,
  { jobId, attempt, userId, rows }: Dispatch,
  indexes: number[],
  { round, delaySeconds = 0 }: { round: string; delaySeconds?: number },
): Promise<void> {
  const { publicUrl, parallelInvocations } = ctx.config;
  await ctx.qstash.batchJSON(
    indexes.map((chunk) => ({
      url: `${publicUrl}/queue/chunks`,
      body: { jobId, attempt, chunk } satisfies ChunkMessage,
      retries,
      retryDelay,
      ...(delaySeconds > 0 && { delay: delaySeconds }),
      label: jobLabel(jobId),
      deduplicationId: `${jobId}-${attempt}-${chunk}-${round}`,
      flowControl: laneOf(userId, rows, parallelInvocations),
      failureCallback: `${publicUrl}/queue/chunk-failures`,
    })),
  );
}

/** Publishes any number of chunks, batch by batch. */
export async function publishAll(
  ctx: Ctx,
  dispatch: Dispatch,
  indexes: number[],
  round: string,
): Promise<void> {
  for (let at = 0; at < indexes.length; at += batchMessages)
    await publishChunks(ctx, dispatch, indexes.slice(at, at + batchMessages), { round });
}

/**
 * Publishes what of a job has not been, batch by batch, from chunk `from` on. The database keeps how far
 * it came, so that another can go on; it stops by itself when the attempt is over.
 */
export async function dispatchJob(ctx: Ctx, dispatch: Dispatch, from: number): Promise<void> {
  const next = (at: number): Promise<Next> =>
    ctx.db.call<Next>('job_dispatch', {
      p_job: dispatch.jobId,
      p_attempt: dispatch.attempt,
      p_from: at,
      p_limit: batchMessages,
    });
  for (let batch = await next(from); batch && batch.indexes.length > 0;) {
    await publishChunks(ctx, dispatch, batch.indexes, { round: 'first' });
    batch = await next(batch.from);
  }
}
