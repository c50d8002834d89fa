import { contentOf } from './cells.pure.ts';
import { foldName } from './columns.pure.ts';
import type { RowBatch } from './read-rows.pure.ts';
import { belowTable, emptyRow } from './table.pure.ts';

/** Both stand in every result: a file that has only one of the names has them from its user. */
const marks = ['row_status', 'row_error'];

/** Columns of any result, whatever worked it. */
const resultColumns = new Set([
  'research_summary',
  'research_sources',
  'email_subject',
  'email_body',
  ...marks,
  'row_note',
]);

/**
 * Takes the columns of an earlier result out of a file that is sent again: `row_status`, `row_error` and
 * those that come with them; of `outputColumns`, names of this job's processor, the last of each. A row
 * that was below the table stays it, and one of which nothing is left has no content.
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

function dropper(
  header: readonly string[],
  outputColumns: readonly string[],
): (batch: RowBatch) => RowBatch {
  const names = header.map(foldName);
  if (!marks.every((mark) => names.includes(mark))) return (batch) => batch;
  const outputs = new Set(outputColumns.map(foldName));
  const isOwn = names.map(
    (name, i) => resultColumns.has(name) || (outputs.has(name) && names.lastIndexOf(name) === i),
  );
  const dropped = [...new Set(header.filter((_, i) => isOwn[i]).map((name) => name.trim()))];
  const warning = `The columns of an earlier result (${dropped.join(', ')}) are replaced.`;
  const note = names.lastIndexOf('row_note');
  return (batch) => {
    const skips = new Map(batch.skips);
    const rows = batch.rows.map((row, index) => {
      const cells = row.filter((_, i) => !isOwn[i]);
      if (contentOf(cells) !== 'none') {
        if (row[note] === belowTable) skips.set(index, belowTable);
        return cells;
      }
      skips.set(index, emptyRow);
      return cells.every((cell) => cell === '') ? [] : cells;
    });
    const warnings = [...batch.warnings, warning];
    return { ...batch, header: batch.header.filter((_, i) => !isOwn[i]), rows, skips, warnings };
  };
}
