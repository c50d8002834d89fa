import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure, openShop, type Shop } from './stripe-client.ts';

let shop: Shop;
let stripe: Stripe;
beforeAll(async () => {
  shop = await openShop();
  stripe = shop.stripe;
});
afterAll(() => shop.standIn.close());

/** The charge of a paid pack of 900. */
async function paidCharge(): Promise<Stripe.Charge> {
  const session = await shop.checkout(shop.prices.pack.id, { mode: 'payment' });
  await shop.press(session.url, { action: 'pay' });
  const done = await stripe.checkout.sessions.retrieve(session.id, {
    expand: ['payment_intent.latest_charge'],
  });
  return (done.payment_intent as Stripe.PaymentIntent).latest_charge as Stripe.Charge;
}

describe('refunds', () => {
  it('add up on the charge, never beyond it', async () => {
    const charge = await paidCharge();
    const types = await shop.told(() => stripe.refunds.create({ amount: 300, charge: charge.id }));
    expect(types.slice(0, 2)).toEqual(['refund.created', 'charge.refunded']);
    const rest = await stripe.refunds.create({ payment_intent: charge.payment_intent as string });
    expect(rest).toMatchObject({ amount: 600, status: 'succeeded' });
    const [told] = (await stripe.events.list({ type: 'charge.refunded', limit: 1 })).data;
    expect(told?.data.object).toMatchObject({ amount_refunded: 900, refunded: true });
    expect(told?.data.previous_attributes).toEqual({ amount_refunded: 300, refunded: false });
    const error = await failure(stripe.refunds.create({ charge: charge.id }));
    expect(error.code).toBe('charge_already_refunded');
    expect((await stripe.refunds.list({ charge: charge.id })).data).toHaveLength(2);
  });

  it('of more than is left are refused', async () => {
    const charge = await paidCharge();
    const error = await failure(stripe.refunds.create({ amount: 901, charge: charge.id }));
    expect(error).toMatchObject({ param: 'amount', statusCode: 400 });
    expect((await stripe.charges.retrieve(charge.id)).amount_refunded).toBe(0);
  });

  it('can stay pending and then fail', async () => {
    const charge = await paidCharge();
    await shop.local(`/charges/${charge.id}`, { refunds: 'pending' });
    const refund = await stripe.refunds.create({ charge: charge.id });
    expect(refund.status).toBe('pending');
    const types = await shop.told(() => shop.local(`/refunds/${refund.id}`, { status: 'failed' }));
    expect(types).toContain('refund.failed');
    expect((await stripe.refunds.retrieve(refund.id)).status).toBe('failed');
    expect((await stripe.charges.retrieve(charge.id)).amount_refunded).toBe(0);
  });
});

describe('disputes', () => {
  const dispute = async (charge: Stripe.Charge, body: object = {}) => {
    const answer = await shop.local<{ dispute: Stripe.Dispute }>(
      `/charges/${charge.id}/dispute`,
      body,
    );
    return answer.dispute;
  };
  const balance = async (id: string) =>
    (await stripe.disputes.retrieve(id)).balance_transactions.map(({ amount }) => amount);

  it('take the money when opened and give it back when won', async () => {
    const charge = await paidCharge();
    let opened: Stripe.Dispute | undefined;
    const first = await shop.told(async () => {
      opened = await dispute(charge);
    });
    expect(first).toEqual(['charge.dispute.created', 'charge.dispute.funds_withdrawn']);
    const id = opened?.id ?? '';
    const refund = await failure(stripe.refunds.create({ charge: charge.id }));
    expect(refund.code).toBe('charge_disputed');
    const second = await shop.told(() => shop.local(`/disputes/${id}`, { status: 'won' }));
    expect(second).toEqual(['charge.dispute.closed', 'charge.dispute.funds_reinstated']);
    expect(await balance(id)).toEqual([-900, 900]);
  });

  it('keep the money when lost', async () => {
    const { id } = await dispute(await paidCharge(), { amount: 400 });
    const types = await shop.told(() => shop.local(`/disputes/${id}`, { status: 'lost' }));
    expect(types).toEqual(['charge.dispute.closed']);
    expect(await balance(id)).toEqual([-400]);
  });

  it('that are inquiries take no money', async () => {
    const charge = await paidCharge();
    const types = await shop.told(() => dispute(charge, { inquiry: true }));
    expect(types).toEqual(['charge.dispute.created']);
    const [open] = (await stripe.disputes.list({ charge: charge.id })).data;
    const close = await shop.told(() =>
      shop.local(`/disputes/${open?.id}`, { status: 'warning_closed' }),
    );
    expect(close).toEqual(['charge.dispute.closed']);
    expect(await balance(open?.id ?? '')).toEqual([]);
  });
});

describe('the portal', () => {
  const openPortal = async (customer: string, update?: object) => {
    const configuration = await stripe.billingPortal.configurations.create({
      features: {
        subscription_cancel: { enabled: true, mode: 'at_period_end' },
        subscription_update: {
          default_allowed_updates: ['price'],
          enabled: true,
          products: [
            { prices: [shop.prices.starter.id, shop.prices.pro.id], product: shop.product.id },
          ],
          proration_behavior: 'always_invoice',
          ...update,
        },
      },
    });
    return stripe.billingPortal.sessions.create({
      configuration: configuration.id,
      customer,
      return_url: 'https://shop.test/account',
    });
  };

  it('needs a configuration', async () => {
    const { customer } = await shop.subscribe(shop.prices.starter.id);
    const error = await failure(stripe.billingPortal.sessions.create({ customer }));
    expect(error.message).toContain('No configuration provided');
  });

  it('cancels with cancel_at alone, and takes it back', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    const { url } = await openPortal(customer);
    expect(await (await fetch(url)).text()).toContain('Cancel plan');
    await shop.press(url, { action: 'cancel', subscription: subscription.id });
    const end = subscription.items.data[0]?.current_period_end;
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      cancel_at: end,
      cancel_at_period_end: false,
      status: 'active',
    });
    await shop.press(url, { action: 'keep', subscription: subscription.id });
    expect((await stripe.subscriptions.retrieve(subscription.id)).cancel_at).toBeNull();
  });

  it('switches now, or at the end of the period where that is configured', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    const now = await openPortal(customer);
    const fields = { action: 'switch', subscription: subscription.id };
    await shop.press(now.url, { ...fields, price: shop.prices.pro.id });
    const dearer = await stripe.subscriptions.retrieve(subscription.id);
    expect(dearer.items.data[0]?.price.id).toBe(shop.prices.pro.id);
    const later = await openPortal(customer, {
      schedule_at_period_end: { conditions: [{ type: 'decreasing_item_amount' }] },
    });
    await shop.press(later.url, { ...fields, price: shop.prices.starter.id });
    const waiting = await stripe.subscriptions.retrieve(subscription.id, { expand: ['schedule'] });
    expect(waiting.items.data[0]?.price.id).toBe(shop.prices.pro.id);
    const { phases } = waiting.schedule as Stripe.SubscriptionSchedule;
    expect(phases[1]?.items[0]?.price).toBe(shop.prices.starter.id);
  });

  it('offers only the configured prices', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    const { url } = await openPortal(customer);
    const fields = { action: 'switch', subscription: subscription.id };
    const answer = await shop.press(url, { ...fields, price: shop.prices.yearly.id });
    expect(answer.code).toBe(400);
  });
});
