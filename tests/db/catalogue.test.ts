import fc from 'fast-check';
import type Stripe from 'stripe';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StripeStandIn } from '../../local/stripe/index.ts';
import { listPlans } from '../../functions/billing/list-plans.ts';
import { readAccount } from '../../functions/billing/billing-account.ts';
import { createStripe } from '../../functions/clients/stripe.ts';
import type { Ctx } from '../../functions/context.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { readCatalogue } from '../../functions/stripe/catalogue.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { startCheckedStripe } from '../support/checked-stripe.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { emptyBooks } from '../support/stored-books.ts';
import { event, packSession } from '../support/stripe-events.ts';
import { directDb } from '../support/stripe-fixture.ts';

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31));
const nowhere = 'http://127.0.0.1:9';

let database: TestDatabase;
let standIn: StripeStandIn;
let stripe: Stripe;
let ctx: Ctx;
/** The same, while Stripe does not answer. */
let alone: Ctx;
beforeAll(async () => {
  [database, standIn] = await Promise.all([createDatabase(), startCheckedStripe()]);
  stripe = createStripe({ secretKey: standIn.secretKey, apiBase: standIn.url });
  const base = testCtx(database);
  ctx = { ...base, stripe, db: { ...base.db, ...directDb(database) } };
  const silent = createStripe({ secretKey: 'sk_test_x', apiBase: nowhere, retryDelayMs: 1 });
  alone = { ...ctx, stripe: silent };
});
beforeEach(() => emptyBooks(database.pool));
afterAll(async () => {
  await database.drop();
  await standIn.close();
});

const send = (sent: unknown, by = ctx) => applyEvent(by, readEvent(sent) as StripeEvent);

const marks = (fields: Record<string, string> = {}) => ({
  rowloom_kind: 'plan',
  rowloom_key: 'pro',
  rowloom_credits: '900',
  rowloom_listed: 'true',
  ...fields,
});
const start = 1_790_000_000;
const price = (id: string, fields: Record<string, unknown> = {}) => ({
  id,
  object: 'price',
  active: true,
  created: start,
  currency: 'usd',
  nickname: null,
  product: 'prod_1',
  recurring: { interval: 'month', interval_count: 1 },
  unit_amount: 1900,
  metadata: marks(),
  ...fields,
});

const offered = async () => (await listPlans(ctx)).plans.map(({ key, priceId }) => [key, priceId]);
const rows = async () => {
  const { rows: prices } = await database.pool.query<{ text: string }>(
    `select (p.price_id, p.kind, p.key, p.name, o.name, p.credits, p.active, p.listed, p.stripe_event_at,
        exists (select 1 from prices_on_sale s where s.price_id = p.price_id))::text as text
      from stripe_prices p left join stripe_products o using (product_id) order by 1`,
  );
  return prices.map(({ text }) => text);
};
const notices = async () =>
  (
    await database.pool.query<{ subject_id: string; detail: string }>(
      "select subject_id, detail from notices where kind = 'renamed_price' order by 1",
    )
  ).rows;

describe('what is on sale', () => {
  test('is the newest listed price of a key; archiving it puts the one before back', async () => {
    const before = price('price_1');
    const after = price('price_2', { created: start + 10 });
    await send(event('price.created', before, { created: start }), alone);
    await send(event('price.created', after, { created: start + 10 }), alone);
    expect(await offered()).toEqual([['pro', 'price_2']]);
    const archived = { ...after, active: false };
    await send(event('price.updated', archived, { created: start + 20 }), alone);
    expect(await offered()).toEqual([['pro', 'price_1']]);
    await send(event('price.updated', after, { created: start + 30 }), alone);
    expect(await offered()).toEqual([['pro', 'price_2']]);
    await send(event('price.deleted', after, { created: start + 40 }), alone);
    expect(await offered()).toEqual([['pro', 'price_1']]);
  });

  test('is never a private price, which is honoured when it is paid', async () => {
    const pack = (id: string, fields: Record<string, string>, created: number) =>
      price(id, {
        created,
        recurring: null,
        metadata: marks({ rowloom_kind: 'pack', rowloom_key: 'box', ...fields }),
      });
    const open = pack('price_open', {}, start);
    const secret = pack('price_own', { rowloom_listed: '', rowloom_credits: '5000' }, start + 9);
    for (const one of [open, secret])
      await send(event('price.created', one, { created: one.created }), alone);
    expect((await listPlans(ctx)).packs.map(({ priceId }) => priceId)).toEqual(['price_open']);
    const { user } = await ensureUser(ctx, { externalId: 'u', email: null, emailVerified: false });
    const buy = async (metadata: Record<string, string>) => {
      const session = packSession({ userId: user.id });
      const sold = { user_id: user.id, pack: 'box', quantity: '1', ...metadata };
      await send(event('checkout.session.completed', { ...session, metadata: sold }), alone);
      const { rows: found } = await database.pool.query<{ credits: number }>(
        'select credits_purchased::int as credits from users',
      );
      return found[0]?.credits;
    };
    expect(await buy({})).toBe(900);
    expect(await buy({ price_id: 'price_own' })).toBe(900 + 5000);
  });

  test('is what a plan is changed to, and not a private price of its key', async () => {
    const secret = price('price_own', {
      created: start + 9,
      metadata: marks({ rowloom_listed: '' }),
    });
    for (const one of [price('price_open'), secret])
      await send(event('price.created', one, { created: one.created }), alone);
    const { user } = await ensureUser(ctx, { externalId: 'u', email: null, emailVerified: false });
    const { plans } = await readAccount(ctx, user.id);
    expect(Object.fromEntries(plans.map(({ priceId, onSale }) => [priceId, onSale]))).toEqual({
      price_open: true,
      price_own: false,
    });
  });
});

describe('what people see', () => {
  const names = async () => (await listPlans(ctx)).plans.map(({ name }) => name);
  const product = { id: 'prod_1', object: 'product', name: 'The Pro', metadata: marks() };

  test("is the product's name, else the nickname, else the key", async () => {
    await send(event('price.created', price('price_1'), { created: start }), alone);
    expect(await names()).toEqual(['pro']);
    const nicknamed = price('price_1', { nickname: 'Pro' });
    await send(event('price.updated', nicknamed, { created: start + 1 }), alone);
    expect(await names()).toEqual(['Pro']);
    await send(event('product.updated', product, { created: start - 5 }), alone);
    expect(await names()).toEqual(['The Pro']);
    await send(
      event('product.updated', { ...product, name: 'Older' }, { created: start - 9 }),
      alone,
    );
    expect(await names()).toEqual(['The Pro']);
  });

  test('may be known before its price is; a product of others never is', async () => {
    const other = { ...product, id: 'prod_2', metadata: {} };
    expect(await send(event('product.created', product), alone)).toMatchObject({
      status: 'completed',
    });
    expect(await send(event('product.created', other), alone)).toMatchObject({ status: 'skipped' });
    await send(event('price.created', price('price_1')), alone);
    await send(
      event(
        'price.created',
        price('price_2', { product: 'prod_2', metadata: marks({ rowloom_key: 'x' }) }),
      ),
      alone,
    );
    expect(await names()).toEqual(['The Pro', 'x']);
    expect(await send(event('product.updated', other), alone)).toMatchObject({
      status: 'completed',
    });
    expect(await names()).toEqual(['The Pro', 'The Pro']);
  });
});

test('a renamed price counts as what it is called last, and is noticed once in either order', async () => {
  const tellings = [
    event('price.created', price('price_1'), { created: start }),
    event('price.updated', price('price_1', { metadata: marks({ rowloom_key: 'max' }) }), {
      created: start + 60,
    }),
  ];
  const told = [];
  for (const order of [tellings, tellings.toReversed()]) {
    await emptyBooks(database.pool);
    for (const each of [...order, ...order]) await send(each, alone);
    expect(await offered()).toEqual([['max', 'price_1']]);
    told.push(await notices());
  }
  expect(told[0]).toEqual([
    { subject_id: 'price_1', detail: expect.stringContaining('plan max and plan pro') },
  ]);
  expect(told[1]).toEqual(told[0]);
});

test('the catalogue is read again only when it has changed', async () => {
  const unpaid = () => event('invoice.paid', { id: 'in_1', object: 'invoice', total: 1 });
  await send(event('price.created', price('price_1'), { created: start }), alone);
  await send(unpaid(), alone);
  const catalogue = await readCatalogue(ctx);
  await send(unpaid(), alone);
  await send(event('product.updated', { id: 'prod_2', name: 'Other' }), alone);
  expect(await readCatalogue(ctx)).toBe(catalogue);
  await send(event('price.updated', price('price_1', { nickname: 'New' })), alone);
  await send(unpaid(), alone);
  expect(await readCatalogue(ctx)).not.toBe(catalogue);
});

test('a burst of changes, as stripe:setup makes it, waits for nobody', async () => {
  const keys = Array.from({ length: 30 }, (_, i) => `burst_${i}`);
  const events = keys.flatMap((rowloom_key, i) => {
    const metadata = marks({ rowloom_key });
    const one = price(`price_${rowloom_key}`, { product: `prod_${rowloom_key}`, metadata });
    const name = `Burst ${i}`;
    return [
      event('product.created', { id: `prod_${rowloom_key}`, object: 'product', name, metadata }),
      event('price.created', one),
      event('price.updated', { ...one, nickname: 'New' }, { created: start + 1 }),
    ];
  });
  const received = await Promise.all(events.map((each) => send(each, alone)));
  expect(new Set(received.map(({ status }) => status))).toEqual(new Set(['completed']));
  const { plans } = await listPlans(ctx);
  expect(Object.fromEntries(plans.map(({ key, name }) => [key, name]))).toEqual(
    Object.fromEntries(keys.map((key, i) => [key, `Burst ${i}`])),
  );
});

const inAnyOrder = <T>(items: T[]) =>
  fc.shuffledSubarray(items, { minLength: items.length, maxLength: items.length });

/** Two prices of a key and their product as somebody might change them, several times in one second. */
const told = fc.array(
  fc.record({
    what: fc.constantFrom('price_1', 'price_2', 'product'),
    second: fc.integer({ min: 0, max: 3 }),
    isCreated: fc.boolean(),
    isDeleted: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    active: fc.boolean(),
    key: fc.constantFrom('pro', 'max'),
    rowloom_listed: fc.constantFrom('true', ''),
    name: fc.constantFrom('Pro', 'Max', 'Mid'),
  }),
  { minLength: 2, maxLength: 7 },
);

function eventsOf(tellings: typeof told extends fc.Arbitrary<infer T> ? T : never) {
  const isLast = (i: number): boolean =>
    !tellings.slice(i + 1).some(({ what }) => what === tellings[i]?.what);
  return tellings.map(({ what, second, name, ...each }, i) => {
    const kind = what === 'product' ? 'product' : 'price';
    const verb =
      each.isDeleted && isLast(i) && kind === 'price'
        ? 'deleted'
        : each.isCreated
          ? 'created'
          : 'updated';
    const metadata = marks({ rowloom_key: each.key, rowloom_listed: each.rowloom_listed });
    const object =
      kind === 'product'
        ? { id: 'prod_1', object: 'product', name, metadata: marks() }
        : price(what, { active: each.active, nickname: name, metadata });
    return event(`${kind}.${verb}`, object, { created: start + second });
  });
}

test(`any order of events about prices and products ends the same, Stripe silent (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      told.chain((tellings) => {
        const events = eventsOf(tellings);
        return fc.tuple(fc.constant(events), inAnyOrder(events));
      }),
      async ([events, shuffled]) => {
        const ends = [];
        for (const order of [events, shuffled, shuffled.toReversed()]) {
          await emptyBooks(database.pool);
          for (const each of order) await send(each, alone);
          ends.push(await rows());
        }
        expect(ends[1]).toEqual(ends[0]);
        expect(ends[2]).toEqual(ends[0]);
      },
    ),
    { seed, numRuns: 60 },
  );
});

test(`any part of the events brings what Stripe has by now (seed ${seed})`, async () => {
  const product = await stripe.products.create({ name: 'Pro', metadata: marks() });
  const make = (metadata: Record<string, string>) =>
    stripe.prices.create({
      product: product.id,
      currency: 'usd',
      unit_amount: 1900,
      recurring: { interval: 'month' },
      nickname: 'Pro',
      metadata: marks(metadata),
    });
  const one = await make({});
  const two = await make({ rowloom_listed: '' });
  // All within a second: the events' times say nothing.
  for (const name of ['A', 'B', 'C']) await stripe.products.update(product.id, { name });
  await stripe.prices.update(two.id, { metadata: { rowloom_listed: 'true', rowloom_key: 'max' } });
  await stripe.prices.update(one.id, { active: false });
  await stripe.prices.update(one.id, { active: true });
  await stripe.prices.update(two.id, { metadata: { rowloom_key: 'pro' }, active: false });
  const { data } = await stripe.events.list({ limit: 100 });
  const of = (id: string) =>
    data.filter(({ data: { object } }) => 'id' in object && object.id === id);
  const part = (id: string) => fc.subarray(of(id), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(
      fc
        .tuple(part(one.id), part(two.id), part(product.id))
        .chain((parts) => inAnyOrder(parts.flat())),
      async (events) => {
        await emptyBooks(database.pool);
        for (const each of events) await send(each);
        expect(await offered()).toEqual([['pro', one.id]]);
        expect((await listPlans(ctx)).plans[0]?.name).toBe('C');
      },
    ),
    { seed, numRuns: 30 },
  );
});
