import { chunkBudget, chunkSize } from '../shared/lanes.pure.ts';

/**
 * Consecutive chunks as `rowloom.job_upload_append` stores them: `index` of the first one and
 * `firstRow` of its first row count from 0; `lines` holds one chunk a line, its rows as JSON.
 */
export type ChunkBatch = { index: number; firstRow: number; counts: number[]; lines: string };

/** Text that is stored in one statement, at least: few round trips, flat memory. A chunk holds less. */
const batchCharacters = 524_288;

/** Rows per parallel invocation that a file of unknown length is taken for. */
const usualRows = 30;

/**
 * Groups rows into chunks. How many there will be is settled once, by the exact count if the file is
 * short, else by an estimate from `totalBytes` and the rows so far; their size follows the estimate as it
 * gets better, so that no wave more is needed. Very long rows make smaller chunks.
 */
export class Chunker {
  rows = 0;
  chunks = 0;
  readonly #parallel: number;
  readonly #totalBytes: number | undefined;
  /** Chunks in all, and the rows that they are for; undefined until there are enough rows to tell. */
  #budget: number | undefined;
  #expected = 0;
  /** Rows that do not fill a chunk yet; whole chunks are kept as JSON, which takes less memory. */
  #pending: string[][] = [];
  #pendingCharacters = 0;
  #counts: number[] = [];
  #lines: string[] = [];
  #characters = 0;

  constructor(parallelInvocations: number, totalBytes: number | undefined) {
    this.#parallel = parallelInvocations;
    this.#totalBytes = totalBytes;
  }

  /** `characters`: about how long the rows are. */
  add(rows: readonly string[][], characters: number): void {
    for (const row of rows) this.#pending.push(row);
    this.rows += rows.length;
    this.#characters += characters;
    this.#pendingCharacters += characters;
    if (this.#budget !== undefined) this.#pack(this.#budget, false);
  }

  /**
   * Whole chunks that are worth a round trip; undefined while there are too few. `bytesSoFar`: what the
   * rows so far took in the file.
   */
  take(bytesSoFar: number): ChunkBatch | undefined {
    if (this.#characters < batchCharacters) return undefined;
    this.#expected =
      this.#totalBytes === undefined
        ? Math.max(this.rows, this.#parallel * usualRows)
        : Math.round((this.#totalBytes * this.rows) / Math.max(1, bytesSoFar));
    if (this.#budget === undefined) {
      this.#budget = chunkBudget(this.#expected, this.#parallel);
      this.#pack(this.#budget, false);
    }
    return this.#batch();
  }

  /** All that is left. */
  finish(): ChunkBatch | undefined {
    this.#expected = this.rows;
    this.#budget ??= chunkBudget(this.rows, this.#parallel);
    this.#pack(this.#budget, true);
    return this.#batch();
  }

  #pack(budget: number, all: boolean): void {
    const { length } = this.#pending;
    const rowsLeft = Math.max(length, this.#expected - this.rows + length);
    const wanted = chunkSize(rowsLeft, budget - this.chunks - this.#counts.length);
    const fitting = Math.floor((batchCharacters * length) / Math.max(1, this.#pendingCharacters));
    const size = Math.min(wanted, Math.max(1, fitting));
    const end = all ? length : length - (length % size);
    for (let at = 0; at < end; at += size) {
      const rows = this.#pending.slice(at, Math.min(end, at + size));
      this.#counts.push(rows.length);
      // JSON has no raw line end: each is `\n` in its strings.
      this.#lines.push(JSON.stringify(rows));
    }
    this.#pending = this.#pending.slice(end);
    this.#pendingCharacters *= (length - end) / Math.max(1, length);
  }

  #batch(): ChunkBatch | undefined {
    const [counts, lines] = [this.#counts, this.#lines];
    if (counts.length === 0) return undefined;
    const packed = counts.reduce((sum, count) => sum + count, 0);
    const batch = {
      index: this.chunks,
      firstRow: this.rows - this.#pending.length - packed,
      counts,
      lines: lines.join('\n'),
    };
    this.chunks += counts.length;
    [this.#counts, this.#lines, this.#characters] = [[], [], 0];
    return batch;
  }
}
