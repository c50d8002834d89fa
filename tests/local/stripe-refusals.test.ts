import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { failure, sdk, shop, shopForEachTest, stripe } from './stripe-client.ts';
import { startCheckedStripe } from '../support/checked-stripe.ts';

shopForEachTest();

const payer = async (card = 'ok') => {
  const { id } = await stripe.customers.create({ email: 'ada@example.com' });
  await shop.local(`/customers/${id}`, { card });
  return id;
};
const subscribed = async (extra: Partial<Stripe.SubscriptionCreateParams> = {}) =>
  stripe.subscriptions.create({
    customer: await payer(),
    items: [{ price: shop.prices.starter.id }],
    ...extra,
  });
const endOf = (one: Stripe.Subscription) => one.items.data[0]?.current_period_end ?? 0;
const post = (path: string, body: string) =>
  fetch(`${shop.standIn.url}${path}`, { method: 'POST', body });
const half = (extra: Partial<Stripe.CouponCreateParams> = {}) =>
  stripe.coupons.create({ duration: 'forever', percent_off: 50, ...extra });

describe('a request that is refused', () => {
  it('makes no customer for an expansion that there is not', async () => {
    await failure(stripe.customers.create({ email: 'x@example.com', expand: ['nope'] }));
    expect((await stripe.customers.list({ email: 'x@example.com' })).data).toEqual([]);
  });

  it('redeems no coupon', async () => {
    const { id: coupon } = await half({ max_redemptions: 1 });
    const { id: customer } = await stripe.customers.create({});
    const items = [{ price: shop.prices.starter.id }];
    await failure(stripe.subscriptions.create({ customer, discounts: [{ coupon }], items }));
    expect(await stripe.coupons.retrieve(coupon)).toMatchObject({ times_redeemed: 0, valid: true });
  });

  it('leaves a pending update as it was', async () => {
    const one = await subscribed();
    await shop.local(`/customers/${one.customer as string}`, { card: 'decline' });
    const pending = await stripe.subscriptions.update(one.id, {
      items: [{ id: one.items.data[0]?.id ?? '', price: shop.prices.pro.id }],
      payment_behavior: 'pending_if_incomplete',
      proration_behavior: 'always_invoice',
    });
    await failure(
      stripe.subscriptions.update(one.id, {
        discounts: [{ coupon: 'nope' }],
        items: [{ id: one.items.data[0]?.id ?? '', quantity: 2 }],
      }),
    );
    const invoice = await stripe.invoices.retrieve(pending.latest_invoice as string);
    expect(invoice.status).toBe('open');
  });
});

describe('a subscription', () => {
  it.each<[string, Partial<Stripe.SubscriptionCreateParams>]>([
    ['that has ended its trial', { trial_end: 1 }],
    ['of no trial days', { trial_period_days: 0 }],
    ['of a trial beyond two years', { trial_period_days: 731 }],
    ['with its trial told twice', { trial_end: 4_000_000_000, trial_period_days: 7 }],
  ])('is not made %s', async (_, extra) => {
    expect((await failure(subscribed(extra))).type).toBe('StripeInvalidRequestError');
  });

  it('is not made of an archived price, nor of one price twice', async () => {
    const { id: price } = shop.prices.starter;
    expect((await failure(subscribed({ items: [{ price }, { price }] }))).param).toBe('items');
    await stripe.prices.update(price, { active: false });
    expect((await failure(subscribed())).param).toBe('items[0][price]');
  });

  it('is made with error_if_incomplete where nothing is due', async () => {
    const customer = await payer('decline');
    const made = await subscribed({
      customer,
      payment_behavior: 'error_if_incomplete',
      trial_period_days: 7,
    });
    expect(made.status).toBe('trialing');
  });

  it('is not cancelled past its schedule', async () => {
    const one = await subscribed();
    const { id } = await stripe.subscriptionSchedules.create({ from_subscription: one.id });
    const error = await failure(
      stripe.subscriptions.update(one.id, { cancel_at_period_end: true }),
    );
    expect(error.message).toContain(id);
  });

  it('is not prorated outside of its period', async () => {
    const one = await subscribed();
    const change = { items: [{ id: one.items.data[0]?.id ?? '', price: shop.prices.pro.id }] };
    for (const proration_date of [5, endOf(one) + 1])
      expect(
        (await failure(stripe.subscriptions.update(one.id, { ...change, proration_date }))).param,
      ).toBe('proration_date');
  });
});

describe('a schedule', () => {
  it('goes on to an archived price, without a coupon that was deleted', async () => {
    const one = await subscribed();
    const { id: coupon } = await half();
    const { id } = await stripe.subscriptionSchedules.create({ from_subscription: one.id });
    const [start, end] = [one.items.data[0]?.current_period_start ?? 0, endOf(one)];
    await stripe.subscriptionSchedules.update(id, {
      phases: [
        { end_date: end, items: [{ price: shop.prices.starter.id }], start_date: start },
        { discounts: [{ coupon }], items: [{ price: shop.prices.pro.id }] },
      ],
    });
    await stripe.coupons.del(coupon);
    await stripe.prices.update(shop.prices.pro.id, { active: false });
    await shop.local('/clock', { to: end + 2 * 3600 });
    const after = await stripe.subscriptions.retrieve(one.id);
    expect([after.items.data[0]?.price.id, after.discounts]).toEqual([shop.prices.pro.id, []]);
  });

  it('does not change the phase that runs', async () => {
    const one = await subscribed();
    const { id } = await stripe.subscriptionSchedules.create({ from_subscription: one.id });
    const phase = { end_date: endOf(one), items: [{ price: shop.prices.pro.id }] };
    const change = stripe.subscriptionSchedules.update(id, { phases: [phase] });
    expect((await failure(change)).param).toBe('phases[0]');
  });
});

describe('a coupon', () => {
  it('of any name keeps the terms under which it was redeemed', async () => {
    const name = 'constructor';
    await half({ id: name });
    const one = await subscribed({ discounts: [{ coupon: name }] });
    await stripe.coupons.del(name);
    await stripe.coupons.create({ duration: 'forever', id: name, percent_off: 10 });
    await shop.local('/clock', { to: endOf(one) + 2 * 3600 });
    const [renewal] = (await stripe.invoices.list({ subscription: one.id })).data;
    expect(renewal?.amount_paid).toBe(1000);
    const newer = await subscribed({ discounts: [{ coupon: name }] });
    const first = await stripe.invoices.retrieve(newer.latest_invoice as string);
    expect(first.amount_paid).toBe(1800);
  });
});

describe('/_local', () => {
  it.each(['clock', 'tax', 'dunning', 'deliveries', 'tell'])(
    '%s refuses what is no object',
    async (name) => {
      for (const body of ['null', '[]', '7', 'x'])
        expect((await post(`/_local/${name}`, body)).status).toBe(400);
    },
  );

  it('takes no id that is none', async () => {
    const object = { id: '__proto__', object: 'checkout.session', line_items: { data: [null] } };
    const answer = await post('/_local/tell', JSON.stringify({ object, type: 'x' }));
    expect(answer.status).toBe(422);
    expect('lines' in {}).toBe(false);
  });

  it.each(['line_items', 'lines', 'items'])(
    'plants nothing whose %s are no objects',
    async (name) => {
      for (const list of [null, 7, { data: [null] }, { data: 'x' }]) {
        const object = { id: 'cs_test_told', object: 'checkout.session', [name]: list };
        const body = JSON.stringify({ object, type: 'checkout.session.completed' });
        expect((await post('/_local/tell', body)).status).toBe(422);
      }
      const told = stripe.checkout.sessions.retrieve('cs_test_told');
      expect((await failure(told)).code).toBe('resource_missing');
    },
  );

  it('lets nothing fall due for a session that it was told of', async () => {
    const session = { ...(await shop.checkout(shop.prices.starter.id)), id: 'cs_test_told' };
    await shop.local('/tell', { object: session, type: 'checkout.session.completed' });
    await shop.advance(2 * 86_400);
    expect((await stripe.checkout.sessions.retrieve('cs_test_told')).status).toBe('open');
  });

  it('disputes no part of a cent', async () => {
    await subscribed();
    const [charge] = (await stripe.charges.list()).data;
    const answer = await post(`/_local/charges/${charge?.id}/dispute`, '{"amount":1.5}');
    expect(answer.status).toBe(422);
  });
});

describe('the API', () => {
  it('tells nobody its notes', async () => {
    const { id } = await stripe.customers.create({});
    for (const expand of ['constructor', '__proto__', 'constructor.name'])
      expect((await failure(stripe.customers.retrieve(id, { expand: [expand] }))).param).toBe(
        'expand',
      );
  });

  it('takes a malformed key for none', async () => {
    const headers = { authorization: 'Basic ###' };
    expect((await fetch(`${shop.standIn.url}/v1/prices`, { headers })).status).toBe(401);
  });

  it('bills no fraction of a cent', async () => {
    const price = stripe.prices.create({
      currency: 'usd',
      product: shop.product.id,
      unit_amount_decimal: '1050.5' as unknown as Stripe.Decimal,
    });
    expect((await failure(price)).param).toBe('unit_amount_decimal');
  });
});

it('a subscription shows its price as it is, after a restart too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stripe-'));
  const options = { secretKey: 'sk_test_shop', statePath: join(folder, 'stripe.json') };
  const before = await startCheckedStripe(options);
  const first = sdk(before.port);
  const product = await first.products.create({ name: 'Plan' });
  const price = await first.prices.create({
    currency: 'usd',
    product: product.id,
    recurring: { interval: 'month' },
    unit_amount: 100,
  });
  const customer = await first.customers.create({});
  const one = await first.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    trial_period_days: 7,
  });
  await before.close();
  const after = await startCheckedStripe(options);
  const second = sdk(after.port);
  await second.prices.update(price.id, { nickname: 'renamed' });
  const [item] = (await second.subscriptions.retrieve(one.id)).items.data;
  expect(item?.price.nickname).toBe('renamed');
  await after.close();
  await rm(folder, { recursive: true });
});
