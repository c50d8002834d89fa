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
export const skipCharacters = 50;

/** What a row takes besides its JSON as long as it is a string of its own: many are shorter than that. */
const rowCharacters = 20;

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
 * gets better, so that no wave more is needed. Very long rows make smaller chunks. A batch is left empty:
 * whoever handed it on still refers to it while all wait, and cells take many times their JSON.
 */
export async function* chunkRows(
  batches: AsyncIterable<RowBatch>,
  options: ChunkOptions,
): AsyncGenerator<ChunkBatch> {
  const packer = new ChunkPacker(options);
  for await (const batch of batches) yield* packer.add(batch);
  yield* packer.finish();
}

const weightOf = (json: string, note: string | undefined): number =>
  json.length + 1 + (note === undefined ? 0 : skipCharacters);

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
  /** Why pending rows are not worked, each at its row's place; shorter: the others are. */
  #notes: (string | undefined)[] = [];
  #counts: number[] = [];
  #lines: string[] = [];
  #skips: ReadonlyMap<number, string>[] = [];
  /** Of what is pending or packed; of what is packed. */
  #characters = 0;
  #packed = 0;

  constructor(options: ChunkOptions) {
    this.#options = options;
  }

  /** Chunks that are worth a round trip, as soon as they are. */
  *add(batch: RowBatch): Generator<ChunkBatch> {
    this.#header = batch.header;
    this.#expect(this.#rows + batch.rows.length, batch.bytesSoFar);
    this.#empty(batch);
    this.#tell();
    while (this.#characters >= batchCharacters) {
      const full = this.#flush(batchCharacters);
      if (!full) break;
      yield full;
    }
    if (this.#options.memory?.isScarce()) {
      const some = this.#flush(scarceCharacters);
      if (some) yield some;
    } else if (this.#budget !== undefined) this.#pack(this.#budget, batchCharacters, false);
  }

  /** All that is left. */
  *finish(): Generator<ChunkBatch> {
    this.#expected = this.#rows;
    this.#budget ??= chunkBudget(this.#rows, this.#options.parallelInvocations);
    for (;;) {
      this.#pack(this.#budget, batchCharacters, true);
      const batch = this.#take();
      if (!batch) return;
      yield batch;
    }
  }

  /** Takes the rows out of a batch. */
  #empty({ rows, skips }: RowBatch): void {
    for (const [index, cells] of rows.entries()) {
      const json = cells.length === 0 ? '[]' : JSON.stringify(cells);
      const note = skips.get(index);
      if (note !== undefined) {
        while (this.#notes.length < this.#pending.length) this.#notes.push(undefined);
        this.#notes.push(note);
      }
      this.#pending.push(json);
      this.#characters += weightOf(json, note);
    }
    this.#rows += rows.length;
    rows.length = 0;
    skips.clear();
  }

  #tell(): void {
    this.#options.memory?.gathered(this.#characters + this.#pending.length * rowCharacters);
  }

  #expect(rows: number, bytes: number): void {
    const { parallelInvocations, totalBytes } = this.#options;
    this.#expected =
      totalBytes === undefined
        ? Math.max(rows, parallelInvocations * usualRows)
        : Math.round((totalBytes * rows) / Math.max(1, bytes));
  }

  #flush(most: number): ChunkBatch | undefined {
    this.#budget ??= chunkBudget(this.#expected, this.#options.parallelInvocations);
    this.#pack(this.#budget, most, false);
    return this.#take();
  }

  /**
   * Makes chunks of pending rows, until they are enough for a statement; rows that would fill none wait
   * for more, unless these are the last.
   */
  #pack(budget: number, most: number, isLast: boolean): void {
    const pending = this.#pending;
    const { length } = pending;
    const rowsLeft = Math.max(length, this.#expected - this.#rows + length);
    const size = chunkSize(rowsLeft, budget - this.#chunks - this.#counts.length);
    let [start, end, characters] = [0, 0, 0];
    const close = (): void => {
      // JSON has no raw line end: each is `\n` in its strings.
      this.#lines.push(`[${pending.slice(start, end).join(',')}]`);
      this.#counts.push(end - start);
      this.#skips.push(this.#notesOf(start, end));
      this.#packed += characters;
      [start, characters] = [end, 0];
    };
    for (; end < length; end += 1) {
      const next = weightOf(pending[end] ?? '', this.#notes[end]);
      if (end > start && (end - start === size || characters + next > most)) close();
      if (this.#packed > 0 && this.#packed + characters + next > batchCharacters) break;
      characters += next;
    }
    const isFull = isLast || end - start === size || characters >= most;
    if (end === length && end > start && isFull) close();
    if (start === 0) return;
    this.#pending = pending.slice(start);
    this.#notes = this.#notes.slice(start);
  }

  /** By their place among the pending rows from `start` to `end`. */
  #notesOf(start: number, end: number): Map<number, string> {
    const notes = new Map<number, string>();
    for (const [i, note] of this.#notes.slice(start, end).entries())
      if (note !== undefined) notes.set(i, note);
    return notes;
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
    this.#packed = 0;
    this.#characters = this.#pending.reduce(
      (sum, row, i) => sum + weightOf(row, this.#notes[i]),
      0,
    );
    this.#tell();
    return batch;
  }
}
