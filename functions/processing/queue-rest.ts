import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import type { ChunkOutcome } from './chunk-outcome.ts';
import type { Leased } from './lease-chunk.ts';
import { pauseLane } from './pause-lane.ts';
import {
  type ChunkMessage,
  type Dispatch,
  flowControlOf,
  laneKeyOf,
  publishChunks,
} from './publish-chunks.ts';

/** So long a chunk stays away whose lane could not be held back. */
const unheldSeconds = 15;

/** A chunk after its commit: `left` rows are still to be worked; `isStopped`: its job was cancelled or paused. */
export type Committed = {
  message: ChunkMessage;
  leased: Leased;
  /** The lease's token: names this publication. */
  token: string;
  isStopped: boolean;
  outcome: ChunkOutcome & { left: number };
};

const dispatchOf = ({ message, leased }: Committed, run = message.run): Dispatch => {
  const { userId, rowsTotal, rowsKept, rowsSkipped, needsSearch } = leased.job;
  const rows = rowsTotal - rowsKept - rowsSkipped;
  return { jobId: message.jobId, run, userId, rows, needsSearch };
};

/** Queues what is left of a chunk behind a lane that waits until one of `providers` works. Throws `busy`. */
export async function queueBehind(
  ctx: Ctx,
  committed: Committed,
  providers: string[],
): Promise<ChunkOutcome> {
  const lane = laneKeyOf(ctx, dispatchOf(committed));
  const isHeld = await pauseLane(ctx, lane, providers).catch(() => undefined);
  // Works already: at once. Not known: later, since the lane may not be held back.
  return queueRest(ctx, committed, isHeld === undefined ? unheldSeconds : 0);
}

/** Queues what is left of a chunk, if anything is. Throws `busy`. */
export async function queueRest(
  ctx: Ctx,
  committed: Committed,
  delaySeconds: number,
): Promise<ChunkOutcome> {
  const { left, run, ...outcome } = committed.outcome;
  const { message, leased, token } = committed;
  // Of a job that is paused, or back from its sample, nothing more is worked; a resumed one has another run.
  const isStopped = committed.isStopped && run === message.run;
  const isOver = outcome.outcome !== 'committed' || outcome.status !== 'running' || isStopped;
  if (left === 0 || isOver) return outcome;
  const rest = { index: message.chunk, revision: leased.chunk.revision + 1 };
  const dispatch = dispatchOf(committed, run);
  const flowControl = await flowControlOf(ctx, dispatch);
  const how = { round: token, delaySeconds, flowControl };
  await publishChunks(ctx, dispatch, [rest], how).catch((cause: unknown) => {
    // This delivery is tried again instead, and finds the rest of the chunk.
    throw new DomainError('busy', 'The rest of the chunk could not be queued.', {
      retryAfterSeconds: 5,
      cause,
    });
  });
  return outcome;
}
