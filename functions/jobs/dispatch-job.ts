import * as z from 'zod';
import type { Ctx } from '../context.ts';
import {
  batchMessages,
  chunkRef,
  type Dispatch,
  flowControlOf,
  publishChunks,
} from '../processing/publish-chunks.ts';

const batchToCome = z.strictObject({ chunks: z.array(chunkRef), from: z.int() }).nullable();

/**
 * Publishes what of a job has not been, batch by batch, from chunk `from` on. The database keeps how far
 * it came, so that another can go on; it stops by itself when the run is over. `round` as in `publishChunks`. Throws
 * at a batch that QStash does not take whole: that one is not counted, so the watchdog goes on with it after 20 s.
 */
export async function dispatchJob(
  ctx: Ctx,
  dispatch: Dispatch,
  from: number,
  round = 'first',
): Promise<void> {
  const { jobId, run } = dispatch;
  const next = (at: number) =>
    ctx.db.call(
      'job_dispatch',
      { p_job: jobId, p_run: run, p_from: at, p_limit: batchMessages },
      batchToCome,
    );
  const flowControl = await flowControlOf(ctx, dispatch);
  for (let batch = await next(from); batch && batch.chunks.length > 0;) {
    await publishChunks(ctx, dispatch, batch.chunks, { round, flowControl });
    batch = await next(batch.from);
  }
}
