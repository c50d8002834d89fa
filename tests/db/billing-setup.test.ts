import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StripeStandIn } from '../../local/stripe/index.ts';
import { catalogue } from '../../functions/billing/catalogue.pure.ts';
import { createStripe, stripeApiVersion } from '../../functions/clients/stripe.ts';
import { eventTypes } from '../../functions/stripe/read-event.pure.ts';
import { ensureEndpoint } from '../../scripts/stripe-setup/endpoint.ts';
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
async function setUp(settings: Record<string, string> = {}): Promise<Told> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--json'], {
    env: {
      ...process.env,
      STRIPE_SECRET_KEY: standIn.secretKey,
      STRIPE_API_BASE: standIn.url,
      DATABASE_URL: database.url,
      PUBLIC_URL: 'https://rowloom.example/',
      ...settings,
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

test('another amount is another price; the old one stays, and is offered to nobody new', async () => {
  const before = await prices();
  const dearer = catalogue.map((item) =>
    item.key === 'starter' ? { ...item, amountCents: 2900 } : item,
  );
  const told: string[] = [];
  const priced = await ensurePrices(stripe, dearer, (line) => told.push(line));
  const old = before.find(({ lookup_key }) => lookup_key === 'rowloom_plan_starter');
  expect(told).toEqual([
    expect.stringMatching(`^price rowloom_plan_starter: replaces ${old?.id} with price_\\w+$`),
    `price ${old?.id}: no longer listed (plan starter)`,
  ]);
  const { rowloom_listed: _, ...metadata } = old?.metadata ?? {};
  expect(await stripe.prices.retrieve(old?.id ?? '')).toEqual({
    ...old,
    lookup_key: null,
    metadata,
  });

  const lines: string[] = [];
  await ensurePortal(stripe, priced, (line) => lines.push(line));
  expect(lines).toEqual([expect.stringMatching(/^portal configuration \w+: updated$/)]);
  await ensurePortal(stripe, priced, quietly);
  const [portal] = await configurations();
  const offered = portal?.features.subscription_update.products?.flatMap((each) => each.prices);
  expect(offered).toContain(priced[0]?.price.id);
  expect(offered).not.toContain(old?.id);
});

const byLookup = async (key: string) =>
  (await stripe.prices.list({ lookup_keys: [`rowloom_${key}`] })).data[0];
const onSale = async (key: string) =>
  (
    await database.pool.query<{ price_id: string; name: string }>(
      `select price_id, coalesce(o.name, p.name) as name from prices_on_sale s
        join stripe_prices p using (price_id) left join stripe_products o using (product_id)
        where s.key = $1`,
      [key],
    )
  ).rows;

test('prices of before they were listed are brought up to date, the same ones kept', async () => {
  await setUp();
  const price = await byLookup('plan_growth');
  const id = price?.id ?? '';
  await stripe.prices.update(id, { metadata: { rowloom_listed: '' }, nickname: '' });
  expect((await setUp()).done).toEqual([
    `price rowloom_plan_growth: ${id} listed, renamed to Growth`,
  ]);
  expect((await byLookup('plan_growth'))?.metadata['rowloom_listed']).toBe('true');
  expect(await onSale('growth')).toEqual([{ price_id: id, name: 'Growth' }]);
});

test('products are named, marked and not in the archive', async () => {
  const id = 'rowloom_pack_small';
  await stripe.products.update(id, {
    name: 'Box',
    active: false,
    metadata: { rowloom_kind: '', rowloom_credits: '1' },
  });
  expect((await setUp()).done).toEqual([
    `product ${id}: renamed to Small pack, marked as ours, taken out of the archive`,
  ]);
  expect(await stripe.products.retrieve(id)).toMatchObject({
    active: true,
    name: 'Small pack',
    metadata: { rowloom_kind: 'pack', rowloom_key: 'small', rowloom_credits: '500' },
  });
});

test('what is listed and not of the catalogue is offered no more, archived or not', async () => {
  const make = (rowloom_key: string, active = true) =>
    stripe.prices.create({
      product: 'rowloom_plan_starter',
      currency: 'usd',
      unit_amount: 1,
      active,
      metadata: {
        rowloom_kind: 'plan',
        rowloom_key,
        rowloom_credits: '1',
        rowloom_listed: rowloom_key === 'private' ? '' : 'true',
      },
    });
  const [newer, gone, secret] = [
    await make('starter'),
    await make('gone', false),
    await make('private'),
  ];
  const { done } = await setUp();
  expect(done.toSorted()).toEqual(
    [
      `price ${newer.id}: no longer listed (plan starter)`,
      `price ${gone.id}: no longer listed (plan gone)`,
    ].toSorted(),
  );
  expect(await stripe.prices.retrieve(secret.id)).toEqual(secret);
  expect(await onSale('starter')).toMatchObject([
    { price_id: (await byLookup('plan_starter'))?.id },
  ]);
  expect((await setUp()).done).toEqual(['Everything is as it should be.']);
});

test('an archived price is replaced, and does not come back by itself', async () => {
  const old = await byLookup('plan_scale');
  await stripe.prices.update(old?.id ?? '', { active: false });
  await setUp();
  const now = await byLookup('plan_scale');
  expect(now?.id).not.toBe(old?.id);
  expect((await stripe.prices.retrieve(old?.id ?? '')).metadata).not.toHaveProperty(
    'rowloom_listed',
  );
  expect(await onSale('scale')).toMatchObject([{ price_id: now?.id }]);
});

test('an endpoint of another API version is told of, and nothing else about it', async () => {
  const other = {
    url: 'https://rowloom.example/webhooks/stripe',
    api_version: '2024-06-20',
    status: 'enabled',
    enabled_events: [...eventTypes],
  };
  const told: string[] = [];
  const dashboard = { webhookEndpoints: { list: () => [other] } } as unknown as Stripe;
  const report = (line: string) => void told.push(line);
  expect(await ensureEndpoint(dashboard, other.url, report)).toBeNull();
  expect(told).toEqual([
    expect.stringMatching(/sends API version 2024-06-20, and this code reads \d{4}-/),
  ]);
  const ours = { ...other, api_version: stripeApiVersion };
  const sound = { webhookEndpoints: { list: () => [ours] } } as unknown as Stripe;
  await ensureEndpoint(sound, other.url, report);
  expect(told).toHaveLength(1);
});

describe('with automatic tax', () => {
  const taxed = { STRIPE_AUTOMATIC_TAX: 'true' };
  const settings = async (body: object) => {
    const answer = await fetch(`${standIn.url}/_local/tax/settings`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    expect(answer.ok).toBe(true);
  };

  test('prices say once how they are taxed; another behavior is another price', async () => {
    await settings({ status: 'active' });
    const before = (await prices()).filter(({ lookup_key }) => lookup_key !== null);
    const { done } = await setUp(taxed);
    expect(done).toHaveLength(catalogue.length);
    expect(done).toContain(
      `price rowloom_plan_starter: ${before.find(({ lookup_key }) => lookup_key === 'rowloom_plan_starter')?.id} tax exclusive`,
    );
    const after = (await prices()).filter(({ lookup_key }) => lookup_key !== null);
    expect(after.map(({ id }) => id).toSorted()).toEqual(before.map(({ id }) => id).toSorted());
    expect(new Set(after.map(({ tax_behavior }) => tax_behavior))).toEqual(new Set(['exclusive']));
    expect((await setUp(taxed)).done).toEqual(['Everything is as it should be.']);
    // Without it nothing is taken back.
    expect((await setUp()).done).toEqual(['Everything is as it should be.']);

    await setUp({ ...taxed, STRIPE_TAX_BEHAVIOR: 'inclusive' });
    const inclusive = await byLookup('plan_starter');
    expect(inclusive?.tax_behavior).toBe('inclusive');
    expect(after.map(({ id }) => id)).not.toContain(inclusive?.id);
    expect(await onSale('starter')).toMatchObject([{ price_id: inclusive?.id }]);
  });

  test('it says that Stripe Tax is not active, each time', async () => {
    await settings({ status: 'pending' });
    const inclusive = { ...taxed, STRIPE_TAX_BEHAVIOR: 'inclusive' };
    for (let i = 0; i < 2; i += 1)
      expect((await setUp(inclusive)).done).toEqual([
        expect.stringMatching(/^Stripe Tax is not active, .* Missing: head_office\./),
      ]);
    await settings({ status: 'active' });
  });
});

test('the portal takes promotion codes where checkout does', async () => {
  const codes = { STRIPE_PROMOTION_CODES: 'true' };
  const inclusive = { STRIPE_AUTOMATIC_TAX: 'true', STRIPE_TAX_BEHAVIOR: 'inclusive', ...codes };
  expect((await setUp(inclusive)).done).toEqual([
    expect.stringMatching(/^portal configuration \w+: updated$/),
  ]);
  const [portal] = await configurations();
  expect(portal?.features.subscription_update.default_allowed_updates).toEqual([
    'price',
    'promotion_code',
  ]);
  expect(portal?.features.customer_update.allowed_updates).toContain('tax_id');
  expect((await setUp(inclusive)).done).toEqual(['Everything is as it should be.']);
});

test('a setting that says nothing stops before anything is changed', async () => {
  await expect(setUp({ STRIPE_AUTOMATIC_TAX: 'perhaps' })).rejects.toThrow(
    'STRIPE_AUTOMATIC_TAX is neither true nor false',
  );
});
