import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { settleQuietly } from '../ledger/settle-quietly.ts';
import { publishNotification } from '../notifications/publish-notifications.ts';
import { type ChunkOutcome, chunkOutcome, hasJobEnded } from './chunk-outcome.ts';
import type { ChunkMessage } from './publish-chunks.ts';

const failed = chunkOutcome.extend({
  userId: z.string().optional(),
  notifies: z.boolean().optional(),
});

/**
 * Turns what is left of a job into error rows, so that it ends; with a `chunk` only that chunk's, unless some of
 * it was committed after the revision that its message was about; with `fruitlessLeases` only chunks that lost so
 * many. `givenUp`: it waited for a provider in vain.
 */
export async function failChunks(
  ctx: Ctx,
  of: Pick<ChunkMessage, 'jobId' | 'run'> & {
    chunk?: { index: number; revision: number };
    fruitlessLeases?: number;
  },
  reason: string,
  { givenUp = false }: { givenUp?: boolean } = {},
): Promise<ChunkOutcome> {
  const { userId, notifies, ...outcome } = await ctx.db.call(
    'chunks_fail',
    {
      p_job: of.jobId,
      p_run: of.run,
      p_index: of.chunk?.index ?? null,
      p_revision: of.chunk?.revision ?? null,
      p_fruitless: of.fruitlessLeases ?? null,
      p_reason: reason,
      p_given_up: givenUp,
    },
    failed,
  );
  if (hasJobEnded(outcome) && userId !== undefined) {
    await settleQuietly(ctx, userId);
    if (notifies) await publishNotification(ctx, of);
  }
  return outcome;
}

/** Turns a chunk whose deliveries are spent into error rows. */
export const failChunk = (
  ctx: Ctx,
  { chunk: index, revision, ...of }: ChunkMessage,
  reason: string,
): Promise<ChunkOutcome> => failChunks(ctx, { ...of, chunk: { index, revision } }, reason);
