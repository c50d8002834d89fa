import type { Cell, Table } from './benchmark.ts';

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

function text(cell: Cell | undefined): string {
  if (cell === null || cell === undefined || Number.isNaN(cell)) return '–';
  if (typeof cell === 'string') return cell;
  return Math.abs(cell) >= 100 ? whole.format(cell) : precise.format(cell);
}

/** A table as aligned plain text: words to the left, numbers to the right. */
export function formatTable({ title, rows, notes }: Table): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => columns.map((column) => text(row[column])));
  const isNumeric = columns.map((column) => rows.every((row) => typeof row[column] !== 'string'));
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...cells.map((row) => row[i]?.length ?? 0)),
  );
  const line = (row: string[]): string =>
    row
      .map((cell, i) =>
        isNumeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [
    title,
    `  ${line(columns)}`,
    `  ${widths.map((width) => '─'.repeat(width)).join('  ')}`,
    ...cells.map((row) => `  ${line(row)}`),
    ...notes.map((note) => `  · ${note}`),
  ].join('\n');
}
