import { oneLine } from '../shared/text.pure.ts';
import { contentOf } from './cells.pure.ts';
import { foldName } from './columns.pure.ts';
import { isTotalLine } from './footer.pure.ts';
import type { RowBatch } from './read-rows.pure.ts';
import { belowTable, emptyRow } from './table.pure.ts';

/** Columns that stand behind those of every processor. */
export const rowMarks = ['row_status', 'row_error', 'row_note'] as const;

/** What a result of `research_email` has before its marks, in this order. */
export const researchColumns = [
  'research_summary',
  'research_sources',
  'email_subject',
  'email_body',
];

/** Of a name in a warning, in characters. */
const maxName = 40;

/** Where the columns of an earlier result begin and end, and two of those at its end. */
type OwnBlock = { start: number; end: number; status: number; note: number | undefined };

/**
 * Takes the columns of an earlier result out of a file that is sent again: `row_status`, `row_error`,
 * `row_note` if it is there, and before them those of research or of `outputColumns`, names of this job's
 * processor. A column of these names that stands elsewhere is the user's. A row that stood below the table does
 * so still, one of which nothing is left has no content, and duplicates are found anew.
 */
export async function* dropOwnColumns(
  batches: AsyncIterable<RowBatch>,
  outputColumns: readonly string[],
): AsyncGenerator<RowBatch> {
  let drop: ((batch: RowBatch) => RowBatch) | undefined;
  for await (const batch of batches) {
    drop ??= dropper(batch.header, outputColumns);
    yield drop(batch);
  }
}

function ownBlock(
  header: readonly string[],
  outputColumns: readonly string[],
): OwnBlock | undefined {
  const names = header.map(foldName);
  const status = names.findLastIndex(
    (name, i) => name === 'row_status' && names[i + 1] === 'row_error',
  );
  if (status < 0) return undefined;
  const columns = outputColumns.map(foldName);
  const starts = [
    startBefore(names, status, researchColumns),
    startBefore(names, status, columns),
    startOfAll(names, status, columns),
  ];
  const note = names[status + 2] === 'row_note' ? status + 2 : undefined;
  return { start: Math.min(...starts), end: (note ?? status + 1) + 1, status, note };
}

/** Where the names that end at `end` begin; some of `columns` may be missing, none stands out of order. */
function startBefore(names: readonly string[], end: number, columns: readonly string[]): number {
  let [start, place] = [end, columns.length];
  while (start > 0) {
    place = columns.slice(0, place).lastIndexOf(names[start - 1] ?? '');
    if (place < 0) break;
    start -= 1;
  }
  return start;
}

/** The same where all of `columns` are there, in any order: a user may ask for their outputs in another one. */
function startOfAll(names: readonly string[], end: number, columns: readonly string[]): number {
  const start = end - columns.length;
  const wanted = new Set(columns);
  const isAll = start >= 0 && names.slice(start, end).every((name) => wanted.delete(name));
  return isAll ? start : end;
}

function dropper(
  header: readonly string[],
  outputColumns: readonly string[],
): (batch: RowBatch) => RowBatch {
  const own = ownBlock(header, outputColumns);
  if (!own) return (batch) => batch;
  const { start, end, status, note } = own;
  const dropped = header.slice(start, end).map((name) => name.trim());
  const replaced = `The columns of an earlier result (${dropped.join(', ')}) are replaced.`;
  const warning = start === status ? replaced + keptBefore(header[start - 1]) : replaced;
  return (batch) => {
    const skips = new Map(batch.skips);
    // The batch, which is referred to while all wait, keeps nothing.
    batch.skips.clear();
    const rows = batch.rows.splice(0).map((row, index) => {
      const cells = [...row.slice(0, start), ...row.slice(end)];
      if (contentOf(cells) !== 'none') {
        if (foldName(row[status] ?? '') !== 'skipped') return cells;
        const wasBelow =
          note === undefined ? mayBeBelow(cells) : foldName(row[note] ?? '') === belowTable;
        if (wasBelow) skips.set(index, belowTable);
        return cells;
      }
      skips.set(index, emptyRow);
      return cells.every((cell) => cell === '') ? [] : cells;
    });
    const warnings = [...batch.warnings, warning];
    const left = [...batch.header.slice(0, start), ...batch.header.slice(end)];
    return { ...batch, header: left, rows, skips, warnings };
  };
}

/** A result whose questions this job does not know: whose its columns are cannot be told, so that none is lost. */
function keptBefore(column: string | undefined): string {
  if (column === undefined) return '';
  const name = oneLine(column, maxName);
  return ` Others of it, such as perhaps "${name}", are kept: the model sees them unless \`columns\` leaves them out.`;
}

/** Of a row that an earlier result has skipped without a note: it may have been a duplicate too. */
const mayBeBelow = (cells: readonly string[]): boolean =>
  cells.length > 1 && (contentOf(cells) === 'first' || isTotalLine(cells));
