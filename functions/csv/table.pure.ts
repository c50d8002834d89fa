import { contentOf } from './cells.pure.ts';
import { readsAsRow } from './column-words.pure.ts';
import { widenHeader } from './columns.pure.ts';
import { footerLines, isRowCount, isTotalLine } from './footer.pure.ts';
import { csvInvalid, csvLimits } from './limits.pure.ts';
import type { RecordBatch } from './read-records.pure.ts';

/** Why a row is not worked. */
export const emptyRow = 'empty row';
export const belowTable = 'below the table';

/** Rows that may stand below the table wait for a full one or the file's end; no footer is longer. */
const maxFooter = { lines: 20, characters: 65_536 };
/** Emptied rows that are kept at the end of a file, and how many come at once if more rows follow. */
const [maxEmptied, emptiedAtOnce] = [1000, 10_000];
/** Blanks of a row without content that are kept; cells so short do not keep the text they were cut from. */
const maxBlanks = 12;

type Rows = { rows: string[][]; skips: Map<number, string> };
type Held = { cells: string[]; isEmpty: boolean; isAfterGap: boolean };

/**
 * Tells what a file's records are: lines above the header, the header, rows, rows without content and
 * rows below the table. Throws `csv_invalid`.
 */
export class Table {
  header: string[] | undefined;
  headerLine = 1;
  /** The header reads as a row. */
  isHeadless = false;
  /** Lines with content above the header. */
  linesAbove = 0;
  linesBelow = 0;
  /** Below the header, but those that wait. */
  rowCount = 0;
  /** Rows without content, by now at the file's end, that are more than anyone left there. */
  rowsLeftOut = 0;
  /** Records before the header. */
  #above: number;
  /** Rows in order; a number stands for so many emptied ones. */
  #parts: (Rows | number)[] = [];
  #taken: Rows = { rows: [], skips: new Map() };
  #held: Held[] = [];
  #heldCharacters = 0;
  /** A blank line or an emptied row came after the last row. */
  #isBelowGap = false;
  /** Emptied rows since the last row. */
  #emptied = 0;
  #hasRows = false;

  constructor(recordsAbove: number) {
    this.#above = recordsAbove;
  }

  add(records: RecordBatch): void {
    if (this.#isPlain(records.rows)) {
      this.#taken.rows = records.rows;
      this.rowCount += records.rows.length;
    } else this.#addEach(records);
  }

  /** Whether all are rows to be worked, as most are: then they need not be looked at one by one. */
  #isPlain(rows: string[][]): boolean {
    const width = this.header?.length ?? 0;
    if (!this.#hasRows || this.#isBelowGap || this.#held.length > 0) return false;
    if (this.#taken.rows.length > 0) return false;
    return rows.every((cells) => cells.length <= width && contentOf(cells) === 'more');
  }

  #addEach(records: RecordBatch): void {
    for (const [index, cells] of records.rows.entries())
      if (this.header) this.#addRow(this.header, cells, records, index);
      else this.#addAbove(cells, records, index);
  }

  /** The file has ended: of the rows that wait some are below the table. */
  finish(): void {
    this.#release(true);
  }

  /** The rows since it was asked last, but those that wait. */
  *take(): Generator<Rows> {
    const parts = [...this.#parts, this.#taken];
    [this.#parts, this.#taken] = [[], { rows: [], skips: new Map() }];
    for (const part of parts)
      if (typeof part === 'number') yield* emptied(part);
      else yield part;
  }

  #addAbove(cells: string[], records: RecordBatch, index: number): void {
    const isEmpty = contentOf(cells) === 'none';
    this.#above -= 1;
    if (this.#above >= 0 && !isEmpty) this.linesAbove += 1;
    if (this.#above >= 0 || isEmpty) return;
    this.headerLine = records.lineOf(index);
    this.header = cells;
    const { nameCharacters } = csvLimits;
    checkWidth(cells, this.headerLine);
    if (cells.some((name) => name.length > nameCharacters))
      throw csvInvalid(
        this.headerLine,
        `A column name is longer than ${nameCharacters} characters; is the header missing?`,
      );
    this.isHeadless = readsAsRow(cells);
  }

  #addRow(header: string[], cells: string[], records: RecordBatch, index: number): void {
    const content = contentOf(cells);
    if (content === 'none') {
      this.#isBelowGap = true;
      const isQuotedCell = header.length === 1 && records.startsWithQuote(index);
      if (cells.length > 1 || isQuotedCell) this.#addEmpty(cells, records, index);
      return;
    }
    if (cells.length > header.length) this.#widen(header, cells, records, index);
    this.#keepEmptied();
    if (this.#mayBeFooter(content, cells, header.length)) this.#hold(cells);
    else this.#addFull(cells);
    this.#isBelowGap = false;
  }

  #addEmpty(cells: string[], records: RecordBatch, index: number): void {
    const blanks = cells.reduce((sum, cell) => sum + cell.length, 0);
    const bare = blanks === 0 || blanks > maxBlanks ? [] : cells;
    if (this.header && bare.length > this.header.length)
      this.#widen(this.header, bare, records, index);
    this.#emptied += 1;
    if (this.#emptied > maxEmptied) {
      this.#release(true);
      this.rowsLeftOut += 1;
    } else if (this.#held.length === 0) this.#push(bare, emptyRow);
    else this.#held.push({ cells: bare, isEmpty: true, isAfterGap: true });
  }

  /** Emptied rows that were thought to end the file do not. */
  #keepEmptied(): void {
    this.#emptied = 0;
    if (this.rowsLeftOut === 0) return;
    this.#parts.push(this.#taken, this.rowsLeftOut);
    this.#taken = { rows: [], skips: new Map() };
    this.rowCount += this.rowsLeftOut;
    this.rowsLeftOut = 0;
  }

  #addFull(cells: string[]): void {
    this.#release(false);
    this.#hasRows = true;
    this.#push(cells);
  }

  #widen(header: string[], cells: string[], records: RecordBatch, index: number): void {
    if (cells.length > csvLimits.columns) checkWidth(cells, records.lineOf(index));
    this.header = widenHeader(header, cells.length);
  }

  /** Whether a row may stand below the table: one cell where there are columns, or a line of sums. */
  #mayBeFooter(content: 'first' | 'more', cells: string[], width: number): boolean {
    if (width < 2 || !this.#hasRows) return false;
    const isApart = this.#isBelowGap || this.#held.length > 0;
    if (content === 'more') return isApart && isTotalLine(cells);
    return isApart || isRowCount(cells[0] ?? '');
  }

  /** A block that is no footer waits no longer than to its end. */
  #hold(cells: string[]): void {
    if (this.#isBelowGap && !this.#footer().some((isBelow) => isBelow)) this.#release(false);
    // A copy does not keep the text that its cells were cut from.
    const copy = cells.map((cell) => JSON.parse(JSON.stringify(cell)) as string);
    this.#held.push({ cells: copy, isEmpty: false, isAfterGap: this.#isBelowGap });
    this.#heldCharacters += cells.reduce((sum, cell) => sum + cell.length, 0);
    const lines = this.#held.filter(({ isEmpty }) => !isEmpty).length;
    if (lines > maxFooter.lines || this.#heldCharacters > maxFooter.characters)
      this.#release(false);
  }

  /** Which of the rows that wait are below the table, each block by its own words. */
  #footer(): boolean[] {
    const blocks: Held[][] = [];
    for (const held of this.#held) {
      const block = held.isAfterGap ? undefined : blocks.at(-1);
      if (block) block.push(held);
      else blocks.push([held]);
    }
    return blocks.flatMap((block) => footerLines(block.map(({ cells }) => cells)));
  }

  /** Lets go of the rows that wait; of a table that goes on none is below it. */
  #release(isEnd: boolean): void {
    if (this.#held.length === 0) return;
    const isBelow = isEnd ? this.#footer() : [];
    for (const [i, { cells, isEmpty }] of this.#held.entries())
      this.#push(cells, isEmpty ? emptyRow : isBelow[i] ? belowTable : undefined);
    this.linesBelow += this.#held.filter(({ isEmpty }, i) => !isEmpty && isBelow[i]).length;
    [this.#held, this.#heldCharacters] = [[], 0];
  }

  #push(cells: string[], note?: string): void {
    const { rows, skips } = this.#taken;
    if (note !== undefined) skips.set(rows.length, note);
    rows.push(cells);
    this.rowCount += 1;
  }
}

/** So many rows without content, in parts that memory has room for. */
function* emptied(count: number): Generator<Rows> {
  for (let left = count; left > 0; left -= emptiedAtOnce) {
    const rows = Array.from({ length: Math.min(left, emptiedAtOnce) }, () => []);
    yield { rows, skips: new Map(rows.map((_, i) => [i, emptyRow])) };
  }
}

function checkWidth({ length }: string[], line: number): void {
  const { columns } = csvLimits;
  if (length > columns)
    throw csvInvalid(line, `There are ${length} columns; the limit is ${columns}.`);
}
