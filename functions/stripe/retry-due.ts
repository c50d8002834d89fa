import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { applyEvent, type Received } from './apply-event.ts';
import { readEvent } from './read-event.pure.ts';

/** How many events one run takes; the next run takes the rest. */
const perRun = 50;

/** An event that succeeds may wake others; so many times one run goes back for them. */
const mostRounds = 4;

/**
 * Applies the failed events whose time has come, then those that they woke. One that fails again is put
 * off further and holds up none behind it; a database that is down stops the run and loses nothing.
 */
export async function retryDueEvents(ctx: Ctx): Promise<{ tried: number; completed: number }> {
  let tried = 0;
  let completed = 0;
  for (let round = 0, isWoken = true; isWoken && round < mostRounds; round += 1) {
    isWoken = false;
    const due = await ctx.db.rows<{ payload: unknown }>(
      'select payload from rowloom.stripe_events_due($1) as payload',
      [perRun],
    );
    for (const { payload } of due) {
      tried += 1;
      const received = await applyStored(ctx, payload);
      if (received?.status === 'completed') completed += 1;
      isWoken ||= received?.eventsDue === true;
    }
  }
  return { tried, completed };
}

async function applyStored(ctx: Ctx, payload: unknown): Promise<Received | undefined> {
  const event = readEvent(payload);
  if (!event) return undefined;
  try {
    return await applyEvent(ctx, event);
  } catch (error) {
    // Put off already when it was handed out: one that breaks us does not hold up those behind it.
    if (error instanceof DomainError && error.code === 'service_unavailable') throw error;
    ctx.log('stripe_event_broken', { eventId: event.id, type: event.type });
    return undefined;
  }
}

/** For work after the answer: what fails here, the cron does. */
export async function retryQuietly(ctx: Ctx): Promise<void> {
  try {
    await retryDueEvents(ctx);
  } catch {
    ctx.log('retry_put_off', {});
  }
}
