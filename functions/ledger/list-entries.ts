import type { Ctx } from '../context.ts';
import { pageOf } from '../shared/page.pure.ts';
import { entryView, type EntryRow } from './entry-view.pure.ts';

/** A user's ledger, newest first; the cursor is the id of the last entry of the page before. */
export async function listEntries(
  ctx: Ctx,
  input: { userId: string; limit: number; cursor?: number | undefined },
) {
  const rows = await ctx.db.rows<{ entry: EntryRow }>(
    `select to_jsonb(e) as entry from credit_entries e
      where user_id = $1 and id < coalesce($2, 9223372036854775807) order by id desc limit $3`,
    [input.userId, input.cursor ?? null, input.limit + 1],
  );
  const { page, nextCursor } = pageOf(rows, input.limit, ({ entry }) => String(entry.id));
  return { items: page.map(({ entry }) => entryView(entry)), nextCursor };
}
