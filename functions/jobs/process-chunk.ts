import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import type { ChunkMessage } from './dispatch-job.ts';
import type { RowProcessor, RowResult } from './rows/processor.ts';
import { processors } from './rows/processors.ts';
import { ProviderError } from './rows/retry.ts';
import { createSlots, type SlotFetch } from './slots.ts';

/** Longer than a chunk can take with every row at its timeouts; a lease that runs out is taken over. */
const leaseSeconds = 300;

type Lease =
  | {
      outcome: 'leased';
      chunk: { rows: string[][] };
      job: { header: string[]; prompt: string; processor: string };
    }
  | { outcome: 'busy'; retryAfterSeconds: number }
  | { outcome: 'done' | 'gone' };

export type ChunkOutcome = { outcome: 'committed' | 'stale' | 'done' | 'gone' };

/**
 * Works one chunk: lease, rows, commit; two round trips to the database. A delivery that is late,
 * double or beside another changes nothing; `busy` asks the queue to come again when the lease of
 * another delivery has run out.
 */
export async function processChunk(
  ctx: Ctx,
  message: ChunkMessage,
  fetcher: SlotFetch = createSlots(),
): Promise<ChunkOutcome> {
  const token = crypto.randomUUID();
  const lease = await ctx.db.call<Lease>('chunk_lease', {
    p_job: message.jobId,
    p_attempt: message.attempt,
    p_index: message.chunk,
    p_token: token,
    p_seconds: leaseSeconds,
  });
  if (lease.outcome === 'busy')
    throw new DomainError('busy', 'Another delivery works on this chunk.', {
      retryAfterSeconds: lease.retryAfterSeconds,
    });
  if (lease.outcome !== 'leased') return { outcome: lease.outcome };

  const processor = processors.get(lease.job.processor);
  const { rows } = lease.chunk;
  const results = await mapLimited(rows, ctx.config.parallelRowsPerInvocation, (row) =>
    workRow(ctx, processor, { ...lease.job, row }, fetcher),
  );
  const succeeded = results.filter((result) => result.status === 'ok').length;
  return ctx.db.call<ChunkOutcome>('chunk_commit', {
    p_job: message.jobId,
    p_attempt: message.attempt,
    p_index: message.chunk,
    p_token: token,
    p_results: results,
    p_succeeded: succeeded,
    p_failed: results.length - succeeded,
  });
}

/** A row that fails becomes an error row: it never fails its chunk. */
async function workRow(
  ctx: Ctx,
  processor: RowProcessor | undefined,
  input: { header: string[]; prompt: string; row: string[] },
  fetcher: SlotFetch,
): Promise<RowResult> {
  if (!processor) return { status: 'error', error: 'This kind of job is not offered any more' };
  try {
    const { header, prompt, row } = input;
    const cells = await processor.process({
      header,
      prompt,
      row,
      config: ctx.config,
      fetch: fetcher,
    });
    return { status: 'ok', cells };
  } catch (error) {
    if (error instanceof ProviderError) return { status: 'error', error: error.message };
    ctx.log('row_failed', {
      processor: processor.name,
      error: error instanceof Error ? error.name : 'unknown',
    });
    return { status: 'error', error: 'Internal error' };
  }
}

/** Maps in order with at most `limit` at work. */
async function mapLimited<T, R>(
  items: T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await work(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
