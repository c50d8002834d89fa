import type { Ctx } from '../deps.ts';
import { isoTime } from '../users/view.pure.ts';
import type { EventStatus } from './list-events.ts';

/** `successRate`: of the events that came to an end, how many are completed or skipped (0–1). */
export type TypeStats = Record<EventStatus, number> & {
  type: string;
  count: number;
  successRate: number | null;
  /** From receipt to the end of processing; null while none has ended. */
  p50Ms: number | null;
  p95Ms: number | null;
};

export type EventStats = {
  hours: number;
  total: number;
  byStatus: Record<EventStatus, number>;
  /** The most frequent first. */
  types: TypeStats[];
  /** Of all events, however old. */
  oldestUnprocessed: {
    eventId: string;
    type: string;
    receivedAt: string;
    ageSeconds: number;
  } | null;
};

/** Numbers about the events received in the last `hours`, in one round trip. */
export async function eventStats(ctx: Ctx, input: { hours: number }): Promise<EventStats> {
  const stats = await ctx.db.call<EventStats>('webhook_stats', { p_hours: input.hours });
  const { oldestUnprocessed: oldest } = stats;
  return {
    ...stats,
    oldestUnprocessed: oldest && { ...oldest, receivedAt: isoTime(oldest.receivedAt) },
  };
}
