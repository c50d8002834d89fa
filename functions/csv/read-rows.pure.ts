import type { TextPiece } from './decode.pure.ts';
import { type Dialect, noDelimiter, sniffDialect } from './dialect.pure.ts';
import { encodingName } from './encoding/labels.pure.ts';
import { countOf, csvInvalid, csvLimits } from './limits.pure.ts';
import { RecordReader } from './read-records.pure.ts';
import { Table } from './table.pure.ts';
import { headerIndex } from './title.pure.ts';
import { warningsOf } from './warnings.pure.ts';

/** Text that is gathered before it is parsed: parsing each network chunk alone is slow. */
const batchCharacters = 65_536;

/** How a file was read: its encoding by the name that people use, and the delimiter, empty where there is one column. */
export type FileFormat = { encoding: string; delimiter: string };

/** Rows in the order of the file, and what is known of it so far. The first batch may have no rows; its taker may empty it. */
export type RowBatch = {
  /** As wide as the widest row so far: longer rows than the file's first one add `column_N`. */
  header: string[];
  /** The line of the header in the file, counted from 1. */
  headerLine: number;
  rows: string[][];
  /** Why a row is not worked, by its place in `rows`: it has no content, or stands below the table. */
  skips: Map<number, string>;
  /** What was noticed so far, in sentences for the user. */
  warnings: readonly string[];
  /** Of the rows so far. */
  format: FileFormat;
  /** Bytes of the file that all rows so far took, about. */
  bytesSoFar: number;
};

/**
 * Cuts text into rows. The first line that is no title is the header; shorter rows stay as they are.
 * Blank lines are no rows; in a file of one column a quoted empty cell is one. Rows without content, and
 * those of a footer below the table, come with a skip; of those without content that end the file only the
 * first thousand come. Throws `csv_invalid`.
 */
export async function* readRows(pieces: AsyncIterable<TextPiece>): AsyncGenerator<RowBatch> {
  const reader = new RowReader();
  for await (const piece of pieces) yield* reader.add(piece);
  yield* reader.finish();
}

class RowReader {
  /** The file's beginning, before its dialect is known. */
  #text = '';
  #records: RecordReader | undefined;
  #table = new Table(0);
  #bytes = 0;
  #delimiter = '';
  #encoding: string | undefined;
  #sentAs: string | undefined;

  /** Whole rows, once there are enough of them. */
  *add({ text, bytes, encoding, sentAs }: TextPiece): Generator<RowBatch> {
    this.#bytes += bytes;
    this.#encoding = encoding;
    this.#sentAs = sentAs ?? this.#sentAs;
    if (this.#records) this.#records.push(text);
    else this.#text += text;
    const waiting = this.#records?.waiting ?? this.#text.length;
    if (waiting >= batchCharacters) yield* this.#take(false);
  }

  /** All that is left. */
  *finish(): Generator<RowBatch> {
    yield* this.#take(true);
    if (!this.#table.header) throw csvInvalid(1, 'The file is empty.');
  }

  *#take(isLast: boolean): Generator<RowBatch> {
    const records = (this.#records ??= this.#begin(isLast));
    if (!records) return;
    this.#table.add(records.read(isLast));
    if (isLast) this.#table.finish();
    const { header, headerLine, isHeadless, linesAbove, linesBelow, rowsLeftOut } = this.#table;
    if (!header) return;
    if (isLast) records.end(headerLine, this.#table.rowCount);
    const { repairedLines } = records;
    const common = {
      header,
      headerLine,
      warnings: warningsOf({
        encoding: this.#encoding,
        sentAs: this.#sentAs,
        linesAbove,
        headlessLine: isHeadless ? headerLine : undefined,
        repairedLines,
        linesBelow,
        rowsLeftOut: isLast ? rowsLeftOut : 0,
      }),
      format: { encoding: encodingName(this.#encoding ?? 'utf-8'), delimiter: this.#delimiter },
      bytesSoFar:
        (this.#bytes * records.consumed) / Math.max(1, records.consumed + records.waiting),
    };
    for (const taken of this.#table.take()) yield { ...common, ...taken };
  }

  /** Looks at the first characters, as many however they came; undefined if more are needed. */
  #begin(isLast: boolean): RecordReader | undefined {
    for (let size = batchCharacters; isLast || size <= this.#text.length; size *= 2) {
      const isWhole = isLast && size >= this.#text.length;
      const sample = this.#text.slice(0, size);
      const dialect = sniffDialect(sample, isWhole || size >= csvLimits.rowCharacters);
      if (!dialect) continue;
      this.#delimiter = dialect.delimiter === noDelimiter ? '' : dialect.delimiter;
      const { rows } = readerOf(sample, dialect, []).read(isWhole);
      const above = headerIndex(rows);
      this.#table = new Table(Math.max(0, above));
      const records = readerOf(this.#text, dialect, [rows[above]?.length ?? 0]);
      this.#text = '';
      return records;
    }
    return undefined;
  }
}

/** Reads a file's text from its beginning. */
function readerOf(text: string, dialect: Dialect, widths: number[]): RecordReader {
  const { skip, newline, width } = dialect;
  const firstLine = 1 + countOf(text.slice(0, skip), newline);
  const reader = new RecordReader(dialect, [width, ...widths], firstLine);
  reader.push(text.slice(skip));
  return reader;
}
