import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY, failure, openShop, type Shop } from './stripe-client.ts';

let shop: Shop;
let stripe: Stripe;
beforeAll(async () => {
  shop = await openShop();
  stripe = shop.stripe;
});
afterAll(() => shop.standIn.close());

describe('a pack', () => {
  const pack = (extra: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    shop.checkout(shop.prices.pack.id, {
      line_items: [{ price: shop.prices.pack.id, quantity: 3 }],
      mode: 'payment',
      payment_intent_data: { metadata: { user_id: 'u2' } },
      ...extra,
    });

  it('is paid at once, by a guest', async () => {
    const session = await pack({ metadata: { pack: 'p', quantity: '3' } });
    const types = await shop.told(() => shop.press(session.url, { action: 'pay' }));
    expect(types).toEqual([
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'checkout.session.completed',
    ]);
    const done = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ['payment_intent'],
    });
    expect(done).toMatchObject({ amount_total: 2700, customer: null, payment_status: 'paid' });
    expect(done.payment_intent).toMatchObject({
      amount_received: 2700,
      metadata: { user_id: 'u2' },
      status: 'succeeded',
    });
    const { data } = await stripe.checkout.sessions.listLineItems(session.id);
    expect(data).toMatchObject([{ amount_total: 2700, quantity: 3 }]);
  });

  it('tries again with the same payment intent after a decline', async () => {
    const session = await pack();
    await shop.press(session.url, { action: 'decline' });
    const tried = await stripe.checkout.sessions.retrieve(session.id);
    await shop.press(session.url, { action: 'pay' });
    const paid = await stripe.checkout.sessions.retrieve(session.id);
    expect(paid.payment_intent).toBe(tried.payment_intent);
    const charges = await stripe.charges.list({ payment_intent: paid.payment_intent as string });
    expect(charges.data.map(({ status }) => status)).toEqual(['succeeded', 'failed']);
  });

  it('settles a bank payment later, for better or worse', async () => {
    for (const outcome of ['succeeded', 'failed']) {
      const session = await pack();
      const first = await shop.told(() => shop.press(session.url, { action: 'async' }));
      expect(first).toEqual([
        'payment_intent.created',
        'charge.pending',
        'payment_intent.processing',
        'checkout.session.completed',
      ]);
      const waiting = await stripe.checkout.sessions.retrieve(session.id);
      expect(waiting).toMatchObject({ payment_status: 'unpaid', status: 'complete' });
      const later = await shop.told(() =>
        shop.local(`/checkout/${session.id}/settle`, { outcome }),
      );
      expect(later.at(-1)).toBe(`checkout.session.async_payment_${outcome}`);
      const settled = await stripe.checkout.sessions.retrieve(session.id);
      expect(settled.payment_status).toBe(outcome === 'succeeded' ? 'paid' : 'unpaid');
    }
  });

  it('shows on intent and charge what it was asked to', async () => {
    const session = await pack({
      allowed_payment_method_types: ['card', 'us_bank_account'],
      payment_intent_data: { receipt_email: 'r@example.com', statement_descriptor: 'ROWLOOM' },
    });
    await shop.press(session.url, { action: 'async' });
    await shop.advance(3 * DAY);
    const { payment_intent: intent } = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ['payment_intent.latest_charge.balance_transaction'],
    });
    const shown = { receipt_email: 'r@example.com', statement_descriptor: 'ROWLOOM' };
    expect(intent).toMatchObject({
      ...shown,
      latest_charge: {
        ...shown,
        balance_transaction: { amount: 2700, type: 'payment' },
        payment_method_details: { type: 'us_bank_account' },
      },
      payment_method_types: ['card', 'us_bank_account'],
    });
    const charge = (intent as Stripe.PaymentIntent).latest_charge as Stripe.Charge;
    const entry = charge.balance_transaction as Stripe.BalanceTransaction;
    expect(entry.created - charge.created).toBe(3 * DAY);
  });

  it('makes a customer when asked to', async () => {
    const session = await pack({ customer_creation: 'always', customer_email: 'c@example.com' });
    await shop.press(session.url, { action: 'pay' });
    const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ['customer'] });
    expect(done.customer).toMatchObject({ email: 'c@example.com' });
  });
});

describe('sessions', () => {
  it('hand on what they know of the subscription', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id, {
      subscription_data: { billing_mode: { type: 'classic' }, description: 'Gold' },
    });
    expect(subscription).toMatchObject({ billing_mode: { type: 'classic' }, description: 'Gold' });
  });

  it('expire by themselves and on request', async () => {
    const asked = await shop.checkout(shop.prices.starter.id);
    const left = await shop.checkout(shop.prices.starter.id);
    expect((await stripe.checkout.sessions.expire(asked.id)).status).toBe('expired');
    expect(await failure(stripe.checkout.sessions.expire(asked.id))).toMatchObject({
      statusCode: 400,
    });
    const types = await shop.told(() => shop.advance(DAY + 1));
    expect(types.filter((type) => type === 'checkout.session.expired')).toHaveLength(1);
    expect((await stripe.checkout.sessions.retrieve(left.id)).status).toBe('expired');
  });

  it.each([
    ['a recurring price in payment mode', { mode: 'payment' }, 'passed a recurring price'],
    [
      'two ways to name the buyer',
      { customer: 'cus_x', customer_email: 'x@example.com' },
      'only specify one',
    ],
    [
      'payment data of the other mode',
      { payment_intent_data: { metadata: {} } },
      'payment_intent_data',
    ],
    ['an address that is none', { success_url: 'nowhere' }, 'Not a valid URL'],
    ['another currency', { currency: 'eur' }, 'currency'],
    ['an update of no customer', { customer_update: { name: 'auto' } }, 'customer_update'],
    ['an expiry too far away', { expires_at: 4_000_000_000 }, 'between 30 minutes and 24 hours'],
  ] as const)('refuse %s', async (_, extra, message) => {
    const params = extra as unknown as Partial<Stripe.Checkout.SessionCreateParams>;
    const filled =
      'payment_intent_data' in extra ? { payment_intent_data: { description: 'x' } } : params;
    const error = await failure(shop.checkout(shop.prices.starter.id, filled));
    expect(error.message).toContain(message);
  });

  it('refuse an inactive price', async () => {
    const old = await stripe.prices.create({
      currency: 'usd',
      product: shop.product.id,
      unit_amount: 5,
    });
    await stripe.prices.update(old.id, { active: false });
    const error = await failure(shop.checkout(old.id, { mode: 'payment' }));
    expect(error.message).toContain('inactive');
  });
});
