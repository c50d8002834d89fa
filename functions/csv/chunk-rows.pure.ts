import { chunkBudget, chunkSize } from '../shared/lanes.pure.ts';
import type { RowBatch } from './read-rows.pure.ts';
import { RowHashes } from './row-hashes.pure.ts';

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
  /** For each chunk the rows that are the same as one above them; absent: there are none. */
  duplicates?: Duplicate[][] | undefined;
};

/** Its place in the chunk, and the number of the first row with the same cells, counted from 1 over all rows. */
export type Duplicate = [place: number, sameAs: number];

/**
 * JSON that is stored in one statement, about, and what a chunk may hold at most, unless one row alone is
 * longer: few round trips, flat memory. Counted as JSON, since escapes make a text six times as long.
 */
export const batchCharacters = 614_400;

/** The same while memory is scarce. */
const scarceCharacters = 65_536;

/** What a note takes besides the JSON of its row, about, and a duplicate. */
export const skipCharacters = 50;
export const duplicateCharacters = 18;

/** What a row takes besides its JSON as long as it is a string of its own: many are shorter than that. */
const rowCharacters = 20;

/** Rows per parallel invocation that a file of unknown length is taken for. */
const usualRows = 30;

/** What is known of memory that others need too. */
export type Gathering = {
  /** Hears how many characters of JSON are held. */
  gathered: (characters: number) => void;
  /** Hears how many bytes are held from now on. */
  kept: (bytes: number) => void;
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

/** Why a row is not worked, or the number of the one that it is the same as. */
type Mark = string | number | undefined;

const weightOf = (json: string, mark: Mark): number =>
  json.length + 1 + (mark === undefined ? 0 : markCharacters[typeof mark as 'string' | 'number']);

const markCharacters = { string: skipCharacters, number: duplicateCharacters };

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
  /** Of pending rows, each at its row's place; shorter: the others have none. */
  #marks: Mark[] = [];
  readonly #hashes = new RowHashes();
  #counts: number[] = [];
  #lines: string[] = [];
  #skips: ReadonlyMap<number, string>[] = [];
  #duplicates: Duplicate[][] = [];
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
      const mark = skips.get(index) ?? this.#sameAs(this.#rows + index, json);
      if (mark !== undefined) {
        while (this.#marks.length < this.#pending.length) this.#marks.push(undefined);
        this.#marks.push(mark);
      }
      this.#pending.push(json);
      this.#characters += weightOf(json, mark);
    }
    this.#options.memory?.kept(this.#hashes.bytes);
    this.#rows += rows.length;
    rows.length = 0;
    skips.clear();
  }

  #sameAs(row: number, json: string): number | undefined {
    const first = this.#hashes.firstLike(row, json);
    return first === undefined ? undefined : first + 1;
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
      this.#takeMarks(start, end);
      this.#packed += characters;
      [start, characters] = [end, 0];
    };
    for (; end < length; end += 1) {
      const next = weightOf(pending[end] ?? '', this.#marks[end]);
      if (end > start && (end - start === size || characters + next > most)) close();
      if (this.#packed > 0 && this.#packed + characters + next > batchCharacters) break;
      characters += next;
    }
    const isFull = isLast || end - start === size || characters >= most;
    if (end === length && end > start && isFull) close();
    if (start === 0) return;
    this.#pending = pending.slice(start);
    this.#marks = this.#marks.slice(start);
  }

  /** Those of the pending rows from `start` to `end`, by their place among them. */
  #takeMarks(start: number, end: number): void {
    const notes = new Map<number, string>();
    const duplicates: Duplicate[] = [];
    for (const [i, mark] of this.#marks.slice(start, end).entries())
      if (typeof mark === 'string') notes.set(i, mark);
      else if (mark !== undefined) duplicates.push([i, mark]);
    this.#skips.push(notes);
    this.#duplicates.push(duplicates);
  }

  #take(): ChunkBatch | undefined {
    const [counts, lines, skips] = [this.#counts, this.#lines, this.#skips];
    const duplicates = this.#duplicates;
    if (counts.length === 0) return undefined;
    const packed = counts.reduce((sum, count) => sum + count, 0);
    const batch = {
      header: this.#header,
      index: this.#chunks,
      firstRow: this.#rows - this.#pending.length - packed,
      counts,
      lines: lines.join('\n'),
      ...(skips.some(({ size }) => size > 0) && { skips }),
      ...(duplicates.some(({ length }) => length > 0) && { duplicates }),
    };
    this.#chunks += counts.length;
    [this.#counts, this.#lines, this.#skips, this.#duplicates] = [[], [], [], []];
    this.#packed = 0;
    this.#characters = this.#pending.reduce(
      (sum, row, i) => sum + weightOf(row, this.#marks[i]),
      0,
    );
    this.#tell();
    return batch;
  }
}
