/**
 * `npm run stripe:setup [-- --json]`: makes the catalogue true in Stripe (products, prices by lookup
 * key, the webhook endpoint for PUBLIC_URL) and in the database. Safe to run twice; never changes a
 * price, adds a new one. Needs STRIPE_SECRET_KEY, DATABASE_URL, PUBLIC_URL; STRIPE_API_BASE names a
 * stand-in. With --json the last line of stdout is `{webhookSecret, done}`.
 */
import pg from 'pg';
import type Stripe from 'stripe';
import {
  catalogue,
  lookupKeyOf,
  metadataOf,
  type CatalogueItem,
} from '../functions/billing/catalogue.pure.ts';
import { createStripe, stripeApiVersion } from '../functions/clients/stripe.ts';
import { deciders } from '../functions/webhooks/decide.pure.ts';

type Priced = { item: CatalogueItem; price: Stripe.Price };
type Report = (line: string) => void;

function need(name: string): string {
  const value = process.env[name];
  if (value) return value;
  console.error(
    `${name} is not set; stripe:setup needs STRIPE_SECRET_KEY, DATABASE_URL and PUBLIC_URL.`,
  );
  process.exit(2);
}

const productIdOf = (item: CatalogueItem): string => `rowloom_${item.kind}_${item.key}`;

const isMissing = (error: unknown): boolean =>
  (error as { code?: string }).code === 'resource_missing';

async function ensureProduct(stripe: Stripe, item: CatalogueItem, report: Report): Promise<string> {
  const id = productIdOf(item);
  try {
    const product = await stripe.products.retrieve(id);
    if (product.name !== item.name) {
      await stripe.products.update(id, { name: item.name });
      report(`product ${id}: renamed to ${item.name}`);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
    await stripe.products.create({ id, name: item.name, metadata: metadataOf(item) });
    report(`product ${id}: created`);
  }
  return id;
}

/** A price in Stripe is never changed: it fits, or a new one takes its lookup key over. */
function fits(price: Stripe.Price, item: CatalogueItem): boolean {
  const wanted = metadataOf(item);
  return (
    price.active &&
    price.unit_amount === item.amountCents &&
    price.currency === item.currency &&
    (price.recurring?.interval ?? null) === item.interval &&
    Object.keys(wanted).every((key) => price.metadata[key] === wanted[key])
  );
}

async function ensurePrice(stripe: Stripe, item: CatalogueItem, report: Report): Promise<Priced> {
  const product = await ensureProduct(stripe, item, report);
  const lookupKey = lookupKeyOf(item);
  const found = (await stripe.prices.list({ lookup_keys: [lookupKey], limit: 1 })).data[0];
  if (found && fits(found, item)) return { item, price: found };
  const price = await stripe.prices.create({
    product,
    currency: item.currency,
    unit_amount: item.amountCents,
    lookup_key: lookupKey,
    transfer_lookup_key: true,
    nickname: item.name,
    metadata: metadataOf(item),
    ...(item.interval && { recurring: { interval: item.interval } }),
  });
  report(`price ${lookupKey}: ${found ? `replaces ${found.id} with` : 'created'} ${price.id}`);
  return { item, price };
}

/** Gives the signing secret when the endpoint is new: Stripe shows it only then. */
async function ensureEndpoint(stripe: Stripe, url: string, report: Report): Promise<string | null> {
  const events = Object.keys(
    deciders,
  ).toSorted() as Stripe.WebhookEndpointCreateParams.EnabledEvent[];
  for await (const endpoint of stripe.webhookEndpoints.list({ limit: 100 })) {
    if (endpoint.url !== url) continue;
    if (endpoint.enabled_events.toSorted().join() !== events.join()) {
      await stripe.webhookEndpoints.update(endpoint.id, { enabled_events: events });
      report(`webhook endpoint ${url}: events updated`);
    }
    return null;
  }
  const created = await stripe.webhookEndpoints.create({
    url,
    enabled_events: events,
    api_version: stripeApiVersion,
  });
  report(`webhook endpoint ${url}: created; put its secret into STRIPE_WEBHOOK_SECRET`);
  return created.secret ?? null;
}

/** The catalogue as the Worker reads it; prices that are off sale stay for who still has them. */
async function storePrices(url: string, prices: Priced[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(
      'update stripe_prices set active = false where active and not price_id = any($1)',
      [prices.map(({ price }) => price.id)],
    );
    for (const [position, { item, price }] of prices.entries())
      await client.query(
        `insert into stripe_prices (price_id, product_id, kind, key, name, credits, trial_credits, interval,
             amount_cents, currency, position)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           on conflict (price_id) do update set name = excluded.name, credits = excluded.credits,
             trial_credits = excluded.trial_credits, position = excluded.position, active = true`,
        [
          price.id,
          productIdOf(item),
          item.kind,
          item.key,
          item.name,
          item.credits,
          item.trialCredits,
          item.interval,
          item.amountCents,
          item.currency,
          position,
        ],
      );
    await client.query('commit');
  } finally {
    await client.end();
  }
}

const json = process.argv.includes('--json');
const done: string[] = [];
const report: Report = (line) => {
  done.push(line);
  if (!json) console.log(line);
};

const stripe = createStripe({
  secretKey: need('STRIPE_SECRET_KEY'),
  apiBase: process.env['STRIPE_API_BASE'],
});
const databaseUrl = need('DATABASE_URL');
const webhookUrl = `${need('PUBLIC_URL').replace(/\/+$/, '')}/webhooks/stripe`;

const prices: Priced[] = [];
for (const item of catalogue) prices.push(await ensurePrice(stripe, item, report));
await storePrices(databaseUrl, prices);
const webhookSecret = await ensureEndpoint(stripe, webhookUrl, report);
if (done.length === 0) report('Everything is as it should be.');
if (json) console.log(JSON.stringify({ webhookSecret, done }));
else if (webhookSecret) console.log(`STRIPE_WEBHOOK_SECRET=${webhookSecret}`);
