import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { createCheckout } from '../../functions/billing/create-checkout.ts';
import { listInvoices } from '../../functions/billing/list-invoices.ts';
import { listPlans } from '../../functions/billing/list-plans.ts';
import { openPortal } from '../../functions/billing/open-portal.ts';
import { BillingShop, DAY, refusal } from './billing-shop.ts';

let shop: BillingShop;
beforeAll(async () => {
  shop = await BillingShop.open();
});
afterAll(() => shop.close());

const customersOf = async (userId: string) =>
  (await shop.stripe.customers.list({ limit: 100 })).data
    .filter(({ metadata }) => metadata['user_id'] === userId)
    .map(({ id }) => id);

describe('checkout', () => {
  const plan = (userId: string, key?: string) =>
    createCheckout(shop.ctx, { userId, item: { plan: 'starter' }, idempotencyKey: key });
  const pack = (userId: string, quantity = 1, key?: string) =>
    createCheckout(shop.ctx, { userId, item: { pack: 'small', quantity }, idempotencyKey: key });

  test('twice at once makes one customer, and one page for a plan', async () => {
    const userId = await shop.signUp();
    const [one, two] = await Promise.all([plan(userId), plan(userId)]);
    expect(one).toEqual(two);
    expect(await customersOf(userId)).toEqual([await shop.customerOf(userId)]);
  });

  test('of packs is an order each time; fifty at once make one customer', async () => {
    const userId = await shop.signUp();
    await pack(userId);
    const orders = await Promise.all(Array.from({ length: 50 }, () => pack(userId)));
    expect(new Set(orders.map(({ id }) => id)).size).toBe(50);
    expect(await customersOf(userId)).toHaveLength(1);
  });

  test("goes by the caller's key: the same page, and no other order under it", async () => {
    const userId = await shop.signUp();
    const first = await pack(userId, 2, 'k'.repeat(255));
    await shop.pay(first.url);
    expect(await pack(userId, 2, 'k'.repeat(255))).toEqual(first);
    const error = await refusal(pack(userId, 3, 'k'.repeat(255)));
    expect(error.code).toBe('idempotency_key_reused');
  });

  test('of a plan is refused while the last one is only waiting for its webhook', async () => {
    const userId = await shop.signUp();
    await shop.pay((await plan(userId)).url);
    expect((await refusal(plan(userId))).code).toBe('subscription_exists');
    await shop.deliver();
    expect((await refusal(plan(userId))).code).toBe('subscription_exists');
  });

  test('of a plan opens anew after the first subscription has ended', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    await shop.stripe.subscriptions.cancel(subscriptionId);
    await shop.deliver();
    await shop.pay((await plan(userId)).url);
    await shop.deliver();
    expect((await shop.shown(userId))?.status).toBe('active');
  });

  test('replaces a customer that is gone, once', async () => {
    const userId = await shop.signUp();
    await pack(userId);
    const first = (await shop.customerOf(userId)) ?? '';
    await shop.stripe.customers.del(first);
    await pack(userId);
    const second = (await shop.customerOf(userId)) ?? '';
    expect(second).not.toBe(first);
    expect(await customersOf(userId)).toEqual([second]);

    // Heard of by webhook: nothing is stored, and the answer that made the first one is not believed.
    await shop.stripe.customers.del(second);
    await shop.deliver();
    expect(await shop.customerOf(userId)).toBeNull();
    await openPortal(shop.ctx, { userId });
    expect(await customersOf(userId)).toEqual([await shop.customerOf(userId)]);
  });
});

describe('the portal', () => {
  test('opens with our configuration, for somebody new too', async () => {
    const userId = await shop.signUp();
    const { url } = await openPortal(shop.ctx, { userId });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/portal\//);
    expect(await customersOf(userId)).toEqual([await shop.customerOf(userId)]);
    expect((await fetch(url)).status).toBe(200);
  });

  test('looks the configuration up once, and again when it is gone', async () => {
    const userId = await shop.signUp();
    await openPortal(shop.ctx, { userId });
    const { tries } = await shop.during(
      { kind: 'latency', ms: 0, match: 'GET /v1/billing_portal/configurations' },
      () => openPortal(shop.ctx, { userId }),
    );
    expect(tries).toBe(0);

    const { data } = await shop.stripe.billingPortal.configurations.list();
    const { features } = data[0] ?? {};
    expect(features?.subscription_cancel).toMatchObject({ enabled: true, mode: 'at_period_end' });
    await shop.stripe.billingPortal.configurations.update(data[0]?.id ?? '', { active: false });
    const other = await shop.stripe.billingPortal.configurations.create({
      features: { invoice_history: { enabled: true } },
      metadata: { rowloom: 'portal' },
    });
    expect((await openPortal(shop.ctx, { userId })).url).toContain('/portal/');
    expect(other.active).toBe(true);
  });
});

describe('invoices', () => {
  test('come by pages, newest first, with the period that was paid for', async () => {
    const { userId } = await shop.subscribe('starter');
    for (let month = 0; month < 2; month += 1) {
      await shop.advance(32 * DAY);
      await shop.deliver();
    }
    const first = await listInvoices(shop.ctx, { userId, limit: 2 });
    expect(first.items).toHaveLength(2);
    expect(first.nextCursor).toBe(first.items[1]?.id);
    const rest = await listInvoices(shop.ctx, { userId, limit: 2, cursor: first.nextCursor ?? '' });
    expect(rest.nextCursor).toBeNull();
    const all = [...first.items, ...rest.items];
    expect(all).toHaveLength(3);
    expect(all[0]).toEqual({
      id: expect.stringMatching(/^in_/) as string,
      number: expect.any(String) as string,
      status: 'paid',
      amountDue: 1900,
      amountPaid: 1900,
      currency: 'usd',
      createdAt: expect.stringMatching(/Z$/) as string,
      periodStart: all[0]?.periodStart,
      periodEnd: (await shop.shown(userId))?.currentPeriodEnd,
      hostedUrl: expect.stringContaining('http') as string,
      pdfUrl: expect.stringContaining('http') as string,
    });
    expect(all[0]?.periodStart).toBe(all[1]?.periodEnd);
    expect(all[1]?.periodStart).toBe(all[2]?.periodEnd);
  });

  test('of nobody are none; an unknown cursor is refused', async () => {
    const userId = await shop.signUp();
    expect(await listInvoices(shop.ctx, { userId, limit: 9 })).toEqual({
      items: [],
      nextCursor: null,
    });
    const buyer = await shop.subscribe('starter');
    const error = await refusal(
      listInvoices(shop.ctx, { userId: buyer.userId, limit: 9, cursor: 'in_none' }),
    );
    expect(error.code).toBe('invalid_request');
  });
});

test('plans say how often their credits come', async () => {
  const { plans } = await listPlans(shop.ctx);
  expect(
    plans.map(({ key, interval, creditsInterval }) => [key, interval, creditsInterval]),
  ).toEqual([
    ['starter', 'month', 'month'],
    ['growth', 'month', 'month'],
    ['scale', 'month', 'month'],
    ['unlimited', 'month', 'month'],
    ['growth_yearly', 'year', 'month'],
  ]);
});

describe('over HTTP', () => {
  const call = async (sub: string, method: string, path: string, body?: unknown) => {
    const key = new TextEncoder().encode(shop.ctx.config.auth.jwtSecret);
    const claims = { email: `${sub}@example.com`, email_verified: true };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(sub)
      .setExpirationTime('5m')
      .sign(key);
    const answer = await createApp(shop.ctx).request(`/v1/billing${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  test('the life of a subscription', async () => {
    const sub = 'http-1';
    const none = await call(sub, 'PUT', '/subscription', { plan: 'growth' });
    expect(none).toMatchObject({ status: 409, body: { code: 'no_subscription' } });
    expect(await call(sub, 'POST', '/portal')).toMatchObject({ status: 201 });
    expect(await call(sub, 'GET', '/invoices?limit=5')).toEqual({
      status: 200,
      body: { items: [], nextCursor: null },
    });

    const { body } = await call(sub, 'POST', '/checkout', { plan: 'starter' });
    await shop.pay(body['url'] as string);
    await shop.deliver();
    const unknown = await call(sub, 'PUT', '/subscription', { plan: 'gold' });
    expect(unknown).toMatchObject({ status: 422, body: { code: 'unknown_plan' } });
    const wrong = await call(sub, 'PUT', '/subscription', { plan: 'growth', when: 'soon' });
    expect(wrong).toMatchObject({ status: 422, body: { code: 'invalid_request' } });
    const changed = await call(sub, 'PUT', '/subscription', { plan: 'growth', when: 'now' });
    expect(changed).toMatchObject({ status: 200, body: { subscription: { plan: 'growth' } } });
    expect((await call(sub, 'GET', '/subscription')).body).toEqual(changed.body);

    const ending = await call(sub, 'DELETE', '/subscription');
    expect(ending.status).toBe(200);
    expect(ending.body).not.toMatchObject({ subscription: { cancelAt: null } });
    const resumed = await call(sub, 'POST', '/subscription/resume');
    expect(resumed).toEqual(changed);
    const gone = await call(sub, 'DELETE', '/subscription?immediately=true');
    expect(gone).toMatchObject({ status: 200, body: { subscription: { status: 'canceled' } } });
    expect((await call(sub, 'GET', '/subscription')).body).toEqual({ subscription: null });
    expect((await call(sub, 'DELETE', '/subscription?immediately=maybe')).status).toBe(422);
  });

  test('a declined payment is 402, Stripe being down 503', async () => {
    const { body } = await call('http-2', 'POST', '/checkout', { plan: 'starter' });
    await shop.pay(body['url'] as string);
    await shop.deliver();
    const { rows } = await shop.database.pool.query<{ id: string }>(
      "select id from users where external_id = 'http-2'",
    );
    await shop.setCard(rows[0]?.id ?? '', 'decline');
    const declined = await call('http-2', 'PUT', '/subscription', { plan: 'growth' });
    expect(declined).toMatchObject({ status: 402, body: { code: 'payment_failed' } });
    expect(declined.body['invoiceUrl']).toMatch(/^http/);
    shop.standIn.faults.add({ kind: 'drop' });
    const down = await call('http-2', 'DELETE', '/subscription');
    shop.standIn.faults.clear();
    expect(down).toMatchObject({ status: 503, body: { code: 'payment_provider_unavailable' } });
  });

  test('every route is described', async () => {
    const answer = await createApp(shop.ctx).request('/openapi.json');
    const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
    const methods = Object.entries(paths)
      .filter(([path]) => path.startsWith('/v1/billing'))
      .flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`));
    expect(methods.toSorted()).toEqual([
      'delete /v1/billing/subscription',
      'get /v1/billing/checkout/{sessionId}',
      'get /v1/billing/invoices',
      'get /v1/billing/plans',
      'get /v1/billing/subscription',
      'post /v1/billing/checkout',
      'post /v1/billing/portal',
      'post /v1/billing/subscription/resume',
      'put /v1/billing/subscription',
    ]);
  });
});
