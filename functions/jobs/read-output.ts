import type { JsonRow } from '../../db/rows.ts';
import type { jobChunks } from '../../schema.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isFinal, type StoredResult, type StoredResults } from '../processing/chunk.pure.ts';
import { csvRecord } from '../csv/write.pure.ts';
import type { JobRow } from './job-row.ts';
import { hasEnded } from './job.pure.ts';
import { findWholeJob } from './read-job.ts';
import { processors } from '../processing/processors.ts';

/** Chunks and stored bytes in one read, so that memory stays flat however long the file or its rows. */
const pageChunks = 20;
const pageBytes = 4_000_000;

export type OutputOptions = { partial: boolean; raw: boolean; bom: boolean };

export type Output = {
  filename: string;
  /** Changes with whatever changes the bytes; null while the job is running. */
  etag: string | null;
  body: ReadableStream<Uint8Array>;
};

type ChunkRow = Pick<JsonRow<typeof jobChunks>, 'index' | 'rows'> & {
  results: StoredResults | null;
};

/** What the records of a job have in common. */
type Form = {
  columns: number;
  added: readonly string[];
  /** Only rows that are finished in this run; null for all rows of an ended job. */
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
  const job = await findWholeJob(ctx, input);
  const { options } = input;
  if (job.status === 'running' && !options.partial)
    throw new DomainError('job_running', 'Wait for the end, or ask with ?partial=true.');
  if (job.purged_at !== null)
    throw new DomainError(
      'rows_expired',
      `Rows and results are kept for ${ctx.config.resultRetentionDays} days.`,
    );
  if (job.header === null || job.run === 0)
    throw new DomainError('no_output', 'The job has not run; there is nothing to read.');

  const flags = `${options.raw ? 'r' : ''}${options.bom ? 'b' : ''}`;
  return {
    filename: `${job.filename.replace(/\.csv$/i, '')}-results.csv`,
    etag: hasEnded(job.status) ? `"${job.id}-${job.run}${flags}"` : null,
    body: streamOf(recordsOf(ctx, job, options)),
  };
}

async function* recordsOf(ctx: Ctx, job: JobRow, options: OutputOptions): AsyncGenerator<string> {
  const added = processors.get(job.processor)?.outputColumns ?? [];
  const header = job.header ?? [];
  const form: Form = {
    columns: header.length,
    added,
    partialOf: hasEnded(job.status) ? null : job.run,
    unworked: job.status === 'cancelled' ? 'The job was cancelled' : 'Not processed',
    raw: options.raw,
  };
  const names = csvRecord([...header, ...added, 'row_status', 'row_error'], options.raw);
  yield (options.bom ? '\ufeff' : '') + names;
  let count = 0;
  for (let after = -1; after < job.chunks_total - 1;) {
    const page = await readPage(ctx, job, after, form.partialOf !== null);
    if (page.length === 0) break;
    yield page.map((chunk) => chunkRecords(chunk, form)).join('');
    count += page.reduce((sum, { rows }) => sum + rows.length, 0);
    after = page.at(-1)?.index ?? after;
  }
  // It was deleted or worked again meanwhile: whoever reads must not take the rest for the whole.
  if (form.partialOf === null && count !== job.rows_total)
    throw new DomainError('rows_expired', 'The rows went while they were read.');
}

/** Chunks of this run behind `after`, in order: at least one, if there is any. */
const readPage = (ctx: Ctx, job: JobRow, after: number, isPartial: boolean): Promise<ChunkRow[]> =>
  ctx.db.rows<ChunkRow>(
    `select index, rows, results from (
        select index, rows, results, row_number() over (order by index) as nth,
            sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0)) over (order by index) as bytes
          from job_chunks
          where job_id = $1 and index > $2 ${isPartial ? 'and results is not null' : ''}
            and exists (select 1 from jobs where id = $1 and run = $3)
          order by index limit ${pageChunks}) page
      where bytes < ${pageBytes} or nth = 1 order by index`,
    [job.id, after, job.run],
  );

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
