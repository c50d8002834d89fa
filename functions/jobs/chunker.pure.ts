import { chunkSize } from './job.pure.ts';

/** A chunk as `rowloom.job_upload_append` stores it; `firstRow` counts data rows from 0. */
export type NewChunk = { index: number; firstRow: number; rows: string[][] };

/** Rows to see before their size says how many the whole file holds. */
const sampleRows = 600;

/** Rows and characters that are stored in one statement: few round trips, flat memory. */
const batchRows = 1200;
const batchCharacters = 1_000_000;

/**
 * Groups rows into chunks. The size of a chunk is settled once: by the exact count if the file is
 * short, else by an estimate from `totalBytes` and the rows seen so far.
 */
export class Chunker {
  rows = 0;
  chunks = 0;
  readonly #parallel: number;
  readonly #totalBytes: number | undefined;
  #size: number | undefined;
  #pending: string[][] = [];
  #characters = 0;

  constructor(parallelInvocations: number, totalBytes: number | undefined) {
    this.#parallel = parallelInvocations;
    this.#totalBytes = totalBytes;
  }

  add(rows: string[][]): void {
    for (const row of rows) {
      this.#pending.push(row);
      for (const cell of row) this.#characters += cell.length + 3;
    }
    this.rows += rows.length;
  }

  /** Whole chunks that are worth a round trip; empty while there are too few. */
  take(bytesSoFar: number): NewChunk[] {
    if (this.#pending.length < sampleRows && this.#characters < batchCharacters) return [];
    if (this.#size === undefined) {
      const estimate =
        this.#totalBytes === undefined
          ? undefined
          : Math.round((this.#totalBytes * this.rows) / Math.max(1, bytesSoFar));
      this.#size = chunkSize(estimate ?? this.#parallel * 30, this.#parallel);
    }
    if (this.#pending.length < batchRows && this.#characters < batchCharacters) return [];
    return this.#cut(false);
  }

  /** All that is left. */
  finish(): NewChunk[] {
    this.#size ??= chunkSize(this.rows, this.#parallel);
    return this.#cut(true);
  }

  #cut(all: boolean): NewChunk[] {
    const size = this.#size ?? 1;
    const first = this.rows - this.#pending.length;
    const cut: NewChunk[] = [];
    let at = 0;
    while (at + size <= this.#pending.length || (all && at < this.#pending.length)) {
      const rows = this.#pending.slice(at, at + size);
      cut.push({ index: this.chunks, firstRow: first + at, rows });
      this.chunks += 1;
      at += rows.length;
    }
    this.#pending = this.#pending.slice(at);
    this.#characters = 0;
    for (const row of this.#pending) for (const cell of row) this.#characters += cell.length + 3;
    return cut;
  }
}
