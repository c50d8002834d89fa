import type { Ctx } from '../context.ts';

type PriceRow = {
  kind: 'plan' | 'pack';
  key: string;
  name: string;
  amount: string;
  currency: string;
  priceId: string;
  credits: string | null;
  interval: 'month' | 'year' | null;
  grantsMonthly: boolean;
};

/** What is on sale, from the database: no Stripe call. Amounts are in the currency's minor unit. */
export async function listPlans(ctx: Ctx) {
  const rows = await ctx.db.rows<PriceRow>(
    `select p.kind, p.key, coalesce(o.name, p.name) as name, p.amount_cents::text as amount, p.currency,
       p.price_id as "priceId", p.credits::text as credits, p.interval, p.grants_monthly as "grantsMonthly"
     from prices_on_sale s join stripe_prices p using (price_id) left join stripe_products o using (product_id)
     order by p.position, p.amount_cents, p.price_id`,
  );
  const common = ({ key, name, amount, currency, priceId }: PriceRow) => ({
    key,
    name,
    amount: Number(amount),
    currency,
    priceId,
  });
  return {
    plans: rows
      .filter(({ kind }) => kind === 'plan')
      .map((row) => ({
        ...common(row),
        credits: row.credits === null ? ('unlimited' as const) : Number(row.credits),
        interval: row.interval,
        creditsInterval: row.grantsMonthly ? 'month' : row.interval,
      })),
    packs: rows
      .filter(({ kind }) => kind === 'pack')
      .map((row) => ({ ...common(row), credits: Number(row.credits) })),
  };
}
