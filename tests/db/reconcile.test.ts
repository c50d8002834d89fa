import { describe, expect, test } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { cursorOf } from '../../functions/stripe/reconcile-cursor.pure.ts';
import { reconcile } from '../../functions/stripe/reconcile.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { eachScene, reconciling } from '../support/each-scene.ts';
import { walk } from '../support/lost-events.ts';
import type { Scene } from '../support/scene.ts';
import { readBooks } from '../support/stored-books.ts';
import { type StripeFixture, fixtureUser } from '../support/stripe-fixture.ts';

let fixture: StripeFixture;
let scene: Scene;
eachScene((opened) => ({ fixture, scene } = opened));

const posted = { dryRun: false };
const { query, credits, says, story, deliverAll } = reconciling(() => scene);

/** All that is stored, table by table. */
async function everything(): Promise<Record<string, unknown>> {
  const tables = await query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1",
  );
  const rows = await Promise.all(
    tables.map(async ({ name }) => [
      name,
      await query(`select to_jsonb(t) as row, xmin::text from "${name}" t order by 1`),
    ]),
  );
  return Object.fromEntries(rows) as Record<string, unknown>;
}

describe('what differs', () => {
  test('nothing where everything arrived, and nothing is written', async () => {
    await story();
    await deliverAll();
    const before = await everything();
    expect(await says()).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  test('a dry run tells all that a run posts, and writes nothing at all', async () => {
    await story();
    const before = await everything();
    const told = await walk(fixture, { dryRun: true });
    expect(await everything()).toEqual(before);
    const done = await walk(fixture, posted);
    expect(new Set(told.map(({ object }) => object))).toEqual(
      new Set(done.map(({ object }) => object)),
    );
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
    expect(await says()).toEqual([]);
  });

  test('is said in sentences, and each one is a notice', async () => {
    const bought = await scene.subscribe(scene.prices.starter);
    const [invoice] = (await fixture.stripe.invoices.list({ subscription: bought.id })).data;
    const paid = new Date((invoice?.created ?? 0) * 1000).toISOString().slice(0, 10);
    const of = `Invoice ${invoice?.id} over 20.00 USD, paid on ${paid}, was not in the books`;
    const user = `user ${fixtureUser}`;
    expect(await says({ dryRun: true })).toContain(
      `${of}: 1,000 plan credits would be granted to ${user}, 500 bonus credits would be taken from ${user}.`,
    );
    const done = await walk(fixture, posted);
    expect(done.map((one) => one.says)).toContain(
      `${of}: 1,000 plan credits granted to ${user}, 500 bonus credits taken from ${user}.`,
    );
    expect(
      await query('select subject_type as type, subject_id as object, detail as says from notices'),
    ).toEqual(
      expect.arrayContaining(done.map(({ type, object, says }) => ({ type, object, says }))),
    );
    expect(await query("select 1 from notices where kind <> 'reconcile_difference'")).toEqual([]);
    expect(await query('select 1 from stripe_events')).toEqual([]);
  });

  test('counts what was looked at', async () => {
    await story();
    const { checked, byType } = await reconcile(fixture.ctx, { dryRun: true });
    expect(byType).toMatchObject({ subscription: 1, refund: 1, checkout_session: 3 });
    expect(checked).toBe(Object.values(byType).reduce((sum, count) => sum + count, 0));
  });
});

describe('who and what', () => {
  test('cancelled more than 30 days ago, and nobody heard', async () => {
    const bought = await scene.subscribe(scene.prices.unlimited);
    await deliverAll();
    await scene.days(3);
    await scene.cancel(bought);
    const end = new Date(scene.now * 1000).toISOString().slice(0, 10);
    await scene.days(75);
    const [said, ...others] = await says();
    expect(others).toEqual([]);
    expect(said).toContain(`Subscription ${bought.id} is canceled since ${end} in Stripe, here it`);
    expect(await query('select status, ended_at is not null as ended from subscriptions')).toEqual([
      { status: 'canceled', ended: true },
    ]);
    expect(await says()).toEqual([]);
  });

  test('a customer deleted with a live subscription, no metadata, and nobody heard', async () => {
    const bought = await scene.subscribe(scene.prices.unlimited, {
      metadata: {},
      subscription_data: { metadata: {} },
    });
    await deliverAll();
    expect(await query('select status from subscriptions')).toEqual([{ status: 'active' }]);
    await fixture.stripe.customers.del(bought.customer);
    await says();
    expect(await query('select status from subscriptions')).toEqual([{ status: 'canceled' }]);
  });

  test('a guest by the session, with what went back of it', async () => {
    const { id, url } = await fixture.openPacks(2);
    await fixture.shop.press(url, { action: 'pay', email: 'ada@example.com' });
    const { payment_intent: intent } = await fixture.stripe.checkout.sessions.retrieve(id);
    await scene.packs();
    await scene.refund(intent as string, 900);
    const told = await walk(fixture, { dryRun: false, session: id });
    expect(told.map(({ type }) => type)).toEqual(['checkout_session', 'refund']);
    expect(await credits()).toMatchObject({ bought: 300 });
    // The user's guest purchases belong to the user's walk.
    await scene.refund(intent as string, 300);
    expect((await walk(fixture, { dryRun: false, user: 'ada' })).map(({ type }) => type)).toEqual([
      'refund',
    ]);
    expect(await credits()).toMatchObject({ bought: 200 });
  });

  test('one customer, and nobody else', async () => {
    const ada = await scene.subscribe(scene.prices.starter);
    const grace = await ensureUser(fixture.ctx, {
      externalId: 'grace',
      email: 'grace@example.com',
      emailVerified: true,
    });
    const { id } = grace.user;
    const hers = { metadata: { user_id: id }, client_reference_id: id };
    await scene.subscribe(scene.prices.pro, {
      ...hers,
      subscription_data: hers.metadata && { metadata: hers.metadata },
    });
    await walk(fixture, { dryRun: false, customer: ada.customer });
    expect(await credits()).toMatchObject({ plan: 1000 });
    expect((await readBooks(fixture.database.pool, id)).user).toMatchObject({ credits_plan: 0 });
    await says();
    expect((await readBooks(fixture.database.pool, id)).user).toMatchObject({ credits_plan: 5000 });
    expect(await credits()).toMatchObject({ plan: 1000 });
  });

  test('a Payment Link that names the account, as its event would have', async () => {
    const session = async (price: string, mode: string) =>
      (
        await fixture.shop.local<{ session: { url: string } }>('/payment-link-session', {
          mode,
          line_items: [{ price, quantity: 1 }],
          client_reference_id: fixtureUser,
        })
      ).session.url;
    const email = 'somebody@example.com';
    for (const [price, mode] of [
      [scene.prices.starter.id, 'subscription'],
      [scene.prices.pack.id, 'payment'],
    ] as const) {
      await fixture.shop.press(await session(price, mode), { action: 'pay', email });
      await scene.days(0.1);
    }
    await deliverAll();
    const told = await fixture.books();
    await fixture.reset();
    expect(await says()).not.toEqual([]);
    await fixture.settle();
    const found = await fixture.books();
    expect([found.lots, found.user]).toEqual([told.lots, told.user]);
    expect(await says()).toEqual([]);
  });

  test('money of other products on the same account is no difference', async () => {
    const other = await fixture.stripe.prices.create({
      currency: 'usd',
      product: fixture.shop.product.id,
      recurring: { interval: 'month' },
      unit_amount: 500,
    });
    const once = await fixture.stripe.prices.create({
      currency: 'usd',
      product: fixture.shop.product.id,
      unit_amount: 700,
    });
    await fixture.shop.subscribe(other.id);
    const { url, id } = await fixture.shop.checkout(once.id, { mode: 'payment' });
    await fixture.shop.press(url, { action: 'pay', email: 'else@example.com' });
    const { payment_intent: intent } = await fixture.stripe.checkout.sessions.retrieve(id);
    await scene.refund(intent as string);
    const before = await everything();
    expect(await says()).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  test('what cannot be applied says why, until it can', async () => {
    await scene.subscribe(scene.prices.starter);
    await query("delete from stripe_prices where key = 'starter'");
    await query('update catalogue_version set version = version + 1');
    const told = await walk(fixture, posted);
    expect(told.length).toBeGreaterThan(0);
    for (const { status, code, says: said } of told) {
      expect([status, code]).toEqual(['failed', 'unknown_price']);
      expect(said).toMatch(/ cannot be applied: .*price_/);
    }
    // Marked in Stripe, told by nobody: the walk brings the price, then what it paid for.
    await scene.raise(scene.prices.starter, 1000);
    expect((await says()).some((said) => said.startsWith('Price '))).toBe(true);
    expect(await credits()).toMatchObject({ plan: 1000 });
    expect(await says()).toEqual([]);
  });

  test('a failed event that waited for it is tried again', async () => {
    const payment = await scene.packs();
    await scene.refund(payment, 300);
    const events = await fixture.events();
    const refund = events.find(({ type }) => type === 'refund.created');
    fixture.shop.standIn.faults.add({ kind: 'status', status: 500 });
    if (refund) await fixture.deliver(refund);
    fixture.shop.standIn.faults.clear();
    expect(await query('select status from stripe_events')).toEqual([{ status: 'failed' }]);
    await query("update stripe_events set next_attempt_at = now() + interval '1 hour'");
    await says();
    expect(
      await query('select event_id from stripe_events where next_attempt_at <= now()'),
    ).toHaveLength(1);
    await fixture.settle();
    expect(await query('select status from stripe_events')).toEqual([{ status: 'completed' }]);
    expect(await credits()).toMatchObject({ bought: 200 });
  }, 60_000);
});

describe('POST /v1/admin/reconcile', () => {
  async function post(body: object) {
    const { adminToken } = fixture.ctx.config;
    const execution = { waitUntil: () => undefined, passThroughOnException: () => undefined };
    const answer = await createApp(fixture.ctx).request(
      '/v1/admin/reconcile',
      {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      },
      {},
      { ...execution, props: {} },
    );
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  }
  test('answers what the walk finds', async () => {
    const payment = await scene.packs();
    await scene.refund(payment);
    const { status, json } = await post({ dryRun: true });
    expect(status).toBe(200);
    expect(json).toMatchObject({ dryRun: true, nextCursor: null });
    expect(json['differences']).toHaveLength(2);
  });

  test.each([
    [{ customer: 'cus_1', user: 'ada' }, 'user'],
    [{ since: '2026-10-01T00:00:00Z', session: 'cs_1' }, 'session'],
    [{ customer: 'in_1' }, 'customer'],
    [{ customer: 'cus_1/../invoices' }, 'customer'],
    [{ since: 'yesterday' }, 'since'],
    [{ cursor: 'events:' }, 'cursor'],
    [{ cursor: 'nonsense' }, 'cursor'],
    [
      { customer: 'cus_1', cursor: cursorOf({ target: 1, list: 'invoices', after: null }) },
      'cursor',
    ],
  ])('refuses %o, naming %s', async (body, field) => {
    const { status, json } = await post(body);
    expect([status, json['code']]).toEqual([422, 'invalid_request']);
    expect((json['errors'] as { field: string }[]).map((error) => error.field)).toEqual([field]);
  });

  test('knows no user and no session that are not there', async () => {
    expect(await post({ user: 'nobody' })).toMatchObject({ status: 404 });
    expect(await post({ session: 'cs_none' })).toMatchObject({ status: 404 });
  });
});
