/**
 * `npm run stripe:setup [-- --json]`: makes the catalogue true in Stripe (products, prices by lookup
 * key, the customer portal, the webhook endpoint for PUBLIC_URL) and in the database. Safe to run
 * twice; never changes what a price is worth, adds a new one. Needs STRIPE_SECRET_KEY, DATABASE_URL,
 * PUBLIC_URL; reads STRIPE_AUTOMATIC_TAX, STRIPE_TAX_BEHAVIOR, STRIPE_PROMOTION_CODES as the Worker does;
 * STRIPE_API_BASE names a stand-in. With --json the last line of stdout is `{webhookSecret, done}`.
 */
import { catalogue } from '../functions/billing/catalogue.pure.ts';
import { createStripe } from '../functions/clients/stripe.ts';
import { ConfigError, parseCheckoutSettings } from '../functions/env.ts';
import { ensureEndpoint } from './stripe-setup/endpoint.ts';
import { ensurePortal } from './stripe-setup/portal.ts';
import { ensurePrices } from './stripe-setup/prices.ts';
import { storePrices } from './stripe-setup/store.ts';
import { checkTax } from './stripe-setup/tax.ts';

function need(name: string): string {
  const value = process.env[name];
  if (value) return value;
  console.error(
    `${name} is not set; stripe:setup needs STRIPE_SECRET_KEY, DATABASE_URL and PUBLIC_URL.`,
  );
  process.exit(2);
}

/** A name without a value, as .dev.vars.example has them, is not set. */
function readSettings() {
  const given = Object.entries(process.env).filter(([, value]) => value !== '');
  try {
    return parseCheckoutSettings(Object.fromEntries(given));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

const json = process.argv.includes('--json');
const done: string[] = [];
const report = (line: string): void => {
  done.push(line);
  if (!json) console.log(line);
};

const stripe = createStripe({
  secretKey: need('STRIPE_SECRET_KEY'),
  apiBase: process.env['STRIPE_API_BASE'],
});
const databaseUrl = need('DATABASE_URL');
const webhookUrl = `${need('PUBLIC_URL').replace(/\/+$/, '')}/webhooks/stripe`;

const settings = readSettings();

// As of before anything is read: whatever happens meanwhile is newer.
const { lastResponse } = await stripe.prices.list({ limit: 1 });
const at = Math.floor((Date.parse(lastResponse.headers['date'] ?? '') || Date.now()) / 1000);
if (settings.automaticTax) await checkTax(stripe, report);
const prices = await ensurePrices(stripe, catalogue, report, settings);
await ensurePortal(stripe, prices, report, settings);
await storePrices(databaseUrl, prices, at);
const webhookSecret = await ensureEndpoint(stripe, webhookUrl, report);
if (done.length === 0) report('Everything is as it should be.');
if (json) console.log(JSON.stringify({ webhookSecret, done }));
else if (webhookSecret) console.log(`STRIPE_WEBHOOK_SECRET=${webhookSecret}`);
