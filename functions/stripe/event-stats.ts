import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { isoTime } from '../shared/time.pure.ts';

const counts = {
  pending: z.int(),
  completed: z.int(),
  skipped: z.int(),
  failed: z.int(),
  dismissed: z.int(),
};

const statsAnswer = z.strictObject({
  hours: z.int(),
  total: z.int(),
  byStatus: z.strictObject(counts),
  /** The most frequent first. */
  types: z.array(
    z.strictObject({
      ...counts,
      type: z.string(),
      count: z.int(),
      /** Of the events that came to an end, how many are completed or skipped (0–1). */
      successRate: z.number().nullable(),
      /** From receipt to the end of processing; null while none has ended. */
      p50Ms: z.number().nullable(),
      p95Ms: z.number().nullable(),
    }),
  ),
  /** Of all events, however old. */
  oldestUnprocessed: z
    .strictObject({
      eventId: z.string(),
      type: z.string(),
      receivedAt: z.string(),
      ageSeconds: z.number(),
    })
    .nullable(),
});
export type EventStats = z.infer<typeof statsAnswer>;

/** Numbers about the events received in the last `hours`, in one round trip. */
export async function eventStats(ctx: Ctx, input: { hours: number }): Promise<EventStats> {
  const stats = await ctx.db.call('webhook_stats', { p_hours: input.hours }, statsAnswer);
  const { oldestUnprocessed: oldest } = stats;
  return {
    ...stats,
    oldestUnprocessed: oldest && { ...oldest, receivedAt: isoTime(oldest.receivedAt) },
  };
}
