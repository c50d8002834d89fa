import type { Ctx } from '../context.ts';
import type { ChunkBatch } from '../csv/chunker.pure.ts';

/** Statements under way at once: the file is parsed meanwhile, and memory stays flat. */
const inFlight = 2;

/** Stores the chunks of one upload while the next ones are read. */
export class ChunkStore {
  readonly #ctx: Ctx;
  readonly #ids: { p_job: string; p_upload: string };
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  constructor(ctx: Ctx, jobId: string, uploadId: string) {
    this.#ctx = ctx;
    this.#ids = { p_job: jobId, p_upload: uploadId };
  }

  /** Starts to store a batch once there is room; throws what went wrong with an earlier one. */
  async add(batch: ChunkBatch | undefined): Promise<void> {
    while (batch && this.#running.size >= inFlight) await Promise.race(this.#running);
    if (this.#failure) throw this.#failure.error;
    if (!batch) return;
    const append: Promise<void> = this.#store(batch).finally(() => this.#running.delete(append));
    this.#running.add(append);
  }

  /** Waits for all that was begun, however it ends; `add` or `done` throws what went wrong. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async done(): Promise<void> {
    await this.settled();
    if (this.#failure) throw this.#failure.error;
  }

  async #store({ index, firstRow, counts, lines }: ChunkBatch): Promise<void> {
    try {
      await this.#ctx.db.call('job_upload_append', {
        ...this.#ids,
        p_index: index,
        p_first_row: firstRow,
        p_counts: counts,
        p_lines: lines,
      });
    } catch (error) {
      this.#failure ??= { error };
    }
  }
}
