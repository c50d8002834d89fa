import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { csvRecord } from './csv/write.pure.ts';
import { hasEnded, type JobRow } from './job.pure.ts';
import { findJob } from './read-job.ts';
import type { RowProcessor, RowResult } from './rows/processor.ts';
import { processors } from './rows/processors.ts';

/** Chunks in one read: a few hundred rows, so that memory stays flat however long the file. */
const pageChunks = 20;

export type OutputOptions = { partial: boolean; raw: boolean; bom: boolean };

export type Output = {
  filename: string;
  /** Changes with whatever changes the bytes; null while the job is running. */
  etag: string | null;
  body: ReadableStream<Uint8Array>;
};

type ChunkRow = { index: number; rows: string[][]; results: RowResult[] };

/**
 * The result CSV, streamed in row order: every input column as it came, the processor's columns, then
 * `row_status` and `row_error`. Throws `job_running` unless `partial`, which gives the rows that are
 * finished, and `no_output` for a job that never ran.
 */
export async function readOutput(
  ctx: Ctx,
  input: { userId: string; jobId: string; options: OutputOptions },
): Promise<Output> {
  const job = await findJob(ctx, input);
  const { options } = input;
  if (job.status === 'running' && !options.partial)
    throw new DomainError('job_running', 'Wait for the end, or ask with ?partial=true.');
  if (job.header === null || job.attempt === 0)
    throw new DomainError('no_output', 'The job has not run; there is nothing to read.');

  const flags = `${options.raw ? 'r' : ''}${options.bom ? 'b' : ''}`;
  return {
    filename: `${job.filename.replace(/\.csv$/i, '')}-results.csv`,
    etag: hasEnded(job.status) ? `"${job.id}-${job.attempt}${flags}"` : null,
    body: streamOf(recordsOf(ctx, job, options)),
  };
}

async function* recordsOf(ctx: Ctx, job: JobRow, options: OutputOptions): AsyncGenerator<string> {
  const processor = processors.get(job.processor);
  const added = processor?.outputColumns ?? [];
  const header = csvRecord(
    [...(job.header ?? []), ...added, 'row_status', 'row_error'],
    options.raw,
  );
  yield (options.bom ? '\ufeff' : '') + header;
  for (let after = -1; ;) {
    const page = await ctx.db.rows<ChunkRow>(
      `select index, rows, results from job_chunks
        where job_id = $1 and index > $2 and status = 'done' order by index limit ${pageChunks}`,
      [job.id, after],
    );
    if (page.length === 0) return;
    yield page.map((chunk) => chunkRecords(chunk, processor, options.raw)).join('');
    after = page.at(-1)?.index ?? after;
    if (page.length < pageChunks) return;
  }
}

function chunkRecords(chunk: ChunkRow, processor: RowProcessor | undefined, raw: boolean): string {
  const empty = (processor?.outputColumns ?? []).map(() => '');
  return chunk.rows
    .map((row, i) => {
      const result = chunk.results[i];
      const cells =
        result?.status === 'ok'
          ? [...result.cells, 'ok', '']
          : [...empty, 'error', result?.error ?? 'Not processed'];
      return csvRecord([...row, ...cells], raw);
    })
    .join('');
}

/** Text as a stream that makes the next piece only when the reader wants it. */
function streamOf(pieces: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}
