import type { Args } from '../../db/call.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { retry } from '../shared/retry.ts';
import { type ChunkOutcome, chunkOutcome } from './chunk-outcome.ts';

const pausesMs = [300, 1000];

/** A database that does not answer now. */
export const isPassing = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'service_unavailable';

/** Commits; an answer that was lost is asked for again, since the rows are paid for. */
export const sendCommit = (ctx: Ctx, args: Args<'chunk_commit'>): Promise<ChunkOutcome> =>
  retry(pausesMs, () => ctx.db.call('chunk_commit', args, chunkOutcome), isPassing);
