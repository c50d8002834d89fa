import type { JsonRow } from '../../db/rows.ts';
import type { jobChunks } from '../../schema.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { rowMarks } from '../csv/own-columns.pure.ts';
import { streamText } from '../csv/stream-text.ts';
import { csvRecord, guardText } from '../csv/write-record.pure.ts';
import { isFinal, type StoredResults } from '../processing/chunk.pure.ts';
import { processors } from '../processing/processors.ts';
import type { JobRow } from './job-row.ts';
import { areRowsGone, hasEnded } from './job.pure.ts';
import { findWholeJob } from './read-job.ts';
import { duplicatesOf, type ShownRow, shownRow } from './shown-row.pure.ts';

/** Chunks and stored bytes in one read, so that memory stays flat however long the file or its rows. */
const pageChunks = 20;
const pageBytes = 4_000_000;

export type OutputOptions = {
  partial: boolean;
  raw: boolean;
  bom: boolean;
  /** Only rows that ended so; absent: all. Rows that were skipped did in neither way. */
  rows?: 'ok' | 'error' | undefined;
};

export type Output = {
  filename: string;
  /** Changes with whatever changes the bytes; null while the job is running. */
  etag: string | null;
  body: ReadableStream<Uint8Array>;
};

type ChunkRow = Pick<JsonRow<typeof jobChunks>, 'index' | 'rows' | 'duplicates'> & {
  results: StoredResults | null;
};

/** What the records of a job have in common. */
type RecordFormat = {
  job: JobRow;
  outputColumns: readonly string[];
  raw: boolean;
  rows: OutputOptions['rows'];
};

/**
 * The result CSV, streamed in row order: every input column as it came, the processor's columns, then
 * `row_status`, `row_error` and `row_note`. Throws `job_running` unless `partial`, which gives the rows that are
 * finished, `no_output` for a job that never ran, `rows_expired` once its rows were removed.
 */
export async function readOutput(
  ctx: Ctx,
  input: { userId: string; jobId: string; options: OutputOptions },
): Promise<Output> {
  const job = await findWholeJob(ctx, input);
  const { options } = input;
  const isWhole = hasEnded(job.status);
  if (areRowsGone(job))
    throw new DomainError(
      'rows_expired',
      `This file's rows were deleted after ${ctx.config.resultRetentionDays} days.`,
    );
  if (job.header === null || job.run === 0)
    throw new DomainError('no_output', 'The job has not run yet.');
  if (!isWhole && !options.partial) throw new DomainError('job_running', advice(job.status));
  return {
    filename: filenameOf(job.filename, options, isWhole),
    etag: isWhole ? `"${job.id}-${job.run}${flagsOf(options)}"` : null,
    body: streamText(writeOutput(readPages(ctx, job, isWhole), job, options)),
  };
}

/** What to do for a result that is not whole yet. */
const advice = (status: JobRow['status']): string => {
  const partial = 'add ?partial=true for the rows that are finished.';
  if (status === 'running') return `Wait until the job has ended, or ${partial}`;
  if (status === 'paused') return `The job is paused: resume it, or ${partial}`;
  return `Only samples of the job were worked: start it, or ${partial}`;
};

/** Says what is in the file; of `leads.csv` the whole result is `leads-results.csv`. */
function filenameOf(name: string, { rows }: OutputOptions, isWhole: boolean): string {
  const only = rows === undefined ? '' : rows === 'ok' ? '-ok' : '-errors';
  return `${name.replace(/\.(?:csv|tsv|txt)$/i, '')}-results${only}${isWhole ? '' : '-partial'}.csv`;
}

const flagsOf = ({ raw, bom, rows }: OutputOptions): string =>
  `${raw ? 'r' : ''}${bom ? 'b' : ''}${rows === undefined ? '' : `-${rows}`}`;

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
    `select index, rows, results, duplicates from (
        select index, rows, results, duplicates, row_number() over (order by index) as position,
            sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0)) over (order by index) as bytes
          from job_chunks
          where job_id = $1 and index > $2 ${isWhole ? '' : 'and (results is not null or duplicates is not null)'}
            and exists (select 1 from jobs where id = $1 and run = $3 and header is not null)
          order by index limit ${pageChunks}) page
      where bytes < ${pageBytes} or position = 1 order by index`,
    [job.id, after, job.run],
  );

/** The CSV as text: its header, then a piece for each page. */
async function* writeOutput(
  pages: AsyncIterable<ChunkRow[]>,
  job: JobRow,
  { bom, raw, rows }: OutputOptions,
): AsyncGenerator<string> {
  const outputColumns = processors.get(job.processor)?.outputColumns(job.options) ?? [];
  const names = csvRecord([...(job.header ?? []), ...outputColumns, ...rowMarks], raw);
  yield (bom ? '\ufeff' : '') + names;
  const format = { job, outputColumns, raw, rows };
  for await (const page of pages) yield page.map((chunk) => recordsOf(chunk, format)).join('');
}

function recordsOf({ rows, results, duplicates }: ChunkRow, format: RecordFormat): string {
  const { job, raw } = format;
  const sameAs = duplicatesOf(duplicates);
  const records = rows.flatMap((row, i) => {
    const shown = shownRow(job, results?.[i], sameAs.get(i));
    if (shown.status === 'pending' || (format.rows && shown.status !== format.rows)) return [];
    // What has failed in an earlier run is being worked again.
    if (
      job.status === 'running' &&
      shown.status === 'error' &&
      !isFinal(results?.[i], job.generation)
    )
      return [];
    return [
      csvRecord([...padded(row, job.header?.length ?? 0), ...resultCells(shown, format)], raw),
    ];
  });
  return records.join('');
}

/** A row that is shorter than the header, with empty cells up to its length. */
const padded = (row: string[], columns: number): string[] =>
  row.length >= columns ? row : [...row, ...Array<string>(columns - row.length).fill('')];

/** Our own texts, and what the web and models have said: those are guarded, what a user wrote is not changed. */
function resultCells(
  { status, cells, note, error }: ShownRow,
  { outputColumns, raw }: RecordFormat,
): string[] {
  const own = [...outputColumns.map((_, i) => cells?.[i] ?? ''), status, error ?? '', note ?? ''];
  return raw ? own : own.map(guardText);
}
