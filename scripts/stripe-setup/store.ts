import pg from 'pg';
import { productIdOf, type Priced } from './prices.ts';

const offSale = `update stripe_prices set active = false where active and not price_id = any($1)`;

/** As Stripe has it now: what an event of before says about it is no news. */
const upsert = `insert into stripe_prices (price_id, product_id, kind, key, name, credits, trial_credits,
    interval, grants_monthly, amount_cents, currency, position, stripe_event_at, stripe_created_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp(), to_timestamp($13))
  on conflict (price_id) do update set name = excluded.name, credits = excluded.credits,
    trial_credits = excluded.trial_credits, grants_monthly = excluded.grants_monthly,
    position = excluded.position, active = true, stripe_event_at = excluded.stripe_event_at,
    stripe_created_at = excluded.stripe_created_at`;

/** The catalogue as the Worker reads it; prices that are off sale stay for who still has them. */
export async function storePrices(url: string, prices: Priced[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(offSale, [prices.map(({ price }) => price.id)]);
    for (const [position, { item, price }] of prices.entries())
      await client.query(upsert, [
        price.id,
        productIdOf(item),
        item.kind,
        item.key,
        item.name,
        item.credits,
        item.trialCredits,
        item.interval,
        item.grantsMonthly,
        item.amountCents,
        item.currency,
        position,
        price.created,
      ]);
    await client.query('commit');
  } finally {
    await client.end();
  }
}
