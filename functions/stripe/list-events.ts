import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { pageOf } from '../shared/page.pure.ts';
import { isoOrNull, isoTime } from '../shared/time.pure.ts';

export type EventStatus = 'pending' | 'completed' | 'skipped' | 'failed' | 'dismissed';

type EventRow = {
  event_id: string;
  type: string;
  status: EventStatus;
  attempts: number;
  error_code: string | null;
  error: string | null;
  user_id: string | null;
  object_id: string | null;
  stripe_created_at: string;
  received_at: string;
  processed_at: string | null;
  next_attempt_at: string | null;
  waiting_for: string[] | null;
  dismissed_reason: string | null;
};

const columns = `event_id, type, status, attempts, error_code, error, user_id, object_id,
  stripe_created_at, received_at, processed_at, next_attempt_at, waiting_for, dismissed_reason`;

const eventView = (row: EventRow) => ({
  eventId: row.event_id,
  type: row.type,
  status: row.status,
  attempts: row.attempts,
  errorCode: row.error_code,
  error: row.error,
  userId: row.user_id,
  objectId: row.object_id,
  stripeCreatedAt: isoTime(row.stripe_created_at),
  receivedAt: isoTime(row.received_at),
  processedAt: isoOrNull(row.processed_at),
  nextAttemptAt: isoOrNull(row.next_attempt_at),
  waitingFor: row.waiting_for ?? [],
  dismissedReason: row.dismissed_reason,
});

/**
 * The inbox, newest received first. The cursor is receipt (microseconds since 1970, so that no digit is
 * lost) and id of the last event of the page before: `1790000000123456~evt_1`.
 */
export async function listEvents(
  ctx: Ctx,
  input: {
    status?: EventStatus | undefined;
    limit: number;
    cursor?: { receivedUs: string; eventId: string } | undefined;
  },
) {
  const rows = await ctx.db.rows<EventRow & { received_us: string }>(
    `select ${columns}, (extract(epoch from received_at) * 1000000)::bigint::text as received_us
      from stripe_events
      where ($1::text is null or status = $1)
        and ($2::bigint is null or (received_at, event_id)
          < (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::text))
      order by received_at desc, event_id desc limit $4`,
    [
      input.status ?? null,
      input.cursor?.receivedUs ?? null,
      input.cursor?.eventId ?? null,
      input.limit + 1,
    ],
  );
  const { page, nextCursor } = pageOf(
    rows,
    input.limit,
    (last) => `${last.received_us}~${last.event_id}`,
  );
  return { items: page.map(eventView), nextCursor };
}

const found = <Row>(row: Row | undefined): Row => {
  if (!row) throw new DomainError('not_found', 'There is no such event.');
  return row;
};

/** One event as the list shows it; `not_found` for one that never came. */
export async function readListedEvent(ctx: Ctx, input: { eventId: string }) {
  const [row] = await ctx.db.rows<EventRow>(
    `select ${columns} from stripe_events where event_id = $1`,
    [input.eventId],
  );
  return eventView(found(row));
}

/** One event with its payload as Stripe sent it, null once it has been removed; `not_found` for one that never came. */
export async function readStoredEvent(ctx: Ctx, input: { eventId: string }) {
  const [first] = await ctx.db.rows<EventRow & { api_version: string | null; payload: unknown }>(
    `select ${columns}, api_version, payload from stripe_events where event_id = $1`,
    [input.eventId],
  );
  const row = found(first);
  const { api_version: apiVersion, payload } = row;
  return { ...eventView(row), apiVersion, payload, payloadRemoved: payload === null };
}
