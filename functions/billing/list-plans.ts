import { asc, eq } from 'drizzle-orm';
import { stripePrices } from '../../schema.ts';
import type { Ctx } from '../deps.ts';

/** What is on sale, from the database: no Stripe call. Amounts are in the currency's minor unit. */
export async function listPlans(ctx: Ctx) {
  const rows = await ctx.db.read((orm) =>
    orm
      .select()
      .from(stripePrices)
      .where(eq(stripePrices.active, true))
      .orderBy(
        asc(stripePrices.position),
        asc(stripePrices.amountCents),
        asc(stripePrices.priceId),
      ),
  );
  const common = (row: (typeof rows)[number]) => ({
    key: row.key,
    name: row.name,
    amount: row.amountCents,
    currency: row.currency,
    priceId: row.priceId,
  });
  return {
    plans: rows
      .filter((row) => row.kind === 'plan')
      .map((row) => ({
        ...common(row),
        credits: row.credits ?? ('unlimited' as const),
        interval: row.interval,
        creditsInterval: row.grantsMonthly ? 'month' : row.interval,
      })),
    packs: rows
      .filter((row) => row.kind === 'pack')
      .map((row) => ({ ...common(row), credits: row.credits ?? 0 })),
  };
}
