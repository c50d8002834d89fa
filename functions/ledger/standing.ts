import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { entitled } from './entitlement.pure.ts';
import type { PlanTerms } from './facts.pure.ts';
import { standingOfRow, type SubscriptionRow } from './subscription-row.pure.ts';

/** What subscriptions as they are stored entitle to at this moment; null: no plan. */
export const entitledNow = (ctx: Ctx, rows: readonly SubscriptionRow[]): PlanTerms | null =>
  entitled(rows.map(standingOfRow), ctx.now().getTime() * 1000);

type Standings = { version: number; subscriptions: SubscriptionRow[] };

/** What a user is entitled to at this moment, and as of which version of their standing. */
export async function readStanding(
  ctx: Ctx,
  userId: string,
): Promise<{ plan: PlanTerms | null; standingVersion: number }> {
  const [row] = await ctx.db.rows<Standings>(
    `select standing_version::int as version, (select coalesce(jsonb_agg(to_jsonb(s)), '[]')
        from subscriptions s where s.user_id = u.id) as subscriptions
      from users u where u.id = $1`,
    [userId],
  );
  if (!row) throw new DomainError('not_found', 'There is no such user.');
  return { plan: entitledNow(ctx, row.subscriptions), standingVersion: row.version };
}
