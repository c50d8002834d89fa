import { settleQuietly } from '../ledger/settle-quietly.ts';
import type { ChunkMessage } from './publish-chunks.ts';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { type ChunkOutcome, chunkOutcome } from './chunk-outcome.ts';

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
      p_run: message.run,
      p_index: message.chunk,
      p_revision: message.revision,
      p_reason: reason,
    },
    failed,
  );
  if (outcome.status === 'completed' && userId !== undefined) await settleQuietly(ctx, userId);
  return outcome;
}
