import pg from 'pg';
import { productIdOf, type Priced } from './prices.ts';

/** Events that change the catalogue wait here too: whoever locks prices first would wait in a circle. */
const lock = 'select 1 from catalogue_version for no key update';

const unlist = `update stripe_prices set listed = false where listed and not price_id = any($1)`;

/** As it was at `$13`, unix seconds of Stripe's: what an event of before says is no news. */
const upsert = `insert into stripe_prices as p (price_id, product_id, kind, key, name, credits, trial_credits,
    interval, grants_monthly, amount_cents, currency, position, stripe_event_at, stripe_created_at, active, listed)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, to_timestamp($13), to_timestamp($14), true, true)
  on conflict (price_id) do update set product_id = excluded.product_id, kind = excluded.kind, key = excluded.key,
    name = excluded.name, credits = excluded.credits, trial_credits = excluded.trial_credits,
    grants_monthly = excluded.grants_monthly, position = excluded.position, active = true, listed = true,
    stripe_event_at = greatest(p.stripe_event_at, excluded.stripe_event_at),
    stripe_created_at = excluded.stripe_created_at`;

const name = `insert into stripe_products as p (product_id, name, stripe_event_at) values ($1, $2, to_timestamp($3))
  on conflict (product_id) do update set name = excluded.name,
    stripe_event_at = greatest(p.stripe_event_at, excluded.stripe_event_at)`;

const termsOf = ({ item, price }: Priced) => [
  price.id,
  typeof price.product === 'string' ? price.product : price.product.id,
  item.kind,
  item.key,
  item.name,
  item.credits,
  item.trialCredits,
  item.interval,
  item.grantsMonthly,
  item.amountCents,
  item.currency,
];

/**
 * The catalogue as the Worker reads it, as of `at` (unix seconds, Stripe's clock); prices that are not offered
 * any more stay for who still has them.
 */
export async function storePrices(
  url: string,
  prices: Priced[],
  at = Math.floor(Date.now() / 1000),
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(lock);
    await client.query(unlist, [prices.map(({ price }) => price.id)]);
    for (const [position, priced] of prices.entries()) {
      await client.query(upsert, [...termsOf(priced), position, at, priced.price.created]);
      await client.query(name, [productIdOf(priced.item), priced.item.name, at]);
    }
    await client.query('commit');
  } finally {
    await client.end();
  }
}
