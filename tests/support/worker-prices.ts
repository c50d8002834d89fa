import type { Pool } from 'pg';
import { catalogue } from '../../functions/billing/catalogue.pure.ts';

/** The price id that `listPrices` gives a plan or a pack. */
export const priceIdOf = (kind: 'plan' | 'pack', key: string): string => `price_${kind}_${key}`;

/** Puts the catalogue on sale without Stripe. */
export async function listPrices(pool: Pool): Promise<void> {
  const rows = catalogue.map((item, position) => ({
    price_id: priceIdOf(item.kind, item.key),
    product_id: `product_${item.key}`,
    kind: item.kind,
    key: item.key,
    name: item.name,
    credits: item.credits,
    trial_credits: item.trialCredits,
    interval: item.interval,
    amount_cents: item.amountCents,
    currency: item.currency,
    position,
  }));
  await pool.query(
    `insert into stripe_prices (price_id, product_id, kind, key, name, credits, trial_credits, interval,
       amount_cents, currency, position, listed)
     select price_id, product_id, kind, key, name, credits, trial_credits, interval, amount_cents, currency,
       position, true from jsonb_populate_recordset(null::stripe_prices, $1)`,
    [JSON.stringify(rows)],
  );
}
