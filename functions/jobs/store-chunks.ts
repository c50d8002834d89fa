import type { Ctx } from '../context.ts';
import { type ChunkBatch, duplicateCharacters, skipCharacters } from '../csv/chunk-rows.pure.ts';
import { skippedRow, type StoredResults } from '../processing/chunk.pure.ts';
import type { UploadMemory } from './upload-memory.ts';

/** Statements under way at once: the file is parsed meanwhile, and memory stays flat. */
const maxStatements = 2;

/**
 * Stores the chunks of one upload while the next ones are read, as memory allows. A statement that
 * fails stops it, and nothing is under way any more once this has ended, however it ends.
 */
export async function storeChunks(
  ctx: Ctx,
  upload: { jobId: string; uploadId: string },
  batches: AsyncIterable<ChunkBatch>,
  memory: UploadMemory,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  const throwFailure = () => {
    if (failure) throw failure.error;
  };
  try {
    for await (const batch of batches) {
      const sent = await memory.send(charactersOf(batch), async () => {
        while (underWay.size >= maxStatements) await Promise.race(underWay);
        throwFailure();
      });
      const append: Promise<void> = appendChunks(ctx, upload, batch)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          sent();
          underWay.delete(append);
        });
      underWay.add(append);
    }
  } finally {
    await Promise.all(underWay);
  }
  throwFailure();
}

const charactersOf = ({ lines, skips = [], duplicates = [] }: ChunkBatch): number =>
  skips.reduce((sum, { size }) => sum + size * skipCharacters, lines.length) +
  duplicates.reduce((sum, { length }) => sum + length * duplicateCharacters, 0);

async function appendChunks(
  ctx: Ctx,
  { jobId, uploadId }: { jobId: string; uploadId: string },
  { index, firstRow, counts, lines, skips, duplicates }: ChunkBatch,
): Promise<void> {
  await ctx.db.call('job_upload_append', {
    p_job: jobId,
    p_upload: uploadId,
    p_index: index,
    p_first_row: firstRow,
    p_counts: counts,
    p_lines: lines,
    ...(skips && {
      p_results: skips.map((notes, n) => resultsLine(notes, counts[n] ?? 0)).join('\n'),
      p_skipped: skips.map(({ size }) => size),
    }),
    ...(duplicates && {
      p_duplicates: duplicates
        .map((each) => (each.length === 0 ? '' : JSON.stringify(each)))
        .join('\n'),
    }),
  });
}

/** The results that a chunk has from the upload on, as JSON; nothing if all of it is to be worked. */
function resultsLine(notes: ReadonlyMap<number, string>, count: number): string {
  if (notes.size === 0) return '';
  const results: StoredResults = Array.from({ length: count }, (_, i) => {
    const note = notes.get(i);
    return note === undefined ? null : skippedRow(note);
  });
  return JSON.stringify(results);
}
