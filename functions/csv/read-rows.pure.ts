import { widenHeader } from './columns.pure.ts';
import type { TextPiece } from './decode.pure.ts';
import { countOf, csvInvalid, csvLimits } from './limits.pure.ts';
import { keepQuotedCr, type ParsedText, parseText } from './parse-text.pure.ts';
import { type Dialect, sniffDialect } from './sniff.pure.ts';

/** Text that is gathered before it is parsed: parsing each network chunk alone is slow. */
const batchCharacters = 65_536;

/** Rows in the order of the file, and what is known of it so far. The first batch may have no rows. */
export type RowBatch = {
  /** As wide as the widest row so far: longer rows than the file's first one add `column_N`. */
  header: string[];
  rows: string[][];
  /** Why a row is not worked, by its place in `rows`: it has no content, or stands below the table. */
  skips: ReadonlyMap<number, string>;
  /** What was noticed so far, in sentences for the user. */
  warnings: readonly string[];
  /** The length of these rows in the file. */
  characters: number;
  /** Bytes of the file that all rows so far took, about. */
  bytesSoFar: number;
};

/**
 * Cuts text into rows. The first one is the header; shorter rows stay as they are. Blank lines are no
 * rows; in a file of one column a quoted empty cell is one. Throws `csv_invalid`.
 */
export async function* readRows(pieces: AsyncIterable<TextPiece>): AsyncGenerator<RowBatch> {
  const reader = new RowReader();
  for await (const piece of pieces) {
    const batch = reader.add(piece);
    if (batch) yield batch;
  }
  const last = reader.finish();
  if (!last) throw csvInvalid(1, 'The file is empty.');
  yield last;
}

class RowReader {
  #header: string[] | undefined;
  #rest = '';
  /** The line in which `#rest` ends. */
  #lastLine = 1;
  /** Characters before `#rest`. */
  #consumed = 0;
  #bytes = 0;
  #dialect: Dialect | undefined;

  /** Whole rows, once there are enough of them. */
  add({ text, bytes, line }: TextPiece): RowBatch | undefined {
    this.#rest += this.#dialect ? keepQuotedCr(text, this.#dialect) : text;
    this.#bytes += bytes;
    this.#lastLine = line;
    return this.#rest.length < batchCharacters ? undefined : this.#take(false);
  }

  /** All that is left; undefined if there is not even a header. */
  finish(): RowBatch | undefined {
    return this.#take(true);
  }

  #take(isLast: boolean): RowBatch | undefined {
    const before = this.#consumed;
    const rows = this.#parseAll(isLast);
    if (!this.#header) return undefined;
    const share = this.#consumed / Math.max(1, this.#consumed + this.#rest.length);
    const characters = this.#consumed - before;
    return {
      header: this.#header,
      rows,
      skips: new Map(),
      warnings: [],
      characters,
      bytesSoFar: this.#bytes * share,
    };
  }

  #parseAll(isLast: boolean): string[][] {
    const dialect = (this.#dialect ??= this.#begin());
    const rows: string[][] = [];
    const limit = csvLimits.rowCharacters;
    // Cut at the limit, so that a row's length decides and not how the text came.
    while (this.#rest.length > limit)
      if (this.#parse(this.#rest.slice(0, limit), dialect, false, rows) === 0)
        throw csvInvalid(
          this.#lineOf(dialect),
          `A row is longer than ${limit} characters; is a quote missing?`,
        );
    if (isLast) this.#parse(this.#rest + dialect.newline, dialect, true, rows);
    else this.#parse(this.#rest, dialect, false, rows);
    return rows;
  }

  #begin(): Dialect {
    const dialect = sniffDialect(this.#rest);
    this.#rest = keepQuotedCr(this.#rest.slice(dialect.skip), dialect);
    return dialect;
  }

  /** Parses whole rows off the beginning of `#rest`; gives how many characters they took. */
  #parse(text: string, dialect: Dialect, isLast: boolean, rows: string[][]): number {
    const parsed = parseText(text, dialect, isLast);
    for (const [rowIndex, cells] of parsed.rows.entries()) {
      const isBroken = rowIndex === parsed.brokenRow;
      if (!isBroken && isBlank(cells) && !this.#isEmptyCell(parsed, rowIndex)) continue;
      const reason = isBroken ? parsed.reason : this.#faultOf(cells);
      if (reason !== undefined)
        throw csvInvalid(this.#lineOf(dialect) + parsed.linesBefore(rowIndex), reason);
      if (this.#header === undefined) {
        this.#header = cells;
        continue;
      }
      if (cells.length > this.#header.length)
        this.#header = widenHeader(this.#header, cells.length);
      rows.push(cells);
    }
    const { consumed } = parsed;
    this.#rest = this.#rest.slice(consumed);
    this.#consumed += consumed;
    return consumed;
  }

  /** The line in which `#rest` begins. */
  #lineOf({ newline }: Dialect): number {
    return this.#lastLine - countOf(this.#rest, newline);
  }

  #faultOf(cells: string[]): string | undefined {
    const { columns, nameCharacters } = csvLimits;
    if (cells.length > columns)
      return `There are ${cells.length} columns; the limit is ${columns}.`;
    if (!this.#header && cells.some((name) => name.length > nameCharacters))
      return `A column name is longer than ${nameCharacters} characters; is the header missing?`;
    return undefined;
  }

  /** In a file of one column a blank row that is quoted is an empty cell. */
  #isEmptyCell(parsed: ParsedText, rowIndex: number): boolean {
    return (this.#header?.length ?? 1) <= 1 && parsed.startsWithQuote(rowIndex);
  }
}

const isBlank = (cells: string[]): boolean => cells.length === 1 && cells[0]?.trim() === '';
