import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { isFinal, type StoredResult, type StoredResults } from './chunk.pure.ts';
import { csvRecord } from './csv/write.pure.ts';
import { hasEnded, type JobRow } from './job.pure.ts';
import { findJob } from './read-job.ts';
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

type ChunkRow = { index: number; rows: string[][]; results: StoredResults | null };

/** What the records of a job have in common. */
type Form = {
  columns: number;
  added: readonly string[];
  /** Only rows that are finished in this attempt; null for all rows of an ended job. */
  partialOf: number | null;
  unworked: string;
  raw: boolean;
};

/**
 * The result CSV, streamed in row order: every input column as it came, the processor's columns, then
 * `row_status` and `row_error`. Throws `job_running` unless `partial`, which gives the rows that are
 * finished, `no_output` for a job that never ran, `rows_expired` once its rows were removed.
 */
export async function readOutput(
  ctx: Ctx,
  input: { userId: string; jobId: string; options: OutputOptions },
): Promise<Output> {
  const job = await findJob(ctx, input);
  const { options } = input;
  if (job.status === 'running' && !options.partial)
    throw new DomainError('job_running', 'Wait for the end, or ask with ?partial=true.');
  if (job.purged_at !== null)
    throw new DomainError(
      'rows_expired',
      `Rows and results are kept for ${ctx.config.resultRetentionDays} days.`,
    );
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
  const added = processors.get(job.processor)?.outputColumns ?? [];
  const header = job.header ?? [];
  const form: Form = {
    columns: header.length,
    added,
    partialOf: hasEnded(job.status) ? null : job.attempt,
    unworked: job.status === 'cancelled' ? 'The job was cancelled' : 'Not processed',
    raw: options.raw,
  };
  const names = csvRecord([...header, ...added, 'row_status', 'row_error'], options.raw);
  yield (options.bom ? '\ufeff' : '') + names;
  for (let after = -1; ;) {
    const page = await ctx.db.rows<ChunkRow>(
      `select index, rows, results from job_chunks
        where job_id = $1 and index > $2 ${form.partialOf === null ? '' : 'and results is not null'}
        order by index limit ${pageChunks}`,
      [job.id, after],
    );
    if (page.length === 0) return;
    yield page.map((chunk) => chunkRecords(chunk, form)).join('');
    after = page.at(-1)?.index ?? after;
    if (page.length < pageChunks) return;
  }
}

function chunkRecords({ rows, results }: ChunkRow, form: Form): string {
  const { partialOf } = form;
  const records = rows.flatMap((row, i) => {
    const result = results?.[i];
    if (partialOf !== null && !isFinal(result, partialOf)) return [];
    return [csvRecord([...padded(row, form.columns), ...resultCells(result, form)], form.raw)];
  });
  return records.join('');
}

/** A row that is shorter than the header, with empty cells up to its length. */
const padded = (row: string[], columns: number): string[] =>
  row.length >= columns ? row : [...row, ...Array<string>(columns - row.length).fill('')];

const resultCells = (result: StoredResult | null | undefined, form: Form): string[] =>
  result?.status === 'ok'
    ? [...result.cells, 'ok', '']
    : [...form.added.map(() => ''), 'error', result?.error ?? form.unworked];

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
