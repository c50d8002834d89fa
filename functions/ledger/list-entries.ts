import { and, desc, eq, lt } from 'drizzle-orm';
import { creditEntries } from '../../schema.ts';
import type { Ctx } from '../deps.ts';
import { isoTime } from '../users/view.pure.ts';

/** A user's ledger, newest first; the cursor is the id of the last entry of the page before. */
export async function listEntries(
  ctx: Ctx,
  input: { userId: string; limit: number; cursor?: number | undefined },
) {
  const rows = await ctx.db.read((orm) =>
    orm
      .select()
      .from(creditEntries)
      .where(
        and(
          eq(creditEntries.userId, input.userId),
          input.cursor === undefined ? undefined : lt(creditEntries.id, input.cursor),
        ),
      )
      .orderBy(desc(creditEntries.id))
      .limit(input.limit + 1),
  );
  const page = rows.slice(0, input.limit);
  return {
    items: page.map((row) => ({
      id: String(row.id),
      at: isoTime(row.at),
      kind: row.kind,
      amount: row.amount,
      lots: { plan: row.plan, bonus: row.bonus, purchased: row.purchased },
      balanceAfter: row.balanceAfter,
      source: { type: row.sourceType, id: row.sourceId },
      jobId: row.jobId,
    })),
    nextCursor: rows.length > input.limit ? String(page.at(-1)?.id) : null,
  };
}
