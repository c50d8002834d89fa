import Papa from 'papaparse';
import { widenHeader } from './columns.pure.ts';
import { countOf, csvInvalid, csvLimits, lineEndsIn } from './limits.pure.ts';
import { type Dialect, sniffDialect } from './sniff.pure.ts';

/** Text that is gathered before it is parsed: parsing each network chunk alone is slow. */
const batchCharacters = 65_536;

/** Set between a CR and a quote: such a CR is data. Decoded text has no NUL of its own. */
const keeper = '\0';

const carriageReturn = 13;

type Parsed = {
  data: string[][];
  errors: { row?: number; message: string }[];
  meta: { cursor: number };
};

/**
 * Cuts text that comes in pieces into rows. Feed it with `push`, finish with `end`; both give the rows
 * that are complete. The first row is the header (`header`); it grows by `column_N` as longer rows
 * come; shorter rows stay as they are. Blank lines are no rows; in a file of one column a quoted empty
 * cell is one. Throws `csv_invalid`.
 */
export class CsvReader {
  header: string[] | undefined;
  #rest = '';
  /** A CR at the end waits for what follows: LF, quote or data. */
  #heldCr = '';
  #dialect: Dialect | undefined;
  /** Where `#rest` begins. */
  #line = 1;

  /** The line in which the next text begins. */
  get line(): number {
    const text = this.#rest + this.#heldCr;
    return this.#line + (this.#dialect ? countOf(text, this.#dialect.newline) : lineEndsIn(text));
  }

  /** Characters that are not parsed yet. */
  get unread(): number {
    return this.#rest.length;
  }

  push(text: string): string[][] {
    this.#take(text, false);
    return this.#rest.length < batchCharacters ? [] : this.#parse(false);
  }

  end(): string[][] {
    this.#take('', true);
    const rows = this.#parse(true);
    if (this.header === undefined) throw csvInvalid(1, 'The file is empty.');
    return rows;
  }

  #take(text: string, last: boolean): void {
    const whole = this.#heldCr + text;
    this.#heldCr = !last && whole.endsWith('\r') ? '\r' : '';
    const taken = this.#heldCr ? whole.slice(0, -1) : whole;
    this.#rest += this.#dialect ? keepQuotedCr(taken, this.#dialect) : taken;
  }

  #parse(last: boolean): string[][] {
    const dialect = (this.#dialect ??= this.#begin());
    const rows: string[][] = [];
    const limit = csvLimits.rowCharacters;
    // Cut at the limit, so that a row's length decides and not how the text came.
    while (this.#rest.length > limit)
      if (this.#parsePart(this.#rest.slice(0, limit), dialect, false, rows) === 0)
        throw csvInvalid(
          this.#line,
          `A row is longer than ${limit} characters; is a quote missing?`,
        );
    // With its line end the last row reads as any other: PapaParse refuses `"x" ` without.
    if (last) this.#parsePart(this.#rest + dialect.newline, dialect, true, rows);
    else this.#parsePart(this.#rest, dialect, false, rows);
    return rows;
  }

  #begin(): Dialect {
    const dialect = sniffDialect(this.#rest);
    if (dialect.skip > 0) this.#line += 1;
    this.#rest = keepQuotedCr(this.#rest.slice(dialect.skip), dialect);
    return dialect;
  }

  #takeHeader(cells: string[], line: number): void {
    if (cells.some((name) => name.length > csvLimits.nameCharacters))
      throw csvInvalid(
        line,
        `The name of a column is longer than ${csvLimits.nameCharacters} characters; is the header missing?`,
      );
    this.header = cells;
  }

  /** Parses whole rows off the beginning of `#rest`; gives how many characters they took. */
  #parsePart(input: string, dialect: Dialect, last: boolean, rows: string[][]): number {
    const parsed = new Papa.Parser(configOf(dialect)).parse(input, 0, !last) as Parsed;
    const { data, errors } = parsed;
    const { cursor } = parsed.meta;
    const lineOf = (index: number): number =>
      data.slice(0, index).reduce((line, cells) => line + linesOf(cells, dialect), this.#line);
    const broken = errors[0]?.row ?? -1;
    const hasKeeper = input.includes(keeper);
    let starts: number[] | undefined;
    for (const [i, cells] of data.entries()) {
      if (i === broken) throw csvInvalid(lineOf(i), `${errors[0]?.message}.`);
      if (cells.length > csvLimits.columns)
        throw csvInvalid(
          lineOf(i),
          `There are ${cells.length} columns; the limit is ${csvLimits.columns}.`,
        );
      dropCr(cells, dialect);
      if (hasKeeper) dropKeepers(cells);
      if (cells.length === 1 && cells[0]?.trim() === '') {
        if ((this.header?.length ?? 1) > 1) continue;
        starts ??= rowStarts(input, dialect, last);
        if (input[starts[i] ?? 0] !== '"') continue;
      }
      if (this.header === undefined) this.#takeHeader(cells, lineOf(i));
      else {
        if (cells.length > this.header.length) this.header = widenHeader(this.header, cells.length);
        rows.push(cells);
      }
    }
    this.#line += countOf(input.slice(0, cursor), dialect.newline);
    this.#rest = this.#rest.slice(cursor);
    return cursor;
  }
}

const configOf = ({ delimiter, newline }: Dialect) => ({ delimiter, newline });

/** Marks each CR before a quote: inside quotes it is data, and at a row's end it would be dropped. */
const keepQuotedCr = (text: string, { newline }: Dialect): string =>
  newline === '\n' && text.includes('\r"') ? text.replaceAll('\r"', `\r${keeper}"`) : text;

function dropKeepers(cells: string[]): void {
  for (const [i, cell] of cells.entries())
    if (cell.includes(keeper)) cells[i] = cell.replaceAll(keeper, '');
}

/** The CR of a CRLF, which PapaParse leaves on the row's last cell when it cuts at LF. */
function dropCr(cells: string[], { newline }: Dialect): void {
  const last = cells[cells.length - 1] ?? '';
  if (newline === '\n' && last.charCodeAt(last.length - 1) === carriageReturn)
    cells[cells.length - 1] = last.slice(0, -1);
}

/** Where each row begins: to tell a quoted empty cell from a blank line, which parse to the same. */
function rowStarts(input: string, dialect: Dialect, last: boolean): number[] {
  const starts = [0];
  const step = ({ meta }: Pick<Parsed, 'meta'>): void => {
    starts.push(meta.cursor);
  };
  new Papa.Parser({ ...configOf(dialect), step }).parse(input, 0, !last);
  return starts;
}

/** Lines of text that a row takes up: quoted cells may hold line ends. */
const linesOf = (cells: string[], { newline }: Dialect): number =>
  cells.reduce((lines, cell) => lines + countOf(cell, newline), 1);
