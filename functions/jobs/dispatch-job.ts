import type { Ctx } from '../deps.ts';
import type { JobRow } from './job.pure.ts';

/** Messages in one publish: QStash takes more, but a batch that fails is sent again as a whole. */
const batchMessages = 100;

/** Retries that every QStash plan grants; the delays are 10, 30 and 90 s. */
const retries = 3;
const retryDelay = '10000 * pow(3, retried)';

export type ChunkMessage = { jobId: string; attempt: number; chunk: number };

/**
 * Publishes chunks by index. `round` tells a repeated publication from QStash's memory of the first:
 * the same round twice is one delivery.
 */
export async function publishChunks(
  ctx: Ctx,
  job: Pick<JobRow, 'id' | 'user_id' | 'attempt'>,
  indexes: number[],
  round: string,
): Promise<void> {
  const { publicUrl, parallelInvocations } = ctx.config;
  await ctx.qstash.batchJSON(
    indexes.map((chunk) => ({
      url: `${publicUrl}/queue/chunks`,
      body: { jobId: job.id, attempt: job.attempt, chunk } satisfies ChunkMessage,
      retries,
      retryDelay,
      label: `job-${job.id}`,
      deduplicationId: `${job.id}-${job.attempt}-${chunk}-${round}`,
      flowControl: { key: `user-${job.user_id}`, parallelism: parallelInvocations },
      failureCallback: `${publicUrl}/queue/chunk-failures`,
    })),
  );
}

/** Publishes what of a job has not been, batch by batch; the count of each is kept, so that it can go on. */
export async function dispatchJob(ctx: Ctx, job: JobRow): Promise<void> {
  for (let from = job.chunks_dispatched; from < job.chunks_total; from += batchMessages) {
    const to = Math.min(job.chunks_total, from + batchMessages);
    const indexes = Array.from({ length: to - from }, (_, i) => from + i);
    await publishChunks(ctx, job, indexes, 'first');
    await ctx.db.rows(
      'update jobs set chunks_dispatched = greatest(chunks_dispatched, $2) where id = $1 and attempt = $3',
      [job.id, to, job.attempt],
    );
  }
}
