import Papa from 'papaparse';
import { countOf } from './limits.pure.ts';
import type { Dialect } from './sniff.pure.ts';

/** Set between a CR and a quote: such a CR is data. Decoded text has no NUL of its own. */
const keeper = '\0';

const carriageReturn = 13;

type Parsed = {
  data: string[][];
  errors: { row?: number; code: string; message: string }[];
  meta: { cursor: number };
};

export type ParsedText = {
  rows: string[][];
  /** Characters that the rows took. */
  consumed: number;
  /** The first row that cannot be read; -1 if all can. */
  brokenRow: number;
  reason: string;
  /** Lines of text before a row: quoted cells may hold line ends. */
  linesBefore: (rowIndex: number) => number;
  /** Tells a quoted empty cell from a blank line, which parse to the same. */
  startsWithQuote: (rowIndex: number) => boolean;
};

/** Papa's own words mean nothing to who has a spreadsheet. */
const reasons: Record<string, string> = {
  MissingQuotes: 'A quoted cell has no closing quote.',
  InvalidQuotes:
    'Text follows the closing quote of a cell. Double the quotes inside a quoted cell.',
};

/**
 * Cuts text into rows with PapaParse, around its defects. Without `isLast` a row that has no line end yet
 * is left; with it the text must end in one, since PapaParse refuses `"x" ` without.
 */
export function parseText(text: string, dialect: Dialect, isLast: boolean): ParsedText {
  const { delimiter, newline } = dialect;
  const parsed = new Papa.Parser({ delimiter, newline }).parse(text, 0, !isLast) as Parsed;
  const { data: rows, errors } = parsed;
  if (newline === '\n') for (const cells of rows) dropCr(cells);
  if (text.includes(keeper)) for (const cells of rows) dropKeepers(cells);
  const [error] = errors;
  let starts: number[] | undefined;
  return {
    rows,
    consumed: parsed.meta.cursor,
    brokenRow: error?.row ?? -1,
    reason: reasons[error?.code ?? ''] ?? `${error?.message}.`,
    linesBefore: (rowIndex) =>
      rows.slice(0, rowIndex).reduce((lines, cells) => lines + linesOf(cells, dialect), 0),
    startsWithQuote: (rowIndex) => {
      starts ??= rowStarts(text, dialect, isLast);
      return text[starts[rowIndex] ?? 0] === '"';
    },
  };
}

/** Marks each CR before a quote: inside quotes it is data, and at a row's end it would be dropped. */
export const keepQuotedCr = (text: string, { newline }: Dialect): string =>
  newline === '\n' && text.includes('\r"') ? text.replaceAll('\r"', `\r${keeper}"`) : text;

function dropKeepers(cells: string[]): void {
  for (const [i, cell] of cells.entries())
    if (cell.includes(keeper)) cells[i] = cell.replaceAll(keeper, '');
}

/** The CR of a CRLF, which PapaParse leaves on the row's last cell when it cuts at LF. */
function dropCr(cells: string[]): void {
  const last = cells[cells.length - 1] ?? '';
  if (last.charCodeAt(last.length - 1) === carriageReturn)
    cells[cells.length - 1] = last.slice(0, -1);
}

function rowStarts(text: string, { delimiter, newline }: Dialect, isLast: boolean): number[] {
  const starts = [0];
  const step = ({ meta }: Pick<Parsed, 'meta'>): void => {
    starts.push(meta.cursor);
  };
  new Papa.Parser({ delimiter, newline, step }).parse(text, 0, !isLast);
  return starts;
}

const linesOf = (cells: string[], { newline }: Dialect): number =>
  cells.reduce((lines, cell) => lines + countOf(cell, newline), 1);
