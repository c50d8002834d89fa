import * as z from 'zod';
import type { Ctx } from '../deps.ts';
import { type ChunkOutcome, chunkOutcome } from './chunk-outcome.ts';
import type { ChunkMessage } from './dispatch-job.ts';
import { settleAfterJob } from './settle-after-job.ts';

const failed = chunkOutcome.extend({ userId: z.string().optional() });

/** Turns a chunk whose deliveries are spent into error rows, so that its job ends. */
export async function failChunk(
  ctx: Ctx,
  message: ChunkMessage,
  reason: string,
): Promise<ChunkOutcome> {
  const { userId, ...outcome } = await ctx.db.call(
    'chunk_fail',
    {
      p_job: message.jobId,
      p_attempt: message.attempt,
      p_index: message.chunk,
      p_part: message.part,
      p_reason: reason,
    },
    failed,
  );
  if (outcome.status === 'completed' && userId !== undefined) await settleAfterJob(ctx, userId);
  return outcome;
}
