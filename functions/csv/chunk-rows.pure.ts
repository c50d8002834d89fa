import { chunkBudget, chunkSize } from '../shared/lanes.pure.ts';
import type { RowBatch } from './read-rows.pure.ts';

/**
 * Consecutive chunks as `rowloom.job_upload_append` stores them: `index` of the first one and
 * `firstRow` of its first row count from 0; `lines` holds one chunk a line, its rows as JSON. `header` is
 * as wide as the widest row so far.
 */
export type ChunkBatch = {
  header: string[];
  index: number;
  firstRow: number;
  counts: number[];
  lines: string;
  /** For each chunk why rows of it are not worked, by their place in it; absent: all are. */
  skips?: ReadonlyMap<number, string>[] | undefined;
};

/**
 * JSON that is stored in one statement, about, and what a chunk may hold at most, unless one row alone is
 * longer: few round trips, flat memory. Counted as JSON, since escapes make a text six times as long.
 */
export const batchCharacters = 614_400;

/** The same while memory is scarce. */
const scarceCharacters = 65_536;

/** What a note takes besides the JSON of its row, about. */
const skipCharacters = 80;

/** Rows per parallel invocation that a file of unknown length is taken for. */
const usualRows = 30;

/** What is known of memory that others need too. */
export type Gathering = {
  /** Hears how many characters of JSON are held. */
  gathered: (characters: number) => void;
  isScarce: () => boolean;
};

/** `totalBytes`: the file's length if it is known; it only helps to choose the size of a chunk. */
export type ChunkOptions = {
  parallelInvocations: number;
  totalBytes: number | undefined;
  memory?: Gathering;
};

/**
 * Groups rows into chunks. How many there will be is settled once, by the exact count if the file is
 * short, else by an estimate from `totalBytes` and the rows so far; their size follows the estimate as it
 * gets better, so that no wave more is needed. Very long rows make smaller chunks.
 */
export async function* chunkRows(
  batches: AsyncIterable<RowBatch>,
  options: ChunkOptions,
): AsyncGenerator<ChunkBatch> {
  const packer = new ChunkPacker(options);
  for await (const rows of batches) yield* packer.add(rows);
  const rest = packer.finish();
  if (rest) yield rest;
}

class ChunkPacker {
  readonly #options: ChunkOptions;
  #header: string[] = [];
  #rows = 0;
  #chunks = 0;
  /** Chunks in all, and the rows that they are for; undefined until there are enough rows to tell. */
  #budget: number | undefined;
  #expected = 0;
  /** Rows that do not fill a chunk yet, each as JSON: cells would keep the text that they were cut from. */
  #pending: string[] = [];
  /** Notes of pending rows, by their place in the file. */
  #notes = new Map<number, string>();
  #counts: number[] = [];
  #lines: string[] = [];
  #skips: ReadonlyMap<number, string>[] = [];
  /** Of what is pending or packed. */
  #characters = 0;

  constructor(options: ChunkOptions) {
    this.#options = options;
  }

  /** Chunks that are worth a round trip, as soon as they are. */
  *add({ header, rows, skips, bytesSoFar }: RowBatch): Generator<ChunkBatch> {
    this.#header = header;
    this.#expect(this.#rows + rows.length, bytesSoFar);
    const hasSkips = skips.size > 0;
    for (let i = 0; i < rows.length; i += 1) {
      const json = JSON.stringify(rows[i]);
      this.#pending.push(json);
      this.#characters += json.length + 1;
      if (hasSkips) this.#note(skips.get(i));
      this.#rows += 1;
      if (this.#characters >= batchCharacters) yield* this.#flush(batchCharacters);
    }
    const { memory } = this.#options;
    memory?.gathered(this.#characters);
    if (memory?.isScarce()) yield* this.#flush(scarceCharacters);
    else if (this.#budget !== undefined) this.#pack(this.#budget, batchCharacters, false);
  }

  /** All that is left. */
  finish(): ChunkBatch | undefined {
    this.#expected = this.#rows;
    this.#budget ??= chunkBudget(this.#rows, this.#options.parallelInvocations);
    this.#pack(this.#budget, batchCharacters, true);
    return this.#take();
  }

  /** Why the row that is being added is not worked. */
  #note(note: string | undefined): void {
    if (note === undefined) return;
    this.#notes.set(this.#rows, note);
    this.#characters += skipCharacters;
  }

  #expect(rows: number, bytes: number): void {
    const { parallelInvocations, totalBytes } = this.#options;
    this.#expected =
      totalBytes === undefined
        ? Math.max(rows, parallelInvocations * usualRows)
        : Math.round((totalBytes * rows) / Math.max(1, bytes));
  }

  *#flush(most: number): Generator<ChunkBatch> {
    this.#budget ??= chunkBudget(this.#expected, this.#options.parallelInvocations);
    this.#pack(this.#budget, most, false);
    const batch = this.#take();
    if (batch) yield batch;
  }

  /** Makes chunks of pending rows; those that would fill none wait for more, unless these are the last. */
  #pack(budget: number, most: number, isLast: boolean): void {
    const pending = this.#pending;
    const { length } = pending;
    const rowsLeft = Math.max(length, this.#expected - this.#rows + length);
    const size = chunkSize(rowsLeft, budget - this.#chunks - this.#counts.length);
    const firstRow = this.#rows - length;
    let [start, end, characters] = [0, 0, 0];
    const close = (): void => {
      // JSON has no raw line end: each is `\n` in its strings.
      this.#lines.push(`[${pending.slice(start, end).join(',')}]`);
      this.#counts.push(end - start);
      this.#skips.push(this.#takeNotes(firstRow + start, end - start));
      [start, characters] = [end, 0];
    };
    for (; end < length; end += 1) {
      const next = (pending[end]?.length ?? 0) + 1;
      if (end > start && (end - start === size || characters + next > most)) close();
      characters += next;
    }
    if (end > start && (isLast || end - start === size || characters >= most)) close();
    if (start > 0) this.#pending = pending.slice(start);
  }

  #takeNotes(firstRow: number, count: number): Map<number, string> {
    const taken = new Map<number, string>();
    if (this.#notes.size === 0) return taken;
    for (let i = 0; i < count; i += 1) {
      const note = this.#notes.get(firstRow + i);
      if (note === undefined) continue;
      taken.set(i, note);
      this.#notes.delete(firstRow + i);
    }
    return taken;
  }

  #take(): ChunkBatch | undefined {
    const [counts, lines, skips] = [this.#counts, this.#lines, this.#skips];
    if (counts.length === 0) return undefined;
    const packed = counts.reduce((sum, count) => sum + count, 0);
    const batch = {
      header: this.#header,
      index: this.#chunks,
      firstRow: this.#rows - this.#pending.length - packed,
      counts,
      lines: lines.join('\n'),
      ...(skips.some(({ size }) => size > 0) && { skips }),
    };
    this.#chunks += counts.length;
    [this.#counts, this.#lines, this.#skips] = [[], [], []];
    this.#characters =
      this.#pending.reduce((sum, row) => sum + row.length + 1, 0) +
      this.#notes.size * skipCharacters;
    this.#options.memory?.gathered(this.#characters);
    return batch;
  }
}
