import type Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { failure, shop, shopForEachTest, stripe } from './stripe-client.ts';

shopForEachTest();

const archive = (price: string) => stripe.prices.update(price, { active: false });

describe('what is archived', () => {
  test('stays readable, and is listed only to who asks for it', async () => {
    const { pack } = shop.prices;
    await archive(pack.id);
    const ids = async (active?: boolean) =>
      (await stripe.prices.list(active === undefined ? {} : { active })).data.map(({ id }) => id);
    expect(await ids(true)).not.toContain(pack.id);
    expect(await ids(false)).toEqual([pack.id]);
    expect(await ids()).toContain(pack.id);
    expect((await stripe.prices.retrieve(pack.id)).active).toBe(false);
    expect((await failure(shop.checkout(pack.id, { mode: 'payment' }))).message).toMatch(
      /inactive/,
    );
  });

  test('of a product leaves its prices active, and sells none of them', async () => {
    const told = await shop.told(() => stripe.products.update(shop.product.id, { active: false }));
    expect(told).toEqual(['product.updated']);
    expect((await stripe.prices.list({ active: true })).data).toHaveLength(4);
    expect((await stripe.products.list({ active: true })).data).toEqual([]);
    const refused = await failure(shop.checkout(shop.prices.starter.id));
    expect(refused.message).toMatch(/its product is not active/);
    await stripe.products.update(shop.product.id, { active: true });
    await shop.subscribe(shop.prices.starter.id);
  });

  test('goes on for who has it', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    await archive(shop.prices.starter.id);
    await stripe.products.update(shop.product.id, { active: false });
    await shop.local(`/renew/${subscription.id}`, {});
    const { data } = await stripe.invoices.list({ subscription: subscription.id });
    expect(data.map(({ status }) => status)).toEqual(['paid', 'paid']);
  });

  test('is not the default price of its product', async () => {
    const { pack } = shop.prices;
    await stripe.products.update(shop.product.id, { default_price: pack.id });
    const refused = await failure(archive(pack.id));
    expect(refused.message).toBe(
      'This price cannot be archived because it is the default price of its product.',
    );
    await stripe.products.update(shop.product.id, { default_price: '' });
    expect((await archive(pack.id)).active).toBe(false);
  });
});

test('a deleted customer ends his subscriptions, and all that was his stays', async () => {
  const { customer, subscription, session } = await shop.subscribe(shop.prices.starter.id);
  const told = await shop.told(() => stripe.customers.del(customer));
  expect(told).toEqual(['customer.subscription.deleted', 'customer.deleted']);
  expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
    cancellation_details: { reason: 'cancellation_requested' },
    customer,
    status: 'canceled',
  });
  expect(await stripe.customers.retrieve(customer)).toEqual(
    expect.objectContaining({ deleted: true, id: customer }),
  );
  expect((await stripe.customers.list()).data).toEqual([]);
  const { data } = await stripe.invoices.list({ customer, expand: ['data.customer'] });
  expect(data.map(({ id }) => id)).toEqual([session.invoice]);
  expect(data[0]?.customer).toMatchObject({ deleted: true, id: customer });
  expect((await stripe.charges.list({ customer })).data).toHaveLength(1);
  expect((await stripe.checkout.sessions.list({ customer })).data).toHaveLength(1);
  const refused = await failure(shop.checkout(shop.prices.starter.id, { customer }));
  expect(refused).toMatchObject({ code: 'resource_missing', param: 'customer' });
});

describe('tax', () => {
  const taxed = (price: string) => shop.checkout(price, { automatic_tax: { enabled: true } });

  test('settings are read as they are switched', async () => {
    expect(await stripe.tax.settings.retrieve()).toMatchObject({
      defaults: { tax_behavior: 'exclusive' },
      object: 'tax.settings',
      status: 'active',
      status_details: { active: {} },
    });
    await shop.local('/tax/settings', { status: 'pending', tax_behavior: null });
    expect(await stripe.tax.settings.retrieve()).toMatchObject({
      defaults: { tax_behavior: null },
      head_office: null,
      status: 'pending',
      status_details: { pending: { missing_fields: ['head_office'] } },
    });
  });

  test('is not computed for an account that is not ready, nor for a price that does not say how', async () => {
    const { starter } = shop.prices;
    await shop.local('/tax/settings', { status: 'pending' });
    expect((await failure(taxed(starter.id))).message).toMatch(/valid head office address/);
    await shop.checkout(starter.id);
    await shop.local('/tax/settings', { status: 'active', tax_behavior: null });
    expect((await failure(taxed(starter.id))).message).toMatch(/tax_behavior/);
    await stripe.prices.update(starter.id, { tax_behavior: 'inclusive' });
    await taxed(starter.id);
  });

  test.each([
    ['exclusive', 2200],
    ['inclusive', 2000],
    ['inferred_by_currency', 2200],
  ])('is %s by default', async (tax_behavior, total) => {
    await shop.local('/tax', { percent: 10 });
    await shop.local('/tax/settings', { tax_behavior });
    const { session } = await shop.subscribe(shop.prices.starter.id, {
      automatic_tax: { enabled: true },
    });
    expect(session.amount_total).toBe(total);
  });

  test('behavior of a price is said once', async () => {
    const price = await stripe.prices.create({
      currency: 'usd',
      product: shop.product.id,
      tax_behavior: 'unspecified',
      unit_amount: 100,
    });
    const say = (tax_behavior: 'exclusive' | 'inclusive') =>
      stripe.prices.update(price.id, { tax_behavior });
    expect((await say('inclusive')).tax_behavior).toBe('inclusive');
    expect(await failure(say('exclusive'))).toMatchObject({ param: 'tax_behavior' });
    expect((await stripe.prices.retrieve(price.id)).tax_behavior).toBe('inclusive');
  });
});

describe('a portal that takes promotion codes', () => {
  const open = async (default_allowed_updates: ('price' | 'promotion_code')[]) => {
    const { starter, pro } = shop.prices;
    const { customer, subscription } = await shop.subscribe(starter.id);
    const products = [{ prices: [starter.id, pro.id], product: shop.product.id }];
    const configuration = await stripe.billingPortal.configurations.create({
      features: { subscription_update: { default_allowed_updates, enabled: true, products } },
    });
    const { url } = await stripe.billingPortal.sessions.create({
      configuration: configuration.id,
      customer,
    });
    const coupon = await stripe.coupons.create({ duration: 'forever', percent_off: 50 });
    await stripe.promotionCodes.create({
      code: 'HALF',
      promotion: { coupon: coupon.id, type: 'coupon' },
    });
    const fields = { action: 'switch', price: pro.id, promotion_code: 'HALF' };
    const pressed = await shop.press(url, { ...fields, subscription: subscription.id });
    return { configuration, pressed, subscription: subscription.id };
  };

  test('gives the discount with the switch', async () => {
    const { configuration, pressed, subscription } = await open(['price', 'promotion_code']);
    expect(configuration.features.subscription_update.default_allowed_updates).toEqual([
      'price',
      'promotion_code',
    ]);
    expect(pressed.code).toBe(200);
    const one: Stripe.Subscription = await stripe.subscriptions.retrieve(subscription);
    expect(one.items.data[0]?.price.id).toBe(shop.prices.pro.id);
    expect(one.discounts).toHaveLength(1);
  });

  test('is one that says so', async () => {
    const { pressed } = await open(['price']);
    expect(pressed).toMatchObject({ code: 400, error: expect.stringMatching(/no promotion/) });
  });
});
