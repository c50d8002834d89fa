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

  /** The money of a charge on the account's balance, as its transactions have it. */
  const entries = async (sources: string[]) => {
    const lists = await Promise.all(
      sources.map((source) => stripe.balanceTransactions.list({ source })),
    );
    return lists.flatMap(({ data }) =>
      data.map(({ type, amount, fee, net }) => [type, amount, net + fee]).toReversed(),
    );
  };

  it('can stay pending, succeed, and fail after all', async () => {
    const charge = await paidCharge();
    await shop.local(`/charges/${charge.id}`, { refunds: 'pending' });
    const refund = await stripe.refunds.create({ charge: charge.id });
    expect(refund).toMatchObject({ pending_reason: 'processing', status: 'pending' });
    const good = await shop.told(() =>
      shop.local(`/refunds/${refund.id}`, { status: 'succeeded' }),
    );
    expect(good).toEqual(['refund.updated', 'charge.refund.updated']);
    const [told] = (await stripe.events.list({ type: 'refund.updated', limit: 1 })).data;
    expect(told?.data.previous_attributes).toMatchObject({ status: 'pending' });
    const types = await shop.told(() => shop.local(`/refunds/${refund.id}`, { status: 'failed' }));
    expect(types).toEqual([
      'refund.updated',
      'charge.refund.updated',
      'refund.failed',
      'charge.updated',
    ]);
    const failed = await stripe.refunds.retrieve(refund.id, {
      expand: ['failure_balance_transaction'],
    });
    expect(failed).toMatchObject({
      failure_balance_transaction: { amount: 900, type: 'refund_failure' },
      failure_reason: 'lost_or_stolen_card',
      status: 'failed',
    });
    expect(await stripe.charges.retrieve(charge.id)).toMatchObject({
      amount_refunded: 0,
      refunded: false,
    });
    expect(await entries([charge.id, refund.id])).toEqual([
      ['charge', 900, 900],
      ['refund', -900, -900],
      ['refund_failure', 900, 900],
    ]);
  });

  it('that wait for the buyer can be cancelled, and only those', async () => {
    const charge = await paidCharge();
    await shop.local(`/charges/${charge.id}`, { refunds: 'requires_action' });
    const refund = await stripe.refunds.create({
      amount: 400,
      charge: charge.id,
      instructions_email: 'ada@example.com',
    });
    expect(refund.next_action?.display_details?.email_sent.email_sent_to).toBe('ada@example.com');
    const canceled = await stripe.refunds.cancel(refund.id);
    expect(canceled).toMatchObject({ failure_reason: 'merchant_request', status: 'canceled' });
    expect((await stripe.charges.retrieve(charge.id)).amount_refunded).toBe(0);
    expect(await failure(stripe.refunds.cancel(refund.id))).toMatchObject({ statusCode: 400 });
    const { id } = await stripe.refunds.create({ charge: charge.id });
    expect(await failure(stripe.refunds.cancel(id))).toMatchObject({ statusCode: 400 });
  });

  it('and charges stand on the balance with their fee, pending for two days', async () => {
    const charge = await paidCharge();
    const read = () => stripe.balanceTransactions.retrieve(charge.balance_transaction as string);
    const entry = await read();
    expect(entry).toMatchObject({ amount: 900, fee: 56, net: 844, status: 'pending' });
    expect(entry.source).toBe(charge.id);
    await shop.advance(entry.available_on - entry.created);
    expect((await read()).status).toBe('available');
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
  const previous = async (type: Stripe.Event['type']) =>
    (await stripe.events.list({ type, limit: 1 })).data[0]?.data.previous_attributes;

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
    await stripe.disputes.update(id, { evidence: { product_description: 'x' }, submit: false });
    expect((await stripe.disputes.retrieve(id)).status).toBe('needs_response');
    const answered = await stripe.disputes.update(id, { evidence: { customer_name: 'Ada' } });
    expect(answered).toMatchObject({
      evidence: { customer_name: 'Ada', product_description: 'x' },
      evidence_details: { has_evidence: true, submission_count: 1 },
      status: 'under_review',
    });
    expect(await previous('charge.dispute.updated')).toMatchObject({ status: 'needs_response' });
    await shop.advance(20 * DAY);
    const second = await shop.told(() => shop.local(`/disputes/${id}`, { status: 'won' }));
    expect(second).toEqual(['charge.dispute.closed', 'charge.dispute.funds_reinstated']);
    expect(await previous('charge.dispute.closed')).toEqual({ status: 'under_review' });
    expect(await balance(id)).toEqual([-900, 900]);
    const { balance_transactions: entries } = await stripe.disputes.retrieve(id);
    const [out, back] = entries;
    expect((back?.created ?? 0) - (out?.created ?? 0)).toBeGreaterThanOrEqual(20 * DAY);
    expect(await stripe.balanceTransactions.retrieve(back?.id ?? '')).toEqual(back);
    expect((await stripe.refunds.create({ charge: charge.id })).amount).toBe(900);
  });

  it('keep the money when lost, by hand or because nobody answered', async () => {
    const { id } = await dispute(await paidCharge(), { amount: 400 });
    const types = await shop.told(() => shop.local(`/disputes/${id}`, { status: 'lost' }));
    expect(types).toEqual(['charge.dispute.closed']);
    expect(await balance(id)).toEqual([-400]);
    const part = await dispute(await paidCharge());
    const told = await shop.told(() =>
      shop.local(`/disputes/${part.id}`, { reinstated: 300, status: 'lost' }),
    );
    expect(told).toEqual(['charge.dispute.closed', 'charge.dispute.funds_reinstated']);
    expect(await balance(part.id)).toEqual([-900, 300]);
    const left = await dispute(await paidCharge());
    await shop.advance(15 * DAY);
    expect((await stripe.disputes.retrieve(left.id)).status).toBe('lost');
  });

  it('that are inquiries take no money until they escalate', async () => {
    const charge = await paidCharge();
    const types = await shop.told(() => dispute(charge, { inquiry: true }));
    expect(types).toEqual(['charge.dispute.created']);
    const [open] = (await stripe.disputes.list({ charge: charge.id })).data;
    const id = open?.id ?? '';
    const answered = await stripe.disputes.update(id, { evidence: { customer_name: 'Ada' } });
    expect(answered).toMatchObject({ is_charge_refundable: true, status: 'warning_under_review' });
    const close = await shop.told(() =>
      shop.local(`/disputes/${id}`, { status: 'warning_closed' }),
    );
    expect(close).toEqual(['charge.dispute.closed']);
    expect(await balance(id)).toEqual([]);
    const other = await paidCharge();
    const asked = await dispute(other, { inquiry: true });
    await stripe.refunds.create({ charge: other.id });
    await shop.advance(1);
    expect((await stripe.disputes.retrieve(asked.id)).status).toBe('warning_closed');
    const second = await dispute(charge, { inquiry: true });
    const escalated = await shop.told(() =>
      shop.local(`/disputes/${second.id}`, { status: 'needs_response' }),
    );
    expect(escalated).toEqual(['charge.dispute.updated', 'charge.dispute.funds_withdrawn']);
    expect(await balance(second.id)).toEqual([-900]);
  });

  it('that are prevented are over at once: refunded where resolved, nothing where blocked', async () => {
    const [blocked, resolved] = [await paidCharge(), await paidCharge()];
    expect(await shop.told(() => dispute(blocked, { kind: 'block' }))).toEqual([
      'charge.dispute.created',
    ]);
    const types = await shop.told(() => dispute(resolved, { kind: 'resolution' }));
    expect(types.slice(0, 3)).toEqual([
      'charge.dispute.created',
      'refund.created',
      'charge.refunded',
    ]);
    const [one] = (await stripe.disputes.list({ charge: resolved.id })).data;
    expect(one).toMatchObject({ balance_transactions: [], status: 'prevented' });
    expect((await stripe.charges.retrieve(resolved.id)).refunded).toBe(true);
    expect((await stripe.charges.retrieve(blocked.id)).refunded).toBe(false);
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
