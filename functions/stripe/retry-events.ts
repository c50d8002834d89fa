import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { applyEvent, type Received } from './apply-event.ts';
import { readListedEvent } from './list-events.ts';
import type { SweepPage } from '../shared/side-by-side.ts';
import { asObject } from './normalise/json.pure.ts';
import { storedPayload } from './payload.pure.ts';
import { readAnew } from './read-anew.ts';
import { readEvent } from './read-event.pure.ts';
import type { StripeEvent } from './reading.pure.ts';

/** Leased and read so many at a time: payloads may be large. */
const perLease = 10;

/** Due events in one page. */
const mostDue = 50;
/** Its object and what that names, read from Stripe, and posted. */
const callsPerEvent = 10;

/** An event that succeeds may wake others; so many times one run goes back for them. */
const mostRounds = 4;

/** A run begins nothing new after this: somebody waits for the answer, or the next run comes. */
const longestRunMs = 20_000;

/** So many events in a row without an answer of Stripe or of the database: it is not the events. */
const stopAfterUnanswered = 3;

const leasedEvent = z.strictObject({
  eventId: z.string(),
  type: z.string(),
  created: z.int(),
  apiVersion: z.string().nullable(),
  payload: z.string().nullable(),
});
type LeasedEvent = z.infer<typeof leasedEvent>;

/** By its columns, so that a payload that cannot be read fails as itself and not as another event. */
function asEvent({ eventId: id, type, created, apiVersion, payload }: LeasedEvent): StripeEvent {
  const json = storedPayload(payload);
  const flaw = readEvent(json)?.flaw;
  const event = { id, type, created, apiVersion, payload: asObject(json) };
  return flaw === undefined ? event : { ...event, flaw };
}

async function lease(ctx: Ctx, ids: string[], isDue: boolean): Promise<LeasedEvent[]> {
  const rows = await ctx.db.rows<{ leased: unknown }>(
    'select leased from rowloom.stripe_events_lease($1, $2) as leased',
    [ids, isDue],
  );
  return rows.map(({ leased }) => leasedEvent.parse(leased));
}

type Tried = Pick<Received, 'status' | 'eventsDue'> & { unanswered?: unknown };

/** One event on its own: what it throws is its failure and holds up none behind it. */
async function tryEvent(ctx: Ctx, leased: LeasedEvent): Promise<Tried> {
  const { eventId, type } = leased;
  const nothing = { status: 'failed', eventsDue: false } as const;
  try {
    return await applyEvent(ctx, await readAnew(ctx, asEvent(leased)), null);
  } catch (error) {
    const code = error instanceof DomainError ? error.code : null;
    ctx.log('stripe_event_not_tried', { eventId, type, code });
    // While the database is away, the lease gives it back.
    if (code === 'service_unavailable') return { ...nothing, unanswered: error };
    await ctx.db.call('stripe_events_return', { p_ids: [eventId], p_tried: true });
    return code === 'payment_provider_unavailable' ? { ...nothing, unanswered: error } : nothing;
  }
}

/** `stopped`: nobody answered any more, and with what. */
type Run = { completed: number; failed: number; isWoken: boolean; stopped?: unknown };

const isDone = ({ status }: Tried): boolean => status !== 'failed';

/** Tries those of these events that nobody else is trying, until time is up or nobody answers any more. */
async function run(
  ctx: Ctx,
  ids: string[],
  input: { isDue: boolean; untilMs: number },
): Promise<Run> {
  const outcome: Run = { completed: 0, failed: 0, isWoken: false };
  const isLate = () => ctx.now().getTime() >= input.untilMs;
  let unansweredInARow = 0;
  const isOver = () => isLate() || outcome.stopped !== undefined;
  for (let at = 0; at < ids.length && !isOver(); at += perLease) {
    const batch = await lease(ctx, ids.slice(at, at + perLease), input.isDue);
    for (const [index, leased] of batch.entries()) {
      if (isOver()) {
        const left = batch.slice(index).map(({ eventId }) => eventId);
        await ctx.db.call('stripe_events_return', { p_ids: left, p_tried: false });
        break;
      }
      const tried = await tryEvent(ctx, leased);
      outcome[isDone(tried) ? 'completed' : 'failed'] += 1;
      outcome.isWoken ||= tried.eventsDue;
      unansweredInARow = tried.unanswered === undefined ? 0 : unansweredInARow + 1;
      if (unansweredInARow === stopAfterUnanswered) outcome.stopped = tried.unanswered;
    }
  }
  return outcome;
}

type Page = SweepPage & { completed: number; isWoken: boolean };

/**
 * Applies failed events whose time has come, each as Stripe has its object by now. One that fails again is put
 * off further and holds up none behind it; a database or a Stripe that is away stops the run and loses nothing.
 * More is due, if only what was woken.
 */
export async function retryDuePage(ctx: Ctx, untilMs: number): Promise<Page> {
  const due = await ctx.db.rows<{ event_id: string }>(
    `select event_id from stripe_events
      where next_attempt_at <= clock_timestamp()
      order by next_attempt_at, stripe_created_at, event_id limit $1`,
    [mostDue],
  );
  const ids = due.map((row) => row.event_id);
  const { completed, failed, isWoken, stopped } = await run(ctx, ids, { isDue: true, untilMs });
  const worked = completed + failed;
  return {
    worked,
    completed,
    isWoken,
    isMore: stopped === undefined && (isWoken || ids.length === mostDue),
    calls: 2 + Math.ceil(ids.length / perLease) + worked * callsPerEvent,
  };
}

/** The same for what is due now, and what that wakes. */
export async function retryDueEvents(ctx: Ctx): Promise<{ tried: number; completed: number }> {
  const untilMs = ctx.now().getTime() + longestRunMs;
  let tried = 0;
  let completed = 0;
  for (let round = 0, isMore = true; isMore && round < mostRounds; round += 1) {
    const page = await retryDuePage(ctx, untilMs);
    tried += page.worked;
    completed += page.completed;
    isMore = page.isMore && page.isWoken;
  }
  return { tried, completed };
}

/** For work after the answer: what fails here, the cron does. */
export async function retryQuietly(ctx: Ctx): Promise<void> {
  try {
    await retryDueEvents(ctx);
  } catch {
    ctx.log('retry_put_off', {});
  }
}

/**
 * Applies one event now, whatever its next time. One that has come to its end is a `duplicate` and stays as
 * it is, one that another run is trying is `pending`; one that never came is `not_found`.
 */
export async function retryEvent(ctx: Ctx, input: { eventId: string }) {
  const [leased] = await lease(ctx, [input.eventId], false);
  const tried = leased && (await tryEvent(ctx, leased));
  const stored = await readListedEvent(ctx, input);
  if (tried) return { ...stored, status: tried.status };
  return stored.status === 'pending' ? stored : { ...stored, status: 'duplicate' as const };
}

/**
 * Tries the open events, due or not, up to `limit`: those with the fewest attempts, so that further calls
 * reach what stands behind many that cannot succeed, and these in the order in which Stripe made them.
 * `tried = completed + failed`; `remaining` is how many are still open. Throws when the database or Stripe
 * does not answer.
 */
export async function retryEvents(ctx: Ctx, input: { limit: number }) {
  const untilMs = ctx.now().getTime() + longestRunMs;
  const chosen = await ctx.db.rows<{ event_id: string }>(
    `select event_id from (
        select event_id, stripe_created_at from stripe_events where status in ('failed', 'pending')
          order by attempts, stripe_created_at, event_id limit $1) chosen
      order by stripe_created_at, event_id`,
    [input.limit],
  );
  const ids = chosen.map((row) => row.event_id);
  const { completed, failed, stopped } = await run(ctx, ids, { isDue: false, untilMs });
  if (stopped !== undefined) throw stopped;
  const [open] = await ctx.db.rows<{ count: number }>(
    "select count(*)::int as count from stripe_events where status in ('failed', 'pending')",
  );
  return { tried: completed + failed, completed, failed, remaining: open?.count ?? 0 };
}
