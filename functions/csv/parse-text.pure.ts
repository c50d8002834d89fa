import Papa from 'papaparse';
import type { Dialect } from './dialect.pure.ts';
import { countOf } from './limits.pure.ts';

/** Set between a CR and a quote: such a CR is data. Decoded text has no NUL of its own. */
const keeper = '\0';

const carriageReturn = 13;

type Parsed = {
  data: string[][];
  errors: { row?: number }[];
  meta: { cursor: number };
};

/** Records of a text, one after the other, blank lines included. */
export type ParsedText = {
  rows: string[][];
  /** The line in which a record begins, counted from 0 at the first one's. */
  linesBefore: (index: number) => number;
  /** Tells a quoted empty cell from a blank line, which parse to the same. */
  startsWithQuote: (index: number) => boolean;
  /** Characters that the rows took, the broken one not. */
  consumed: number;
  /** Line ends in those characters. */
  lines: number;
  /** Behind the rows stands one whose quotes cannot be read. */
  isBroken: boolean;
};

/**
 * Cuts text into rows with PapaParse, around its defects, up to the first with malformed quotes. Without
 * `isLast` a row that has no line end yet is left; with it the text must end in one, since PapaParse
 * refuses `"x" ` without.
 */
export function parseText(text: string, dialect: Dialect, isLast: boolean): ParsedText {
  const { delimiter, newline } = dialect;
  const parsed = new Papa.Parser({ delimiter, newline }).parse(text, 0, !isLast) as Parsed;
  const { data, errors } = parsed;
  let starts: number[] | undefined;
  const startOf = (index: number): number =>
    (starts ??= rowStarts(text, dialect, isLast))[index] ?? 0;
  // PapaParse tells of the quotes of a row that has not ended, too.
  const broken = errors[0]?.row ?? -1;
  const isBroken = broken >= 0 && broken < data.length;
  const rows = isBroken ? data.slice(0, broken) : data;
  if (newline === '\n' && text.includes('\r')) for (const cells of rows) dropCr(cells);
  if (text.includes(keeper)) for (const cells of rows) dropKeepers(cells);
  const consumed = isBroken ? startOf(broken) : parsed.meta.cursor;
  return {
    rows,
    consumed,
    lines: text.includes('"') ? countOf(text.slice(0, consumed), newline) : rows.length,
    isBroken,
    linesBefore: (index) => countOf(text.slice(0, startOf(index)), newline),
    startsWithQuote: (index) => text[startOf(index)] === '"',
  };
}

/** Marks each CR before a quote: inside quotes it is data, and at a row's end it would be dropped. */
export const keepQuotedCr = (text: string, { newline }: Dialect): string =>
  newline === '\n' && text.includes('\r"') ? text.replaceAll('\r"', `\r${keeper}"`) : text;

export const withoutKeepers = (text: string): string =>
  text.includes(keeper) ? text.replaceAll(keeper, '') : text;

function dropKeepers(cells: string[]): void {
  for (const [i, cell] of cells.entries()) cells[i] = withoutKeepers(cell);
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
