import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { noticeColumns, noticeView, type NoticeRow } from './list-notices.ts';

/** Closes a notice and gives it as it is now: the first reason stays. Throws `not_found`. */
export async function closeNotice(ctx: Ctx, input: { id: string; reason: string }) {
  const closed = await ctx.db.rows<{ id: string }>(
    `update notices set closed_at = clock_timestamp(), closed_reason = $2
      where id = $1 and closed_at is null returning id`,
    [input.id, input.reason],
  );
  const [row] = await ctx.db.rows<NoticeRow>(`select ${noticeColumns} from notices where id = $1`, [
    input.id,
  ]);
  if (!row) throw new DomainError('not_found', 'There is no such notice.');
  if (closed.length > 0) ctx.log('notice_closed', { id: row.id, kind: row.kind });
  return noticeView(row);
}
