import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure, openShop, sdk, type Shop } from './stripe-client.ts';

let shop: Shop;
let stripe: Stripe;
beforeAll(async () => {
  shop = await openShop();
  stripe = shop.stripe;
});
afterAll(() => shop.standIn.close());

describe('what the stand-in refuses', () => {
  it('answers a wrong key with an authentication error', async () => {
    const error = await failure(sdk(shop.standIn.port, 'sk_test_other').products.list());
    expect(error).toBeInstanceOf(Stripe.errors.StripeAuthenticationError);
    expect(error.statusCode).toBe(401);
  });

  it('answers an unknown route with 404 in the error form', async () => {
    const error = await failure(stripe.balance.retrieve());
    expect(error).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError);
    expect(error.statusCode).toBe(404);
    expect(error.message).toContain('Unrecognized request URL (GET: /v1/balance)');
  });

  it('names an unknown parameter, also a nested one', async () => {
    const nested = { recurring: { interval: 'month', colour: 'red' } };
    const error = await failure(
      stripe.prices.create({
        currency: 'usd',
        product: shop.product.id,
        unit_amount: 1,
        ...(nested as { recurring: { interval: 'month' } }),
      }),
    );
    expect(error).toMatchObject({ code: 'parameter_unknown', param: 'recurring[colour]' });
  });

  it('names a missing parameter', async () => {
    const error = await failure(stripe.products.create({} as { name: string }));
    expect(error).toMatchObject({ code: 'parameter_missing', param: 'name', statusCode: 400 });
  });

  it('refuses values of the wrong kind', async () => {
    const error = await failure(
      stripe.prices.create({ currency: 'usd', product: shop.product.id, unit_amount: 1.5 }),
    );
    expect(error).toMatchObject({ code: 'parameter_invalid_integer', param: 'unit_amount' });
  });

  it('tells an unknown id in the path (404) from one in the parameters (400)', async () => {
    const inPath = await failure(stripe.customers.retrieve('cus_none'));
    expect(inPath).toMatchObject({ code: 'resource_missing', statusCode: 404 });
    const inParams = await failure(shop.checkout('price_none'));
    expect(inParams).toMatchObject({
      code: 'resource_missing',
      param: 'line_items[0][price]',
      statusCode: 400,
    });
  });

  it('refuses an expansion that it does not know', async () => {
    const { id } = shop.prices.starter;
    const error = await failure(stripe.prices.retrieve(id, { expand: ['metadata'] }));
    expect(error.message).toContain('cannot be expanded');
  });

  it('refuses another API version', async () => {
    const error = await failure(stripe.products.list({}, { apiVersion: '2024-06-20' }));
    expect(error.message).toContain('Invalid Stripe API version');
  });

  it('carries a request id and the version on answers and errors', async () => {
    const { lastResponse } = await stripe.products.retrieve(shop.product.id);
    expect(lastResponse.requestId).toMatch(/^req_\w{14}$/);
    expect(lastResponse.headers['stripe-version']).toBe('2026-10-28.endive');
    expect((await failure(stripe.products.retrieve('x'))).requestId).toMatch(/^req_\w{14}$/);
  });
});

describe('idempotency', () => {
  it('answers again without doing the work again', async () => {
    const key = { idempotencyKey: 'same' };
    const first = await stripe.customers.create({ email: 'once@example.com' }, key);
    const again = await stripe.customers.create({ email: 'once@example.com' }, key);
    expect(again).toEqual(first);
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true');
    expect(first.lastResponse.headers['idempotent-replayed']).toBeUndefined();
    expect((await stripe.customers.list({ email: 'once@example.com' })).data).toHaveLength(1);
  });

  it('refuses the same key with other parameters', async () => {
    const key = { idempotencyKey: 'mixed' };
    await stripe.customers.create({ email: 'a@example.com' }, key);
    const error = await failure(stripe.customers.create({ email: 'b@example.com' }, key));
    expect(error).toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
    expect((await stripe.customers.list({ email: 'b@example.com' })).data).toEqual([]);
  });

  it('does not keep the answer to a refused request', async () => {
    const key = { idempotencyKey: 'refused' };
    await failure(stripe.products.create({ nome: 'x' } as never, key));
    const made = await stripe.products.create({ name: 'x' }, key);
    expect(made.name).toBe('x');
  });

  it('answers 409 while the first request is under way', async () => {
    shop.standIn.faults.add({ kind: 'latency', ms: 200, match: 'POST /v1/customers', times: 1 });
    const key = { idempotencyKey: 'slow' };
    const [first, second] = await Promise.allSettled([
      stripe.customers.create({ email: 'slow@example.com' }, key),
      stripe.customers.create({ email: 'slow@example.com' }, key),
    ]);
    const statuses = [first, second].map((one) =>
      one.status === 'fulfilled' ? 200 : (one.reason as { statusCode: number }).statusCode,
    );
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 409]);
    expect((await stripe.customers.list({ email: 'slow@example.com' })).data).toHaveLength(1);
  });

  it('lets the SDK find out what it did when the answer was cut off', async () => {
    shop.standIn.faults.add({
      kind: 'drop',
      match: 'POST /v1/customers',
      times: 1,
      when: 'after',
    });
    const made = await stripe.customers.create({ email: 'cut@example.com' });
    expect(made.lastResponse.headers['idempotent-replayed']).toBe('true');
    expect((await stripe.customers.list({ email: 'cut@example.com' })).data).toHaveLength(1);
  });
});

describe('faults of requests', () => {
  it('reach the SDK as its own error classes', async () => {
    const { faults } = shop.standIn;
    const body = { error: { type: 'invalid_request_error', message: 'slow down' } };
    faults.add({ kind: 'status', status: 429, body, match: 'GET /v1/prices', times: 1 });
    expect(await failure(stripe.prices.list())).toBeInstanceOf(Stripe.errors.StripeRateLimitError);
    faults.add({ kind: 'status', status: 500, body, match: 'GET /v1/prices', times: 1 });
    expect(await failure(stripe.prices.list())).toBeInstanceOf(Stripe.errors.StripeAPIError);
    faults.add({ kind: 'drop', match: 'GET /v1/prices', times: 2 });
    expect(await failure(stripe.prices.list())).toBeInstanceOf(Stripe.errors.StripeConnectionError);
    expect((await stripe.prices.list()).data).toHaveLength(4);
  });
});

describe('products and prices', () => {
  it('finds active prices by lookup key, with their product', async () => {
    const { data } = await stripe.prices.list({
      active: true,
      expand: ['data.product'],
      lookup_keys: ['pro', 'pack', 'nothing'],
    });
    expect(data.map(({ lookup_key }) => lookup_key)).toEqual(['pack', 'pro']);
    expect(data[0]?.product).toMatchObject({ object: 'product', name: 'Starter' });
  });

  it('filters prices by type', async () => {
    const { data } = await stripe.prices.list({ type: 'one_time' });
    expect(data.map(({ lookup_key }) => lookup_key)).toEqual(['pack']);
  });

  it('never changes an amount', async () => {
    const change = { unit_amount: 1 } as Stripe.PriceUpdateParams;
    const error = await failure(stripe.prices.update(shop.prices.pack.id, change));
    expect(error).toMatchObject({ code: 'parameter_unknown', param: 'unit_amount' });
    expect((await stripe.prices.retrieve(shop.prices.pack.id)).unit_amount).toBe(900);
  });

  it('moves a lookup key only when told to', async () => {
    const fields = { currency: 'usd', product: shop.product.id, unit_amount: 10 };
    const old = await stripe.prices.create({ ...fields, lookup_key: 'moving' });
    const error = await failure(stripe.prices.create({ ...fields, lookup_key: 'moving' }));
    expect(error).toMatchObject({ param: 'lookup_key' });
    const made = await stripe.prices.create({
      ...fields,
      lookup_key: 'moving',
      transfer_lookup_key: true,
    });
    expect(made.lookup_key).toBe('moving');
    expect((await stripe.prices.retrieve(old.id)).lookup_key).toBeNull();
  });

  it('updates a product, and unsets one key of its metadata', async () => {
    const made = await stripe.products.create({ name: 'P', metadata: { a: '1', b: '2' } });
    const changed = await stripe.products.update(made.id, { active: false, metadata: { a: '' } });
    expect(changed).toMatchObject({ active: false, metadata: { b: '2' }, name: 'P' });
    expect((await stripe.products.list({ active: false })).data.map(({ id }) => id)).toEqual([
      made.id,
    ]);
  });
});

describe('customers and lists', () => {
  it('pages newest first, in both directions', async () => {
    const ids: string[] = [];
    for (const name of ['1', '2', '3', '4', '5'])
      ids.unshift((await stripe.customers.create({ email: 'page@example.com', name })).id);
    const by = { email: 'page@example.com', limit: 2 };
    const first = await stripe.customers.list(by);
    expect(first).toMatchObject({ object: 'list', has_more: true, url: '/v1/customers' });
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const next = await stripe.customers.list({ ...by, starting_after: ids[3] ?? '' });
    expect(next.data.map(({ id }) => id)).toEqual(ids.slice(4));
    expect(next.has_more).toBe(false);
    const back = await stripe.customers.list({ ...by, ending_before: ids[4] ?? '' });
    expect(back.data.map(({ id }) => id)).toEqual(ids.slice(2, 4));
    const all = await stripe.customers.list(by).autoPagingToArray({ limit: 100 });
    expect(all.map(({ id }) => id)).toEqual(ids);
  });

  it('keeps a stub of a deleted customer', async () => {
    const { id } = await stripe.customers.create({ email: 'gone@example.com' });
    await stripe.customers.del(id);
    expect(await stripe.customers.retrieve(id)).toEqual({ id, object: 'customer', deleted: true });
    expect((await stripe.customers.list({ email: 'gone@example.com' })).data).toEqual([]);
    expect(await failure(stripe.customers.update(id, { name: 'x' }))).toMatchObject({
      code: 'resource_missing',
    });
  });
});
