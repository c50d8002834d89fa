// oxlint-disable no-restricted-imports -- until facts explain a balance, Stripe's events do
import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { isoOrNull, isoTime } from '../users/view.pure.ts';
import { decide } from '../webhooks/decide.pure.ts';
import { asObject } from '../webhooks/shapes.pure.ts';
import { entryView } from './entry-view.pure.ts';
import { sayEntry, stripeIdsOf, type ExplainedRow } from './explain-balance.pure.ts';

type LotRow = {
  id: number;
  kind: string;
  granted: number;
  remaining: number;
  source_type: string;
  source_id: string;
  created_at: string;
  lapsed_at: string | null;
};

/** An event that is not applied; `payload` is Stripe's whole event. */
type OpenEvent = {
  event_id: string;
  type: string;
  status: string;
  attempts: number;
  error_code: string | null;
  error: string | null;
  payload: unknown;
  api_version: string | null;
  stripe_created_at: string;
  next_attempt_at: string | null;
};

type Explained = {
  user: {
    id: string;
    externalId: string | null;
    balance: number;
    plan: number;
    bonus: number;
    purchased: number;
    held: number;
    unlimited: boolean;
  };
  sum: number;
  lots: LotRow[];
  entries: ExplainedRow[];
  reversals: {
    id: string;
    kind: string;
    amountCents: number;
    active: boolean;
    entries: string[];
    grant: {
      businessKey: string;
      credits: number;
      amountCents: number;
      claimed: number;
      shortfall: number;
    };
  }[];
  open: { events: OpenEvent[]; complete: boolean };
};

const lotView = (lot: LotRow) => ({
  id: String(lot.id),
  kind: lot.kind,
  source: { type: lot.source_type, id: lot.source_id },
  granted: lot.granted,
  remaining: lot.remaining,
  lapsedAt: isoOrNull(lot.lapsed_at),
  createdAt: isoTime(lot.created_at),
});

const explainedView = (row: ExplainedRow) => ({
  ...entryView(row),
  businessKey: row.business_key,
  stripe: stripeIdsOf(row),
  details: row.details,
  says: sayEntry(row),
});

const openView = (event: OpenEvent) => ({
  eventId: event.event_id,
  type: event.type,
  status: event.status,
  attempts: event.attempts,
  errorCode: event.error_code,
  error: event.error,
  stripeCreatedAt: isoTime(event.stripe_created_at),
  nextAttemptAt: isoOrNull(event.next_attempt_at),
});

/**
 * Of events that name the user somewhere, those that are about this user: not the ones whose own
 * identity is somebody else, nor the ones that change nothing for anybody.
 */
async function eventsOf(ctx: Ctx, userId: string, candidates: OpenEvent[]): Promise<OpenEvent[]> {
  const about = candidates.flatMap((event) => {
    const decision = decide({
      id: event.event_id,
      type: event.type,
      created: Math.floor(new Date(event.stripe_created_at).getTime() / 1000),
      apiVersion: event.api_version,
      payload: asObject(event.payload),
    });
    if ('skip' in decision) return [];
    if ('fail' in decision) return [{ event, identity: {} }];
    return decision.identity ? [{ event, identity: decision.identity }] : [];
  });
  if (about.length === 0) return [];
  const users = await ctx.db.call<(string | null)[]>('users_of', {
    p_identities: about.map(({ identity }) => identity),
  });
  return about.filter((_, i) => users[i] === null || users[i] === userId).map(({ event }) => event);
}

/**
 * Why a user's balance is what it is, as of one moment: `sum` is over all entries and equals `balance`
 * (`agrees`). Entries come newest first, page by page; the cursor is the id of the last entry of the page
 * before. `lots` are all that hold credits and the newest spent ones, 1,000 together. `pendingEvents` are
 * not in the balance yet; `pendingEventsComplete` is false when there were too many to look through.
 * `user` is our id or the external one; throws `not_found`.
 */
export async function explainBalance(
  ctx: Ctx,
  input: { user: string; limit: number; cursor?: number | undefined },
) {
  const found = await ctx.db.call<Explained | null>('credits_explain', {
    p_user: input.user,
    p_cursor: input.cursor ?? null,
    p_limit: input.limit,
  });
  if (!found) throw new DomainError('not_found', 'There is no such user.');
  const { user, sum } = found;
  const page = found.entries.slice(0, input.limit);
  const pending = await eventsOf(ctx, user.id, found.open.events);
  return {
    userId: user.id,
    externalId: user.externalId,
    balance: user.balance,
    sum,
    agrees: sum === user.balance,
    held: user.held,
    credits: { plan: user.plan, bonus: user.bonus, purchased: user.purchased },
    unlimited: user.unlimited,
    lots: found.lots.map(lotView),
    entries: page.map(explainedView),
    reversals: found.reversals,
    pendingEvents: pending.map(openView),
    pendingEventsComplete: found.open.complete,
    nextCursor: found.entries.length > input.limit ? String(page.at(-1)?.id) : null,
  };
}
