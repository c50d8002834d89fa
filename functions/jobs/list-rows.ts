import type { JsonRow } from '../../db/rows.ts';
import type { jobChunks } from '../../schema.ts';
import type { Ctx } from '../context.ts';
import { columnNames } from '../csv/columns.pure.ts';
import { DomainError } from '../errors.ts';
import type { StoredResults } from '../processing/chunk.pure.ts';
import { processors } from '../processing/processors.ts';
import type { JobRow } from './job-row.ts';
import { areRowsGone } from './job.pure.ts';
import { findWholeJob } from './read-job.ts';
import { duplicatesOf, type ShownRow, shownRow } from './shown-row.pure.ts';

/** A row as the API shows it. `index` counts from 0; cells by the names of their columns, `output` null unless ok. */
export type RowItem = Pick<ShownRow, 'status' | 'note' | 'error'> & {
  index: number;
  input: Record<string, string>;
  output: Record<string, string> | null;
};

export type RowFilter = {
  status?: ShownRow['status'] | undefined;
  /** Text that stands in a cell of the row or of its result, whatever its letter case. */
  q?: string | undefined;
  /** The first row that is looked at. */
  from: number;
  limit: number;
};

type ChunkRow = Pick<JsonRow<typeof jobChunks>, 'rows' | 'duplicates'> & {
  firstRow: number;
  results: StoredResults | null;
  /** The first row of the next chunk that may hold such rows; null: there is none. */
  nextRow: number | null;
};

/** Chunks and stored bytes in one read, and reads for one page: a page may end before it is full. */
const [readChunks, readBytes, mostReads] = [20, 4_000_000, 10];

/** What a page holds at most, in characters, if it has more rows than one. */
const pageCharacters = 2_000_000;

/** A job with rows. Throws `no_input` before its upload, `rows_expired` after its purge. */
export function withRows<Job extends Pick<JobRow, 'header' | 'purged_at' | 'rows_total'>>(
  ctx: Ctx,
  job: Job,
): Job & { header: string[] } {
  const { header } = job;
  if (areRowsGone(job))
    throw new DomainError(
      'rows_expired',
      `This file's rows were deleted after ${ctx.config.resultRetentionDays} days.`,
    );
  if (header === null) throw new DomainError('no_input', 'Upload the CSV first.');
  return { ...job, header };
}

/** Makes items of rows of one job. */
function itemMaker(job: JobRow & { header: string[] }) {
  const names = columnNames(job.header);
  const outputs = processors.get(job.processor)?.outputColumns(job.options) ?? [];
  const byName = (keys: readonly string[], cells: readonly string[]): Record<string, string> =>
    Object.fromEntries(keys.map((name, i) => [name, cells[i] ?? '']));
  return function* (chunk: ChunkRow, from = 0): Generator<RowItem> {
    const sameAs = duplicatesOf(chunk.duplicates);
    for (let i = Math.max(0, from - chunk.firstRow); i < chunk.rows.length; i += 1) {
      const { cells, ...shown } = shownRow(job, chunk.results?.[i], sameAs.get(i));
      yield {
        index: chunk.firstRow + i,
        ...shown,
        input: byName(names, chunk.rows[i] ?? []),
        output: cells && byName(outputs, cells),
      };
    }
  };
}

const cellsOf = ({ input, output }: RowItem): string[] => [
  ...Object.values(input),
  ...Object.values(output ?? {}),
];

/** Chunks that may hold rows of a status: those that are not done may hold any. */
const mayHold: Record<ShownRow['status'], string> = {
  ok: "(rows_succeeded > 0 or status = 'pending')",
  error: "(rows_failed > 0 or status = 'pending')",
  skipped: '(rows_skipped > 0 or duplicates is not null)',
  pending: "status = 'pending'",
};

/** `mostRows`: as many are enough; null: nobody knows. At least one chunk, if there is any. */
const readSome = (
  ctx: Ctx,
  job: JobRow,
  { from, status, mostRows }: Pick<RowFilter, 'from' | 'status'> & { mostRows: number | null },
): Promise<ChunkRow[]> =>
  ctx.db.rows<ChunkRow>(
    `select first_row as "firstRow", rows, results, duplicates, next_row as "nextRow" from (
        select first_row, rows, results, duplicates, lead(first_row) over w as next_row,
            row_number() over w as position, first_row - $2 as rows_before,
            sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0)) over w as bytes
          from (select * from job_chunks where job_id = $1 and first_row + row_count > $2
                  and ${status === undefined ? 'true' : mayHold[status]}
                order by index limit ${readChunks + 1}) c
          window w as (order by index)) page
      where position = 1 or (position <= ${readChunks} and bytes < ${readBytes}
        and ($3::int is null or rows_before < $3))
      order by first_row`,
    [job.id, from, mostRows],
  );

/**
 * Rows of a job in their order, from one on, that fit the filter. `nextCursor`: where to go on, null where nothing is
 * left; so much is looked at for one page and no more, so that it may be short, or empty. Throws `no_input`,
 * `rows_expired`.
 */
export async function findRows(
  ctx: Ctx,
  input: RowFilter & { userId: string; jobId: string },
): Promise<{ items: RowItem[]; nextCursor: string | null }> {
  const job = withRows(ctx, await findWholeJob(ctx, input));
  const { status, limit } = input;
  const q = input.q?.toLowerCase() ?? '';
  const isWanted = (item: RowItem): boolean =>
    (status === undefined || item.status === status) &&
    (q === '' || cellsOf(item).some((cell) => cell.toLowerCase().includes(q)));
  const itemsOf = itemMaker(job);
  const items: RowItem[] = [];
  let [characters, from]: [number, number | null] = [0, input.from];
  const isAll = status === undefined && q === '';
  for (let reads = 0; reads < mostReads && from !== null; reads += 1) {
    const mostRows = isAll ? limit + 1 - items.length : null;
    const chunks: ChunkRow[] = await readSome(ctx, job, { from, status, mostRows });
    for (const chunk of chunks)
      for (const item of itemsOf(chunk, input.from)) {
        if (!isWanted(item)) continue;
        characters += cellsOf(item).reduce((sum, cell) => sum + cell.length, 0);
        const isFull = items.length === limit || (items.length > 0 && characters > pageCharacters);
        if (isFull) return { items, nextCursor: String(item.index) };
        items.push(item);
      }
    from = chunks.at(-1)?.nextRow ?? null;
  }
  return { items, nextCursor: from === null ? null : String(from) };
}

/** Exactly the rows of these numbers, from 0, that there are: few. Throws `no_input`, `rows_expired`. */
export async function listRows(
  ctx: Ctx,
  input: { userId: string; jobId: string; indices: readonly number[] },
): Promise<RowItem[]> {
  const job = withRows(ctx, await findWholeJob(ctx, input));
  const chunks = await ctx.db.rows<ChunkRow>(
    `select first_row as "firstRow", rows, results, duplicates, null as "nextRow" from job_chunks
      where job_id = $1 and exists (
        select 1 from unnest($2::int[]) i where i >= first_row and i < first_row + row_count)
      order by index`,
    [job.id, input.indices],
  );
  const wanted = new Set(input.indices);
  const itemsOf = itemMaker(job);
  return chunks.flatMap((chunk) => [...itemsOf(chunk)]).filter(({ index }) => wanted.has(index));
}
