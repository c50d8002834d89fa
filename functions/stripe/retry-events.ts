import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { readStoredEvent } from './list-events.ts';
import { applyEvent } from './apply-event.ts';
import { asObject } from './normalise/json.pure.ts';
import type { StripeEvent } from './reading.pure.ts';

/** Payloads are read so many at a time: they may be large. */
const perBatch = 25;

/** A run begins nothing new after this: an operator's client waits for the answer. */
const longestRunMs = 20_000;

/** So many events in a row without an answer of the database: it is not the events. */
const stopAfterUnanswered = 5;

type StoredEvent = {
  event_id: string;
  type: string;
  created: string;
  api_version: string | null;
  payload: unknown;
};

/** By its columns, so that a payload that cannot be read fails as itself and not as another event. */
const asEvent = (row: StoredEvent): StripeEvent => ({
  id: row.event_id,
  type: row.type,
  created: Number(row.created),
  apiVersion: row.api_version,
  payload: asObject(row.payload),
});

const readEvents = (ctx: Ctx, ids: string[]): Promise<StoredEvent[]> =>
  ctx.db.rows<StoredEvent>(
    `select event_id, type, extract(epoch from stripe_created_at)::bigint::text as created,
        api_version, payload
      from stripe_events where event_id = any($1::text[])
      order by stripe_created_at, event_id`,
    [ids],
  );

/**
 * Applies one event now, whatever its next time. One that was applied already is a `duplicate` and
 * stays as it is; one that never came is `not_found`.
 */
export async function retryEvent(ctx: Ctx, input: { eventId: string }) {
  const [row] = await readEvents(ctx, [input.eventId]);
  if (!row) throw new DomainError('not_found', 'There is no such event.');
  const { status } = await applyEvent(ctx, asEvent(row));
  const { payload: _, apiVersion: __, ...stored } = await readStoredEvent(ctx, input);
  return { ...stored, status };
}

type Try = { done: boolean; unanswered?: DomainError };

/** One event on its own: what it throws is its failure and holds up none behind it. */
async function tryEvent(ctx: Ctx, row: StoredEvent): Promise<Try> {
  try {
    const { status } = await applyEvent(ctx, asEvent(row));
    return { done: status === 'completed' || status === 'skipped' || status === 'duplicate' };
  } catch (error) {
    ctx.log('stripe_event_not_tried', { eventId: row.event_id, type: row.type });
    const isUnanswered = error instanceof DomainError && error.code === 'service_unavailable';
    return { done: false, ...(isUnanswered && { unanswered: error }) };
  }
}

/**
 * Tries the events that are not applied, up to `limit`: those with the fewest attempts, so that further
 * calls reach what stands behind many that cannot succeed, and these in the order in which Stripe made
 * them. `tried = completed + failed`; `remaining` is how many are still open. Throws when the database
 * does not answer.
 */
export async function retryEvents(ctx: Ctx, input: { limit: number }) {
  const startMs = ctx.now().getTime();
  const chosen = await ctx.db.rows<{ event_id: string }>(
    `select event_id from (
        select event_id, stripe_created_at from stripe_events where status in ('failed', 'pending')
          order by attempts, stripe_created_at, event_id limit $1) chosen
      order by stripe_created_at, event_id`,
    [input.limit],
  );
  let completed = 0;
  let failed = 0;
  let unansweredInARow = 0;
  const isLate = () => ctx.now().getTime() - startMs >= longestRunMs;
  for (let at = 0; at < chosen.length && !isLate(); at += perBatch) {
    const ids = chosen.slice(at, at + perBatch).map((row) => row.event_id);
    for (const row of await readEvents(ctx, ids)) {
      if (isLate()) break;
      const { done, unanswered } = await tryEvent(ctx, row);
      if (done) completed += 1;
      else failed += 1;
      unansweredInARow = unanswered ? unansweredInARow + 1 : 0;
      if (unanswered && unansweredInARow === stopAfterUnanswered) throw unanswered;
    }
  }
  const [open] = await ctx.db.rows<{ count: number }>(
    "select count(*)::int as count from stripe_events where status in ('failed', 'pending')",
  );
  return { tried: completed + failed, completed, failed, remaining: open?.count ?? 0 };
}
