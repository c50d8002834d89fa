import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StripeStandIn } from '../../local/stripe/index.ts';
import { catalogue } from '../../functions/billing/catalogue.pure.ts';
import { createStripe } from '../../functions/clients/stripe.ts';
import { eventTypes } from '../../functions/stripe/read-event.pure.ts';
import { ensurePortal } from '../../scripts/stripe-setup/portal.ts';
import { ensurePrices } from '../../scripts/stripe-setup/prices.ts';
import { startCheckedStripe } from '../support/checked-stripe.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let standIn: StripeStandIn;
let stripe: Stripe;
beforeAll(async () => {
  [database, standIn] = await Promise.all([createDatabase(), startCheckedStripe()]);
  stripe = createStripe({ secretKey: standIn.secretKey, apiBase: standIn.url });
});
afterAll(async () => {
  await database.drop();
  await standIn.close();
});

const script = fileURLToPath(new URL('../../scripts/stripe-setup.ts', import.meta.url));
type Told = { webhookSecret: string | null; done: string[] };

/** `npm run stripe:setup -- --json`, as the local stack runs it. */
async function setUp(): Promise<Told> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--json'], {
    env: {
      ...process.env,
      STRIPE_SECRET_KEY: standIn.secretKey,
      STRIPE_API_BASE: standIn.url,
      DATABASE_URL: database.url,
      PUBLIC_URL: 'https://rowloom.example/',
    },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Told;
}

const configurations = async () => (await stripe.billingPortal.configurations.list()).data;
const endpoints = async () => (await stripe.webhookEndpoints.list()).data;
const prices = async () => (await stripe.prices.list({ limit: 100 })).data;
const quietly = () => undefined;

test('the first run makes everything and says so', async () => {
  const { webhookSecret, done } = await setUp();
  expect(webhookSecret).toMatch(/^whsec_/);
  expect(done).toHaveLength(2 * catalogue.length + 2);

  const [endpoint] = await endpoints();
  expect(endpoint).toMatchObject({ url: 'https://rowloom.example/webhooks/stripe' });
  expect(endpoint?.enabled_events.toSorted()).toEqual(eventTypes.toSorted());

  const [portal, ...more] = await configurations();
  expect(more).toEqual([]);
  expect(portal?.metadata?.['rowloom']).toBe('portal');
  expect(portal?.features).toMatchObject({
    invoice_history: { enabled: true },
    payment_method_update: { enabled: true },
    customer_update: { enabled: true },
    subscription_cancel: { enabled: true, mode: 'at_period_end' },
    subscription_update: {
      enabled: true,
      billing_cycle_anchor: 'now',
      default_allowed_updates: ['price'],
      proration_behavior: 'always_invoice',
    },
  });
  expect(portal?.features.subscription_update.schedule_at_period_end.conditions).toEqual([
    { type: 'decreasing_item_amount' },
    { type: 'shortening_interval' },
  ]);
  const offered = portal?.features.subscription_update.products?.flatMap((each) => each.prices);
  // A year of growth is dearer than a month of scale and has fewer credits: it would come at once.
  const plans = (await prices()).filter(({ recurring }) => recurring?.interval === 'month');
  expect(offered?.toSorted()).toEqual(plans.map(({ id }) => id).toSorted());

  const monthly = (await prices()).filter(
    ({ metadata }) => metadata['rowloom_grants'] !== undefined,
  );
  expect(monthly.map(({ lookup_key }) => lookup_key)).toEqual(['rowloom_plan_growth_yearly']);
  const { rows } = await database.pool.query(
    `select key, interval, credits, grants_monthly from stripe_prices where grants_monthly`,
  );
  expect(rows).toEqual([
    { key: 'growth_yearly', interval: 'year', credits: 5000, grants_monthly: true },
  ]);
});

test('the second run changes nothing and says so', async () => {
  const before = [await configurations(), await endpoints(), await prices()];
  expect(await setUp()).toEqual({
    webhookSecret: null,
    done: ['Everything is as it should be.'],
  });
  expect([await configurations(), await endpoints(), await prices()]).toEqual(before);
});

test('what somebody changed by hand is put right, the same objects kept', async () => {
  const [portal] = await configurations();
  const [endpoint] = await endpoints();
  await stripe.billingPortal.configurations.update(portal?.id ?? '', {
    features: { subscription_cancel: { enabled: false } },
  });
  await stripe.webhookEndpoints.update(endpoint?.id ?? '', {
    enabled_events: ['invoice.paid'],
    disabled: true,
  });
  expect((await setUp()).done).toEqual([
    `portal configuration ${portal?.id}: updated`,
    'webhook endpoint https://rowloom.example/webhooks/stripe: events updated, enabled',
  ]);
  const [after, ...more] = await configurations();
  expect([after?.id, after?.features.subscription_cancel.enabled, more]).toEqual([
    portal?.id,
    true,
    [],
  ]);
  expect((await endpoints())[0]).toMatchObject({ id: endpoint?.id, status: 'enabled' });
});

type Update = Stripe.BillingPortal.ConfigurationUpdateParams.Features.SubscriptionUpdate;
const byHand: [string, Update][] = [
  ['periods that go on', { billing_cycle_anchor: 'unchanged' }],
  ['money back later', { proration_behavior: 'create_prorations' }],
  [
    'downgrades at once',
    { schedule_at_period_end: { conditions: [{ type: 'shortening_interval' }] } },
  ],
];

test.each(byHand)('a portal with %s is put right', async (_, wrong) => {
  const [portal] = await configurations();
  const id = portal?.id ?? '';
  await stripe.billingPortal.configurations.update(id, {
    features: { subscription_update: wrong },
  });
  expect((await setUp()).done).toEqual([`portal configuration ${id}: updated`]);
  expect((await configurations())[0]?.features).toEqual(portal?.features);
});

test('a portal that offers quantities is put right', async () => {
  const [portal] = await configurations();
  const update = portal?.features.subscription_update;
  const features = {
    ...portal?.features,
    subscription_update: { ...update, default_allowed_updates: ['price', 'quantity'] },
  };
  const offering: unknown = { ...portal, features };
  const told: Stripe.BillingPortal.ConfigurationUpdateParams[] = [];
  const configurationsOf = {
    list: () => [offering],
    update: (_: string, params: Stripe.BillingPortal.ConfigurationUpdateParams) =>
      Promise.resolve(told.push(params)),
  };
  const priced = await ensurePrices(stripe, catalogue, quietly);
  const dashboard = { billingPortal: { configurations: configurationsOf } } as unknown as Stripe;
  await ensurePortal(dashboard, priced, quietly);
  expect(told.map((each) => each.features?.subscription_update)).toMatchObject([
    { default_allowed_updates: ['price'] },
  ]);
});

test('another amount is another price; the old one stays as it was', async () => {
  const before = await prices();
  const dearer = catalogue.map((item) =>
    item.key === 'starter' ? { ...item, amountCents: 2900 } : item,
  );
  const told: string[] = [];
  const priced = await ensurePrices(stripe, dearer, (line) => told.push(line));
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^price rowloom_plan_starter: replaces price_\w+ with price_\w+$/);
  const old = before.find(({ lookup_key }) => lookup_key === 'rowloom_plan_starter');
  expect(await stripe.prices.retrieve(old?.id ?? '')).toEqual({ ...old, lookup_key: null });

  const lines: string[] = [];
  await ensurePortal(stripe, priced, (line) => lines.push(line));
  expect(lines).toEqual([expect.stringMatching(/^portal configuration \w+: updated$/)]);
  await ensurePortal(stripe, priced, quietly);
  const [portal] = await configurations();
  const offered = portal?.features.subscription_update.products?.flatMap((each) => each.prices);
  expect(offered).toContain(priced[0]?.price.id);
  expect(offered).not.toContain(old?.id);
});
