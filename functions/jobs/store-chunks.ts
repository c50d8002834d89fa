import type { Ctx } from '../context.ts';
import type { ChunkBatch } from '../csv/chunk-rows.pure.ts';

/** Statements under way at once: the file is parsed meanwhile, and memory stays flat. */
const maxStatements = 2;

/**
 * Stores the chunks of one upload while the next ones are read; gives the file's header. A statement that
 * fails stops it, and nothing is under way any more once this has ended, however it ends.
 */
export async function storeChunks(
  ctx: Ctx,
  upload: { jobId: string; uploadId: string },
  batches: AsyncIterable<ChunkBatch>,
): Promise<string[]> {
  const underWay = new Set<Promise<void>>();
  let header: string[] = [];
  let failure: { error: unknown } | undefined;
  const throwFailure = () => {
    if (failure) throw failure.error;
  };
  try {
    for await (const batch of batches) {
      header = batch.header;
      while (underWay.size >= maxStatements) await Promise.race(underWay);
      throwFailure();
      const append: Promise<void> = appendChunks(ctx, upload, batch)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => underWay.delete(append));
      underWay.add(append);
    }
  } finally {
    await Promise.all(underWay);
  }
  throwFailure();
  return header;
}

async function appendChunks(
  ctx: Ctx,
  { jobId, uploadId }: { jobId: string; uploadId: string },
  { index, firstRow, counts, lines }: ChunkBatch,
): Promise<void> {
  await ctx.db.call('job_upload_append', {
    p_job: jobId,
    p_upload: uploadId,
    p_index: index,
    p_first_row: firstRow,
    p_counts: counts,
    p_lines: lines,
  });
}
