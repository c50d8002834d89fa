const smallestChunk = 6;
const largestChunk = 60;

/** Rows per parallel invocation up to which a job is short: it ends within a few seconds. */
const shortRows = 10;

/** Of the parallel invocations, those that long jobs leave free, so that a short one begins at once. */
const reserve = (parallelInvocations: number): number => Math.floor(parallelInvocations / 25);

const isShort = (rows: number, parallelInvocations: number): boolean =>
  rows <= shortRows * parallelInvocations;

/**
 * Flow control of a job's messages: one lane for a user's short jobs, one for the long ones, which
 * together never take the last invocations. QStash serves the lanes in turn.
 */
export function laneOf(userId: string, rows: number, parallelInvocations: number) {
  return isShort(rows, parallelInvocations)
    ? { key: `user-${userId}-short`, parallelism: parallelInvocations }
    : { key: `user-${userId}`, parallelism: parallelInvocations - reserve(parallelInvocations) };
}

/** How long a chunk should take whose rows wait for their turns at a provider. */
const pacedChunkSeconds = 20;

/**
 * Deliveries at once of chunks of `size` rows, where providers have turns for so many rows a minute: enough that
 * no turn is lost, and no more, since all of them would only wait for each other.
 */
export const pacedParallelism = (most: number, rowsPerMinute: number, size: number): number =>
  Math.min(
    most,
    // A pace that was learned may grow.
    Math.max(
      Math.ceil(most / 10),
      1 + Math.ceil(((rowsPerMinute / 60) * pacedChunkSeconds) / size),
    ),
  );

/** Chunks that a job of so many rows is cut into: whole waves of its lane, as few as will do. */
export function chunkBudget(rows: number, parallelInvocations: number): number {
  const { parallelism } = laneOf('', rows, parallelInvocations);
  // A last wave that is half empty would cost as much time as a full one.
  return parallelism * Math.max(1, Math.ceil(rows / (parallelism * largestChunk)));
}

/**
 * Rows in a chunk, if so many are to fill so many chunks: enough that a small chunk is worth its message,
 * and never so many that a restart loses much or an invocation gets near its time limit.
 */
export const chunkSize = (rows: number, chunks: number): number =>
  Math.min(largestChunk, Math.max(smallestChunk, Math.ceil(rows / Math.max(1, chunks))));
