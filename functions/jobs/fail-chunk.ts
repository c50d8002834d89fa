import type { Ctx } from '../deps.ts';
import { type ChunkOutcome, chunkOutcome } from './chunk-outcome.ts';
import type { ChunkMessage } from './dispatch-job.ts';

/** Turns a chunk whose deliveries are spent into error rows, so that its job ends. */
export const failChunk = (ctx: Ctx, message: ChunkMessage, reason: string): Promise<ChunkOutcome> =>
  ctx.db.call(
    'chunk_fail',
    {
      p_job: message.jobId,
      p_attempt: message.attempt,
      p_index: message.chunk,
      p_part: message.part,
      p_reason: reason,
    },
    chunkOutcome,
  );
