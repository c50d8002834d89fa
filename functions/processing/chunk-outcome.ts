import * as z from 'zod';

/** What came of a chunk; `status` is the job's after a commit. */
export const chunkOutcome = z.strictObject({
  outcome: z.enum(['committed', 'stale', 'done', 'gone']),
  status: z.string().optional(),
});
export type ChunkOutcome = z.infer<typeof chunkOutcome>;
