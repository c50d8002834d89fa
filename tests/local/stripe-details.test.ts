import type Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { failure, latest, shop, shopForEachTest, stripe } from './stripe-client.ts';

shopForEachTest();

const endOf = (one: Stripe.Subscription) => one.items.data[0]?.current_period_end ?? 0;
const newest = (one: Stripe.Subscription) => latest(one.id);
const pack = (extra: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
  shop.checkout(shop.prices.pack.id, { mode: 'payment', ...extra });

describe('an invoice', () => {
  it('goes on by itself only while auto_advance says so', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    await shop.local('/clock', { to: endOf(subscription) });
    const { id } = await newest(subscription);
    const held = await stripe.invoices.update(id, { auto_advance: false });
    expect([held.status, held.next_payment_attempt]).toEqual(['draft', null]);
    await shop.advance(5 * 3600);
    expect((await stripe.invoices.retrieve(id)).status).toBe('draft');
    await stripe.invoices.update(id, { auto_advance: true });
    await shop.advance(2 * 3600);
    expect((await stripe.invoices.retrieve(id)).status).toBe('paid');
  });

  it('is left open by finalizing one that does not advance', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    await shop.local('/clock', { to: endOf(subscription) });
    const { id } = await newest(subscription);
    await stripe.invoices.update(id, { auto_advance: false });
    expect((await stripe.invoices.finalizeInvoice(id)).status).toBe('open');
  });

  it('asks for what the balance leaves, as a draft already', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await stripe.customers.update(customer, { balance: -500 });
    await shop.local('/clock', { to: endOf(subscription) });
    expect(await newest(subscription)).toMatchObject({ amount_due: 1500, status: 'draft' });
  });
});

describe('a schedule', () => {
  it.each<[string, object]>([
    ['lasting no interval', { duration: { interval: 'month', interval_count: 0 } }],
    ['lasting ages', { duration: { interval: 'year', interval_count: 99_999_999 } }],
    ['with other metadata', { metadata: { a: 'b' } }],
    ['that is over', { end_date: 1 }],
  ])('takes no running phase %s', async (_, extra) => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const { id } = await stripe.subscriptionSchedules.create({
      from_subscription: subscription.id,
    });
    const phase = { items: [{ price: shop.prices.starter.id }], ...extra };
    const error = await failure(stripe.subscriptionSchedules.update(id, { phases: [phase] }));
    expect(error.param).toMatch(/^phases\[0\]/);
  });
});

describe('a subscription', () => {
  it('takes the metadata of an item alone, and bills nothing for it', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const id = subscription.items.data[0]?.id ?? '';
    const items = [{ id, metadata: { seat: '7' } }];
    const after = await stripe.subscriptions.update(subscription.id, {
      items,
      proration_behavior: 'always_invoice',
    });
    expect(after.items.data[0]?.metadata).toEqual({ seat: '7' });
    expect(after.latest_invoice).toBe(subscription.latest_invoice);
  });

  it('that costs nothing needs no card', async () => {
    const { id: customer } = await stripe.customers.create({});
    const { id: coupon } = await stripe.coupons.create({ duration: 'once', percent_off: 100 });
    const made = await stripe.subscriptions.create({
      customer,
      discounts: [{ coupon }],
      items: [{ price: shop.prices.starter.id }],
    });
    expect(made.status).toBe('active');
  });

  it('takes no promotion code whose minimum it does not reach', async () => {
    const { id: coupon } = await stripe.coupons.create({ duration: 'once', percent_off: 10 });
    const { id: promotion_code } = await stripe.promotionCodes.create({
      code: 'BIG',
      promotion: { coupon, type: 'coupon' },
      restrictions: { minimum_amount: 100_000, minimum_amount_currency: 'usd' },
    });
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const change = stripe.subscriptions.update(subscription.id, {
      discounts: [{ promotion_code }],
    });
    expect((await failure(change)).param).toBe('discounts[0][promotion_code]');
  });
});

describe('a checkout page', () => {
  it('takes only the methods that its session allows', async () => {
    const card = await pack({ allowed_payment_method_types: ['card'] });
    expect((await shop.press(card.url, { action: 'async' })).code).toBe(400);
    const bank = await pack({ allowed_payment_method_types: ['us_bank_account'] });
    expect((await shop.press(bank.url, { action: 'pay' })).code).toBe(400);
    expect((await shop.press(bank.url, { action: 'async' })).code).toBe(200);
  });

  it('leaves a guest known by the charge', async () => {
    const session = await pack();
    await shop.press(session.url, { action: 'pay', email: 'guest@example.com', name: 'Grace' });
    const [charge] = (await stripe.charges.list()).data;
    expect(charge?.billing_details).toMatchObject({ email: 'guest@example.com', name: 'Grace' });
  });
});

it('evidence that was staged can be submitted later', async () => {
  await shop.subscribe(shop.prices.starter.id);
  const [charge] = (await stripe.charges.list()).data;
  await shop.local(`/charges/${charge?.id}/dispute`, {});
  const [{ id } = expect.unreachable()] = (await stripe.disputes.list()).data;
  const staged = await stripe.disputes.update(id, {
    evidence: { customer_name: 'Ada' },
    submit: false,
  });
  expect(staged.status).toBe('needs_response');
  expect((await stripe.disputes.update(id, { submit: true })).status).toBe('under_review');
});
