import type { DomainError } from '../errors.ts';
import type { Dialect } from './dialect.pure.ts';
import { csvInvalid, csvLimits } from './limits.pure.ts';
import { keepQuotedCr, type ParsedText, parseText, withoutKeepers } from './parse-text.pure.ts';
import { cellsOfLine, quotings } from './quotes.pure.ts';

/** Text that is parsed at once behind a row that could not be read. */
const smallWindow = 65_536;

const openQuote = 'A quoted cell has no closing quote.';
const quoteInside =
  'Text follows the closing quote of a cell. Double the quotes inside a quoted cell.';

export type RecordBatch = Pick<ParsedText, 'rows' | 'startsWithQuote'> & {
  /** The line in which a record begins, counted from 1 as an editor does. */
  lineOf: (index: number) => number;
};

/**
 * Cuts the text of a file into records. A line whose quotes are malformed is read alone, with quotes
 * that enclose no whole cell as text, if that gives one of `widths` cells. Throws `csv_invalid`.
 */
export class RecordReader {
  readonly #repairs: { line: number; fault: DomainError }[] = [];
  readonly #dialect: Dialect;
  readonly #widths: readonly number[];
  #rest = '';
  /** The line in which `#rest` begins. */
  #line: number;
  /** Characters before `#rest`. */
  #consumed = 0;
  #window: number = csvLimits.rowCharacters;
  /** No record has had more cells than one: a title may still come. */
  #isNarrow = true;

  constructor(dialect: Dialect, widths: readonly number[], firstLine: number) {
    this.#dialect = dialect;
    this.#widths = widths;
    this.#line = firstLine;
  }

  /** Lines whose quotes were read as text. */
  get repairedLines(): number[] {
    return this.#repairs.map(({ line }) => line);
  }

  get consumed(): number {
    return this.#consumed;
  }

  /** Characters that are not read yet. */
  get waiting(): number {
    return this.#rest.length;
  }

  /** Throws `csv_invalid` for the first line of a table that was repaired, if of its `rows` too many were. */
  end(headerLine: number, rows: number): void {
    const repairs = this.#repairs.filter(({ line }) => line >= headerLine);
    const [first] = repairs;
    if (first && repairs.length * csvLimits.rowsPerRepairedLine > rows) throw first.fault;
  }

  push(text: string): void {
    this.#rest += keepQuotedCr(text, this.#dialect);
  }

  /** All whole records; with `isLast` the rest too. */
  read(isLast: boolean): RecordBatch {
    const parts: RecordBatch[] = [];
    for (;;) {
      // Cut at the limit, so that a row's length decides and not how the text came.
      const isCut = this.#rest.length > this.#window;
      const isEnd = isLast && !isCut;
      const parsed = parseText(this.#textOf(isCut, isEnd), this.#dialect, isEnd);
      if (parsed.rows.length > 0) this.#take(parsed, parts);
      if (parsed.isBroken) this.#repair(parts);
      else if (!isCut) return joined(parts);
      else if (parsed.rows.length > 0 || this.#window < csvLimits.rowCharacters)
        this.#window = Math.min(this.#window * 2, csvLimits.rowCharacters);
      else this.#repair(parts, tooLong);
    }
  }

  #textOf(isCut: boolean, isEnd: boolean): string {
    if (isCut) return this.#rest.slice(0, this.#window);
    return isEnd ? this.#rest + this.#dialect.newline : this.#rest;
  }

  #take(parsed: Omit<ParsedText, 'isBroken'>, parts: RecordBatch[]): void {
    const { rows, linesBefore, startsWithQuote } = parsed;
    const first = this.#line;
    parts.push({ rows, startsWithQuote, lineOf: (index) => first + linesBefore(index) });
    this.#isNarrow &&= rows.every(({ length }) => length === 1);
    this.#line += parsed.lines;
    this.#rest = this.#rest.slice(parsed.consumed);
    this.#consumed += parsed.consumed;
  }

  /** Reads the first line of `#rest` alone. */
  #repair(parts: RecordBatch[], reason?: string): void {
    const { delimiter, newline } = this.#dialect;
    const { rowCharacters, repairedLines: mostRepaired } = csvLimits;
    const found = this.#rest.indexOf(newline);
    const end = found < 0 ? this.#rest.length : found;
    if (end + newline.length > rowCharacters) throw csvInvalid(this.#line, tooLong);
    const raw = withoutKeepers(this.#rest.slice(0, end));
    const text = newline === '\n' && raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const readings = quotings.map((quoting) => cellsOfLine(text, delimiter, quoting));
    const fitting = readings.find(({ cells: { length } }) => this.#isWidth(length));
    const fault = csvInvalid(
      this.#line,
      reason ?? (readings.some(({ isOpen }) => isOpen) ? openQuote : quoteInside),
    );
    if (!fitting || this.#repairs.length === mostRepaired) throw fault;
    this.#repairs.push({ line: this.#line, fault });
    const line = {
      rows: [fitting.cells],
      linesBefore: () => 0,
      startsWithQuote: () => true,
      consumed: end + newline.length,
      lines: 1,
    };
    this.#take(line, parts);
    this.#window = smallWindow;
  }

  #isWidth(width: number): boolean {
    return this.#widths.includes(width) || (width === 1 && this.#isNarrow);
  }
}

const tooLong = `A row is longer than ${csvLimits.rowCharacters} characters; is a quote missing?`;

function joined(parts: RecordBatch[]): RecordBatch {
  const [only = noRecords] = parts;
  if (parts.length <= 1) return only;
  const placeOf = (index: number): [RecordBatch, number] => {
    let left = index;
    for (const part of parts) {
      if (left < part.rows.length) return [part, left];
      left -= part.rows.length;
    }
    return [only, 0];
  };
  const ask =
    <Answer>(question: (part: RecordBatch, index: number) => Answer) =>
    (index: number): Answer =>
      question(...placeOf(index));
  return {
    rows: parts.flatMap(({ rows }) => rows),
    lineOf: ask((part, index) => part.lineOf(index)),
    startsWithQuote: ask((part, index) => part.startsWithQuote(index)),
  };
}

const noRecords: RecordBatch = { rows: [], lineOf: () => 1, startsWithQuote: () => false };
