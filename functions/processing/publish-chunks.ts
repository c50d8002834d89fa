import * as z from 'zod';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import { retry } from '../shared/retry.ts';
import { chunkBudget, chunkSize, laneOf, pacedParallelism } from '../shared/lanes.pure.ts';
import { rowsPerMinute } from './rows-per-minute.ts';

/** Messages in one publish: QStash takes more, but a batch that fails is sent again as a whole. */
export const batchMessages = 100;

/** Retries that every QStash plan grants; the delays are 10, 30 and 90 s. */
const retries = 3;
const retryDelay = '10000 * pow(3, retried)';

/** `revision`: how often some of the chunk was committed when the message was made. */
export type ChunkMessage = { jobId: string; run: number; chunk: number; revision: number };

/** A chunk to publish. */
export const chunkRef = z.strictObject({ index: z.int(), revision: z.int() });
export type ChunkRef = z.infer<typeof chunkRef>;

/** What a job's messages are addressed by: its id, the run, and whose lane they take. */
export type Dispatch = {
  jobId: string;
  run: number;
  userId: string;
  /** Rows that are to be worked in this run. */
  rows: number;
  needsSearch: boolean;
};

/** The lane that a job's messages wait in. What needs no search does not wait behind what does. */
export function laneKeyOf({ config }: Pick<Ctx, 'config'>, dispatch: Dispatch): string {
  const { key } = laneOf(dispatch.userId, dispatch.rows, config.parallelInvocations);
  return dispatch.needsSearch ? key : `${key}-unsearched`;
}

/** A lane, and how many of its messages may be delivered at once. */
export type FlowControl = { key: string; parallelism: number };

/** No more deliveries at once than providers over their limit have turns for; asks Redis for their pace. */
export async function flowControlOf(ctx: Ctx, dispatch: Dispatch): Promise<FlowControl> {
  const { userId, rows } = dispatch;
  const { parallelInvocations } = ctx.config;
  const { parallelism } = laneOf(userId, rows, parallelInvocations);
  const pace = await rowsPerMinute(ctx, dispatch.needsSearch);
  const size = chunkSize(rows, chunkBudget(rows, parallelInvocations));
  return {
    key: laneKeyOf(ctx, dispatch),
    parallelism: pace === undefined ? parallelism : pacedParallelism(parallelism, pace, size),
  };
}

/** Between tries to publish. */
const pausesMs = [200, 800, 2000];

/** What QStash answers for a message of a batch; the SDK's types do not know of the error. */
const batchAnswer = z.array(z.object({ messageId: z.string().optional() }));

/**
 * By this label the messages of a job's run are found, and taken back: those of a retry that begins
 * meanwhile are others.
 */
export const runLabel = (jobId: string, run: number): string => `job-${jobId}-${run}`;

export type Publication = { round: string; delaySeconds?: number; flowControl: FlowControl };

/** QStash answers, and still refuses messages; the others are on their way. */
export class MessagesRefused extends Error {
  override name = 'MessagesRefused';
}

/**
 * Publishes chunks, and up to three times more those that QStash did not take. `round` tells a repeated
 * publication from QStash's memory of the first: the same round twice is one delivery. Throws
 * `MessagesRefused`, or the client's error.
 * Source: upstash.com/docs/qstash/features/batch (an error for single messages of a batch)
 */
export async function publishChunks(
  ctx: Ctx,
  dispatch: Dispatch,
  chunks: ChunkRef[],
  { round, delaySeconds = 0, flowControl }: Publication,
): Promise<void> {
  const { publicUrl } = ctx.config;
  const { jobId, run } = dispatch;
  // Built anew for each try: batchJSON turns bodies into text in place, so a second try with the same
  // messages would send JSON of JSON.
  const messageOf = ({ index: chunk, revision }: ChunkRef) => ({
    url: `${publicUrl}/queue/chunks`,
    body: { jobId, run, chunk, revision } satisfies ChunkMessage,
    retries,
    retryDelay,
    ...(delaySeconds > 0 && { delay: delaySeconds }),
    label: runLabel(jobId, run),
    deduplicationId: `${jobId}-${run}-${chunk}-${round}`,
    flowControl,
    failureCallback: `${publicUrl}/queue/chunk-failures`,
  });
  let left = chunks;
  // Under the same deduplication ids: one whose answer was lost is not published twice.
  await retry(pausesMs, async () => {
    const sent = ctx.qstash.batchJSON(left.map(messageOf));
    const answers = batchAnswer.parse(await timeLimit(queueTimeoutMs, sent));
    left = left.filter((_, i) => answers[i]?.messageId === undefined);
    if (left.length > 0) throw new MessagesRefused(`${left.length} of ${chunks.length} messages`);
  });
}

/**
 * Publishes any number of chunks, batch by batch; messages that are refused keep no other batch back.
 * Throws as `publishChunks`.
 */
export async function publishAll(
  ctx: Ctx,
  dispatch: Dispatch,
  chunks: ChunkRef[],
  round: string,
): Promise<void> {
  const flowControl = await flowControlOf(ctx, dispatch);
  let refused: MessagesRefused | undefined;
  for (let at = 0; at < chunks.length; at += batchMessages)
    try {
      await publishChunks(ctx, dispatch, chunks.slice(at, at + batchMessages), {
        round,
        flowControl,
      });
    } catch (error) {
      if (!(error instanceof MessagesRefused)) throw error;
      refused = error;
    }
  if (refused) throw refused;
}
