import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { readEvent } from './decide.pure.ts';
import { applyEvent } from './receive.ts';

/** How many events one run takes; the next run takes the rest. */
const perRun = 50;

/**
 * Applies the failed events whose time has come. One that fails again is put off further and holds up
 * none behind it; a database that is down stops the run and loses nothing.
 */
export async function retryDueEvents(ctx: Ctx): Promise<{ tried: number; completed: number }> {
  const due = await ctx.db.rows<{ payload: unknown }>(
    'select payload from rowloom.stripe_events_due($1) as payload',
    [perRun],
  );
  let completed = 0;
  for (const { payload } of due) {
    const event = readEvent(payload);
    if (!event) continue;
    try {
      const { status } = await applyEvent(ctx, event);
      if (status === 'completed') completed += 1;
    } catch (error) {
      // Put off already when it was handed out: one that breaks us does not hold up those behind it.
      if (error instanceof DomainError && error.code === 'service_unavailable') throw error;
      ctx.log('stripe_event_broken', { eventId: event.id, type: event.type });
    }
  }
  return { tried: due.length, completed };
}

/** For work after the answer: what fails here, the cron does. */
export async function retryQuietly(ctx: Ctx): Promise<void> {
  try {
    await retryDueEvents(ctx);
  } catch {
    ctx.log('retry_put_off', {});
  }
}
