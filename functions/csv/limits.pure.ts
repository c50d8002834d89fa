import { DomainError } from '../errors.ts';

/** Bounds that keep one upload's memory flat. */
export const csvLimits = {
  /** Cells in any row, the header included. */
  columns: 1000,
  /** The name of a column. */
  nameCharacters: 1000,
  /** A row with its line end, or a cell that never ends for want of a closing quote. */
  rowCharacters: 1_048_576,
  /** Lines whose malformed quotes are read as text; a file with more of them is refused. */
  repairedLines: 1000,
  /** So many rows a file has for each such line: a shorter one is sooner mended than doubted. */
  rowsPerRepairedLine: 20,
} as const;

/** The file cannot be read: `line` counts from 1 as an editor does. */
export const csvInvalid = (line: number, reason: string): DomainError =>
  new DomainError('csv_invalid', `Line ${line}: ${reason}`, { extra: { line, reason } });

export const exportAsCsv = 'Export it as CSV.';

/** How often `end` stands in `text`; `split` would make a copy of it. */
export function countOf(text: string, end: string): number {
  let count = 0;
  for (let found = text.indexOf(end); found >= 0; found = text.indexOf(end, found + end.length))
    count += 1;
  return count;
}
