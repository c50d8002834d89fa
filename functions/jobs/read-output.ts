import type { JsonRow } from '../../db/rows.ts';
import type { jobChunks } from '../../schema.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { streamText } from '../csv/stream-text.ts';
import { csvRecord, guardText } from '../csv/write-record.pure.ts';
import { isFinal, type StoredResult, type StoredResults } from '../processing/chunk.pure.ts';
import { processors } from '../processing/processors.ts';
import type { JobRow } from './job-row.ts';
import { areRowsGone, hasEnded } from './job.pure.ts';
import { findWholeJob } from './read-job.ts';

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
type RecordFormat = {
  inputColumns: number;
  outputColumns: readonly string[];
  /** Leaves out rows that are not finished in this run; null for all rows of an ended job. */
  onlyRun: number | null;
  /** The error of a row without a result. */
  missing: string;
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
    throw new DomainError('job_running', 'Wait until the job has ended, or add ?partial=true.');
  if (areRowsGone(job))
    throw new DomainError(
      'rows_expired',
      `This file's rows were deleted after ${ctx.config.resultRetentionDays} days.`,
    );
  if (job.header === null || job.run === 0)
    throw new DomainError('no_output', 'The job has not run yet.');

  const flags = `${options.raw ? 'r' : ''}${options.bom ? 'b' : ''}`;
  const isWhole = hasEnded(job.status);
  return {
    filename: `${job.filename.replace(/\.csv$/i, '')}-results.csv`,
    etag: isWhole ? `"${job.id}-${job.run}${flags}"` : null,
    body: streamText(writeOutput(readPages(ctx, job, isWhole), job, options)),
  };
}

/** The chunks in order, a page at a time; of a job that still runs only those with results. */
async function* readPages(ctx: Ctx, job: JobRow, isWhole: boolean): AsyncGenerator<ChunkRow[]> {
  let count = 0;
  for (let after = -1; after < job.chunks_total - 1;) {
    const page = await readPage(ctx, job, after, isWhole);
    if (page.length === 0) break;
    yield page;
    count += page.reduce((sum, { rows }) => sum + rows.length, 0);
    after = page.at(-1)?.index ?? after;
  }
  // Whoever reads must not take a part for the whole.
  if (isWhole && count !== job.rows_total)
    throw new DomainError(
      'rows_expired',
      'The rows were deleted or processed again while they were being read.',
    );
}

/** Chunks of this run after the one of index `after`, in order: at least one, if there is any. */
const readPage = (ctx: Ctx, job: JobRow, after: number, isWhole: boolean): Promise<ChunkRow[]> =>
  ctx.db.rows<ChunkRow>(
    `select index, rows, results from (
        select index, rows, results, row_number() over (order by index) as position,
            sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0)) over (order by index) as bytes
          from job_chunks
          where job_id = $1 and index > $2 ${isWhole ? '' : 'and results is not null'}
            and exists (select 1 from jobs where id = $1 and run = $3 and header is not null)
          order by index limit ${pageChunks}) page
      where bytes < ${pageBytes} or position = 1 order by index`,
    [job.id, after, job.run],
  );

/** The CSV as text: its header, then a piece for each page. */
async function* writeOutput(
  pages: AsyncIterable<ChunkRow[]>,
  job: JobRow,
  { bom, raw }: OutputOptions,
): AsyncGenerator<string> {
  const outputColumns = processors.get(job.processor)?.outputColumns(job.options) ?? [];
  const header = job.header ?? [];
  const format: RecordFormat = {
    inputColumns: header.length,
    outputColumns,
    onlyRun: hasEnded(job.status) ? null : job.run,
    missing: job.status === 'cancelled' ? 'The job was cancelled' : 'Not processed',
    raw,
  };
  const names = csvRecord([...header, ...outputColumns, 'row_status', 'row_error'], raw);
  yield (bom ? '\ufeff' : '') + names;
  for await (const page of pages) yield page.map((chunk) => recordsOf(chunk, format)).join('');
}

function recordsOf({ rows, results }: ChunkRow, format: RecordFormat): string {
  const { inputColumns, onlyRun, raw } = format;
  const records = rows.flatMap((row, i) => {
    const result = results?.[i];
    if (onlyRun !== null && !isFinal(result, onlyRun)) return [];
    return [csvRecord([...padded(row, inputColumns), ...resultCells(result, format)], raw)];
  });
  return records.join('');
}

/** A row that is shorter than the header, with empty cells up to its length. */
const padded = (row: string[], columns: number): string[] =>
  row.length >= columns ? row : [...row, ...Array<string>(columns - row.length).fill('')];

const resultCells = (result: StoredResult | null | undefined, format: RecordFormat): string[] =>
  result?.status === 'ok'
    ? [...(format.raw ? result.cells : result.cells.map(guardText)), 'ok', '']
    : [...format.outputColumns.map(() => ''), ...unworkedCells(result, format.missing)];

const unworkedCells = (result: StoredResult | null | undefined, missing: string): string[] =>
  result?.status === 'skipped'
    ? ['skipped', '']
    : ['error', result?.status === 'error' ? result.error : missing];
