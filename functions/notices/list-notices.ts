import type { Ctx } from '../context.ts';
import { pageOf } from '../shared/page.pure.ts';
import { isoTime } from '../shared/time.pure.ts';
import type { NoticeKind } from './notice.pure.ts';

export type NoticeRow = {
  id: string;
  at: string;
  kind: NoticeKind;
  user_id: string | null;
  subject_type: string;
  subject_id: string;
  detail: string;
  closed_at: string | null;
  closed_reason: string | null;
};

export const noticeColumns = `id::text as id, at, kind, user_id, subject_type, subject_id, detail, closed_at,
  closed_reason`;

/** A notice as operators see it; `closed` once somebody has closed it. */
export const noticeView = (row: NoticeRow) => ({
  id: row.id,
  at: isoTime(row.at),
  kind: row.kind,
  userId: row.user_id,
  subject: { type: row.subject_type, id: row.subject_id },
  detail: row.detail,
  ...(row.closed_at !== null && {
    closed: { at: isoTime(row.closed_at), reason: row.closed_reason ?? '' },
  }),
});

/** What operators have to see, or have closed, newest first. The cursor is the last one's id. */
export async function listNotices(
  ctx: Ctx,
  input: { state: 'open' | 'closed'; limit: number; cursor?: string | undefined },
) {
  const rows = await ctx.db.rows<NoticeRow>(
    `select ${noticeColumns} from notices
      where (closed_at is null) = $1 and ($2::bigint is null or id < $2) order by notices.id desc limit $3`,
    [input.state === 'open', input.cursor ?? null, input.limit + 1],
  );
  const { page, nextCursor } = pageOf(rows, input.limit, ({ id }) => id);
  return { items: page.map(noticeView), nextCursor };
}
