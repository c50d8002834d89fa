import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import {
  auditOf,
  noticeOf,
  unfoldable,
  type BooksDifference,
  type StoredBooks,
} from './audit.pure.ts';
import { booksAnswer } from './books-answer.ts';
import { nowUsOf } from './refold.ts';

/** Users in one round trip, in one step of the daily walk, and how long a call goes on. */
const perRead = 20;
const perStep = 1000;
const longestMs = 20_000;

export type Audited = {
  checked: number;
  differences: BooksDifference[];
  /** The last user looked at; null: all were. */
  nextCursor: string | null;
};

function audit(ctx: Ctx, stored: StoredBooks): BooksDifference | null {
  try {
    return auditOf(stored, nowUsOf(ctx));
  } catch (error) {
    return unfoldable(stored, error);
  }
}

/**
 * Folds the facts of up to `limit` users anew and compares what comes out with what is stored. Reads only.
 * Stops after 20 s with a cursor to go on from.
 */
export async function auditBooks(
  ctx: Ctx,
  input: { limit: number; cursor?: string | undefined },
): Promise<Audited> {
  const until = ctx.now().getTime() + longestMs;
  const differences: BooksDifference[] = [];
  let checked = 0;
  let cursor = input.cursor ?? null;
  while (checked < input.limit && ctx.now().getTime() < until) {
    const size = Math.min(perRead, input.limit - checked);
    const rows = await ctx.db.rows<{ books: unknown }>(
      `select rowloom.books_read(u.id) as books from (
        select id from users where $1::uuid is null or id > $1 order by id limit $2) u order by u.id`,
      [cursor, size],
    );
    for (const row of rows) {
      const books = booksAnswer.parse(row.books);
      const difference = audit(ctx, books);
      if (difference) differences.push(difference);
      cursor = books.timeline.userId;
    }
    checked += rows.length;
    if (rows.length < size) return { checked, differences, nextCursor: null };
  }
  return { checked, differences, nextCursor: cursor };
}

/** A step of the daily walk through all users; the queue carries it on. */
export type AuditMessage = { run: string; cursor: string | null };

async function publish(ctx: Ctx, message: AuditMessage): Promise<void> {
  const published = ctx.qstash.publishJSON({
    url: `${ctx.config.publicUrl}/queue/audit`,
    body: message,
    retries: 3,
    deduplicationId: `audit-${message.run}-${message.cursor ?? 'begin'}`,
    flowControl: { key: 'audit', parallelism: 1 },
  });
  await timeLimit(queueTimeoutMs, published);
}

/** Begins the walk of a day. The same day twice is one walk. */
export const beginAudit = (ctx: Ctx): Promise<void> =>
  publish(ctx, { run: ctx.now().toISOString().slice(0, 10), cursor: null });

/** One round trip, however many differ. */
async function raise(ctx: Ctx, differences: BooksDifference[]): Promise<void> {
  if (differences.length === 0) return;
  const raised = differences.map((each) => ({ userId: each.userId, notices: [noticeOf(each)] }));
  await ctx.db.rows(
    `select rowloom.notices_raise(x."userId", x.notices)
      from jsonb_to_recordset($1::jsonb) as x ("userId" uuid, notices jsonb)`,
    [JSON.stringify(raised)],
  );
}

/** Audits some users, notices and logs what differs, and publishes the next step. */
export async function auditStep(ctx: Ctx, message: AuditMessage): Promise<{ done: boolean }> {
  const { checked, differences, nextCursor } = await auditBooks(ctx, {
    limit: perStep,
    cursor: message.cursor ?? undefined,
  });
  await raise(ctx, differences);
  for (const { userId, kinds } of differences)
    for (const kind of kinds) ctx.log('audit_difference', { userId, kind });
  ctx.log('audit_step', { run: message.run, checked, differences: differences.length });
  if (nextCursor !== null) await publish(ctx, { ...message, cursor: nextCursor });
  return { done: nextCursor === null };
}
