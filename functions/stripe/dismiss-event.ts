import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { readListedEvent } from './list-events.ts';

/**
 * Closes an event that failed: it is not tried again, a redelivery is a duplicate, its error stays. One that
 * was dismissed before keeps its first reason; `event_settled` for one that was applied or skipped,
 * `not_found` for one that never came.
 */
export async function dismissEvent(ctx: Ctx, input: { eventId: string; reason: string }) {
  await ctx.db.rows(
    `update stripe_events set status = 'dismissed', dismissed_reason = $2, next_attempt_at = null,
        waiting_for = null, payload = case when not rowloom.payload_is_due(received_at) then payload end
      where event_id = $1 and status in ('failed', 'pending')`,
    [input.eventId, input.reason],
  );
  const event = await readListedEvent(ctx, input);
  if (event.status !== 'dismissed')
    throw new DomainError(
      'event_settled',
      `The event is ${event.status}: there is nothing to dismiss.`,
    );
  return event;
}
