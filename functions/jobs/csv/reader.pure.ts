import Papa from 'papaparse';
import { DomainError } from '../../errors.ts';
import { sniffDialect, type Dialect } from './sniff.pure.ts';

/** Bounds that keep one upload's memory flat. */
export const csvLimits = {
  columns: 1000,
  /** A row, or a cell that never ends for want of a closing quote. */
  rowCharacters: 1_048_576,
} as const;

/** Text that is gathered before it is parsed: parsing each network chunk alone is slow. */
const batchCharacters = 131_072;

/** The file cannot be read: `line` counts from 1 as an editor does. */
export const csvInvalid = (line: number, reason: string): DomainError =>
  new DomainError('csv_invalid', `Line ${line}: ${reason}`, { extra: { line, reason } });

type Parsed = {
  data: string[][];
  errors: { row?: number; message: string }[];
  meta: { cursor: number };
};

/**
 * Cuts text that comes in pieces into rows. Feed it with `push`, finish with `end`; both give the rows
 * that are complete. The first row is the header (`header`). Throws `csv_invalid`.
 */
export class CsvReader {
  header: string[] | undefined;
  #rest = '';
  #dialect: Dialect | undefined;
  #line = 1;

  get delimiter(): string | undefined {
    return this.#dialect?.delimiter;
  }

  push(text: string): string[][] {
    this.#rest += text;
    return this.#rest.length < batchCharacters ? [] : this.#parse(false);
  }

  end(): string[][] {
    if (this.#rest.trim() === '' && this.header === undefined)
      throw csvInvalid(1, 'The file is empty.');
    const rows = this.#parse(true);
    if (this.header === undefined) throw csvInvalid(1, 'The file is empty.');
    return rows;
  }

  #parse(last: boolean): string[][] {
    const dialect = (this.#dialect ??= sniffDialect(this.#rest));
    // A CR at the end waits for the LF that may follow it: split, they would read as two line ends.
    const held = !last && this.#rest.endsWith('\r') ? '\r' : '';
    const input = held ? this.#rest.slice(0, -1) : this.#rest;
    const parsed = new Papa.Parser({ ...dialect }).parse(input, 0, !last) as Parsed;
    this.#rest = input.slice(parsed.meta.cursor) + held;
    if (this.#rest.length > csvLimits.rowCharacters)
      throw csvInvalid(
        this.#line + countLines(parsed.data, dialect),
        `A row is longer than ${csvLimits.rowCharacters} characters; is a quote missing?`,
      );
    return this.#check(parsed, dialect);
  }

  #check(parsed: Parsed, dialect: Dialect): string[][] {
    const broken = new Map(parsed.errors.map((error) => [error.row ?? 0, error.message]));
    const rows: string[][] = [];
    for (const [i, cells] of parsed.data.entries()) {
      const problem = broken.get(i);
      if (problem !== undefined) throw csvInvalid(this.#line, `${problem}.`);
      const row = this.#checkRow(cells);
      if (row) rows.push(row);
      this.#line += linesOf(cells, dialect);
    }
    return rows;
  }

  /** The row if it is data; the header and blank lines are not. */
  #checkRow(cells: string[]): string[] | undefined {
    if (cells.length === 1 && cells[0]?.trim() === '') return undefined;
    if (cells.some((cell) => cell.includes('\0')))
      throw csvInvalid(this.#line, 'The file is binary, not text. Export it as CSV.');
    if (this.header === undefined) {
      if (cells.length > csvLimits.columns)
        throw csvInvalid(
          this.#line,
          `There are ${cells.length} columns; the limit is ${csvLimits.columns}.`,
        );
      this.header = cells;
      return undefined;
    }
    if (cells.length !== this.header.length)
      throw csvInvalid(
        this.#line,
        `The row has ${cells.length} cells where the header has ${this.header.length}.`,
      );
    return cells;
  }
}

/** Lines of text that a row takes up: quoted cells may hold line ends. */
function linesOf(cells: string[], dialect: Dialect): number {
  const end = dialect.newline === '\r' ? '\r' : '\n';
  return cells.reduce((lines, cell) => lines + cell.split(end).length - 1, 1);
}

const countLines = (rows: string[][], dialect: Dialect): number =>
  rows.reduce((lines, cells) => lines + linesOf(cells, dialect), 0);
