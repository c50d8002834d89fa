import { contentOf } from './cells.pure.ts';
import { widenHeader } from './columns.pure.ts';
import { isFooterText, isTotalLine } from './footer.pure.ts';
import { csvInvalid, csvLimits } from './limits.pure.ts';
import type { RecordBatch } from './read-records.pure.ts';

/** Why a row is not worked. */
export const emptyRow = 'empty row';
export const belowTable = 'below the table';

/** Rows that may stand below the table wait for a full one or the file's end; no footer is longer. */
const maxFooter = 20;
/** Rows that wait in all: emptied ones may follow each other without end. */
const maxHeld = 1000;

type Rows = { rows: string[][]; skips: Map<number, string> };

/**
 * Tells what a file's records are: lines above the header, the header, rows, rows without content and
 * rows below the table. Throws `csv_invalid`.
 */
export class Table {
  header: string[] | undefined;
  headerLine = 1;
  /** Lines with content above the header. */
  linesAbove = 0;
  linesBelow = 0;
  /** Records before the header. */
  #above: number;
  #taken: Rows = { rows: [], skips: new Map() };
  #held: { cells: string[]; isEmpty: boolean }[] = [];
  #footer = 0;
  /** A blank line or an emptied row came after the last row. */
  #isBelowGap = false;
  /** Gaps divide the table's own rows: one at its end tells less. */
  #hasInnerGaps = false;
  #hasRows = false;

  constructor(recordsAbove: number) {
    this.#above = recordsAbove;
  }

  add(records: RecordBatch): void {
    if (this.#isPlain(records.rows)) this.#taken.rows = records.rows;
    else this.#addEach(records);
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

  /** The file has ended: rows that wait are below the table. */
  finish(): void {
    const isFooter =
      !this.#hasInnerGaps || this.#held.some(({ cells: [first = ''] }) => isFooterText(first));
    this.#release(isFooter);
  }

  /** The rows since it was asked last, but those that wait. */
  take(): Rows {
    const taken = this.#taken;
    this.#taken = { rows: [], skips: new Map() };
    return taken;
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
    if (this.#isFooter(content, cells, header.length)) this.#hold(cells);
    else this.#addFull(cells);
  }

  #addEmpty(cells: string[], records: RecordBatch, index: number): void {
    const bare = cells.every((cell) => cell === '') ? [] : cells;
    if (this.header && bare.length > this.header.length)
      this.#widen(this.header, bare, records, index);
    if (this.#held.length === 0) this.#push(bare, emptyRow);
    else this.#held.push({ cells: bare, isEmpty: true });
    if (this.#held.length > maxHeld) this.#release(true);
  }

  #addFull(cells: string[]): void {
    if (this.#held.length > 0) this.#release(false);
    if (this.#isBelowGap && this.#hasRows) this.#hasInnerGaps = true;
    this.#hasRows = true;
    this.#isBelowGap = false;
    this.#push(cells);
  }

  #widen(header: string[], cells: string[], records: RecordBatch, index: number): void {
    if (cells.length > csvLimits.columns) checkWidth(cells, records.lineOf(index));
    this.header = widenHeader(header, cells.length);
  }

  /** Whether a row may stand below the table: one cell where there are columns, or a line of sums. */
  #isFooter(content: 'first' | 'more', cells: string[], width: number): boolean {
    if (width < 2) return false;
    const isApart = this.#isBelowGap || this.#held.length > 0;
    if (content === 'more') return isApart && isTotalLine(cells);
    return (isApart && width > 2) || isFooterText(cells[0] ?? '');
  }

  #hold(cells: string[]): void {
    this.#held.push({ cells, isEmpty: false });
    this.#footer += 1;
    if (this.#footer <= maxFooter) return;
    this.#release(false);
    this.#isBelowGap = false;
  }

  #release(isFooter: boolean): void {
    for (const { cells, isEmpty } of this.#held)
      this.#push(cells, isEmpty ? emptyRow : isFooter ? belowTable : undefined);
    if (isFooter) this.linesBelow += this.#footer;
    this.#held = [];
    this.#footer = 0;
  }

  #push(cells: string[], note?: string): void {
    const { rows, skips } = this.#taken;
    if (note !== undefined) skips.set(rows.length, note);
    rows.push(cells);
  }
}

function checkWidth({ length }: string[], line: number): void {
  const { columns } = csvLimits;
  if (length > columns)
    throw csvInvalid(line, `There are ${length} columns; the limit is ${columns}.`);
}
