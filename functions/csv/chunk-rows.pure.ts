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
};

/** Text that is stored in one statement, at least: few round trips, flat memory. A chunk holds less. */
const batchCharacters = 524_288;

/** Rows per parallel invocation that a file of unknown length is taken for. */
const usualRows = 30;

/** `totalBytes`: the file's length if it is known; it only helps to choose the size of a chunk. */
export type ChunkOptions = { parallelInvocations: number; totalBytes: number | undefined };

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
  for await (const rows of batches) {
    const chunks = packer.add(rows);
    if (chunks) yield chunks;
  }
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
  /** Rows that do not fill a chunk yet; whole chunks are kept as JSON, which takes less memory. */
  #pending: string[][] = [];
  #pendingCharacters = 0;
  #counts: number[] = [];
  #lines: string[] = [];
  #characters = 0;

  constructor(options: ChunkOptions) {
    this.#options = options;
  }

  /** Whole chunks that are worth a round trip; undefined while there are too few. */
  add({ header, rows, characters, bytesSoFar }: RowBatch): ChunkBatch | undefined {
    this.#header = header;
    for (const row of rows) this.#pending.push(row);
    this.#rows += rows.length;
    this.#characters += characters;
    this.#pendingCharacters += characters;
    if (this.#budget !== undefined) this.#pack(this.#budget, false);
    if (this.#characters < batchCharacters) return undefined;

    const { parallelInvocations, totalBytes } = this.#options;
    this.#expected =
      totalBytes === undefined
        ? Math.max(this.#rows, parallelInvocations * usualRows)
        : Math.round((totalBytes * this.#rows) / Math.max(1, bytesSoFar));
    if (this.#budget === undefined) {
      this.#budget = chunkBudget(this.#expected, parallelInvocations);
      this.#pack(this.#budget, false);
    }
    return this.#take();
  }

  /** All that is left. */
  finish(): ChunkBatch | undefined {
    this.#expected = this.#rows;
    this.#budget ??= chunkBudget(this.#rows, this.#options.parallelInvocations);
    this.#pack(this.#budget, true);
    return this.#take();
  }

  #pack(budget: number, isLast: boolean): void {
    const { length } = this.#pending;
    const rowsLeft = Math.max(length, this.#expected - this.#rows + length);
    const wanted = chunkSize(rowsLeft, budget - this.#chunks - this.#counts.length);
    const fitting = Math.floor((batchCharacters * length) / Math.max(1, this.#pendingCharacters));
    const size = Math.min(wanted, Math.max(1, fitting));
    const end = isLast ? length : length - (length % size);
    for (let start = 0; start < end; start += size) {
      const rows = this.#pending.slice(start, Math.min(end, start + size));
      this.#counts.push(rows.length);
      // JSON has no raw line end: each is `\n` in its strings.
      this.#lines.push(JSON.stringify(rows));
    }
    this.#pending = this.#pending.slice(end);
    this.#pendingCharacters *= (length - end) / Math.max(1, length);
  }

  #take(): ChunkBatch | undefined {
    const [counts, lines] = [this.#counts, this.#lines];
    if (counts.length === 0) return undefined;
    const packed = counts.reduce((sum, count) => sum + count, 0);
    const batch = {
      header: this.#header,
      index: this.#chunks,
      firstRow: this.#rows - this.#pending.length - packed,
      counts,
      lines: lines.join('\n'),
    };
    this.#chunks += counts.length;
    [this.#counts, this.#lines, this.#characters] = [[], [], 0];
    return batch;
  }
}
