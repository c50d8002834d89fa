import * as z from 'zod';

/** What came of a chunk; `status` is the job's after a commit. */
export const chunkOutcome = z.strictObject({
  outcome: z.enum(['committed', 'stale', 'done', 'gone', 'waiting']),
  status: z.string().optional(),
  /** The job's present run: a resume has begun another. */
  run: z.int().optional(),
});
export type ChunkOutcome = z.infer<typeof chunkOutcome>;

/** Whether a commit was its job's last. */
export const hasJobEnded = ({ status }: ChunkOutcome): boolean =>
  status === 'completed' || status === 'failed';
