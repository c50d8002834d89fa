import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAY, openShop, type Shop } from './stripe-client.ts';

/** Everything here only reads, so one shop with a past serves every test. */
let shop: Shop;
let stripe: Stripe;
let types: string[];

const customers = 40;
beforeAll(async () => {
  shop = await openShop();
  stripe = shop.stripe;
  await shop.local('/past', {
    users: Array.from({ length: customers }, (_, index) => `u-${index}`),
    plan: shop.prices.starter.id,
    pack: shop.prices.pack.id,
    refundEvery: 8,
    disputeEvery: 10,
    marks: {
      customer: { user_id: '{user}' },
      pack: { user_id: '{user}', pack: 'small' },
      plan: { user_id: '{user}', plan: 'starter' },
      reference: '{user}',
      subscription: { user_id: '{user}' },
    },
  });
  types = await shop.types();
});
afterAll(() => shop.standIn.close());

/** Every object of a list, page by page. */
async function every<T extends { id: string }>(
  list: (page: { limit: number; starting_after?: string }) => Promise<Stripe.ApiList<T>>,
): Promise<T[]> {
  const all: T[] = [];
  for (;;) {
    const last = all.at(-1)?.id;
    const { data, has_more } = await list({
      limit: 7,
      ...(last !== undefined && { starting_after: last }),
    });
    all.push(...data);
    if (!has_more) return all;
  }
}

describe('a past that was made', () => {
  test('has no events, and nothing of it falls due at once', async () => {
    expect(new Set(types)).toEqual(new Set(['product.created', 'price.created']));
    await shop.local('/clock', { advance_seconds: 60 });
    expect(await shop.types()).toHaveLength(types.length);
  });

  test('gives each customer a subscription that has paid for every month until now', async () => {
    const subscriptions = await every((page) =>
      stripe.subscriptions.list({ ...page, status: 'all' }),
    );
    expect(subscriptions).toHaveLength(customers);
    const ended = subscriptions.filter(({ status }) => status === 'canceled');
    expect(ended).toHaveLength(customers / 20);
    for (const one of subscriptions) {
      const { data } = await stripe.invoices.list({ subscription: one.id });
      expect(data.map(({ status }) => status)).toEqual(['paid', 'paid', 'paid', 'paid']);
      const [item] = one.items.data;
      if (one.ended_at === null)
        expect(item?.current_period_end).toBeGreaterThan(shop.standIn.now());
      expect(one.latest_invoice).toBe(data[0]?.id);
      expect(one.metadata).toEqual({ user_id: expect.stringMatching(/^u-\d+$/) as string });
    }
  });

  test('marks what a shop would mark, and sells packs to guests', async () => {
    const sessions = await every((page) => stripe.checkout.sessions.list(page));
    const packs = sessions.filter(({ mode }) => mode === 'payment');
    expect(packs).toHaveLength(customers / 4);
    for (const pack of packs)
      expect(pack).toMatchObject({
        customer: null,
        metadata: { pack: 'small', user_id: pack.client_reference_id },
        payment_status: 'paid',
      });
    const [customer] = (await stripe.customers.list({ email: 'user7@example.com' })).data;
    expect(customer?.metadata).toEqual({ user_id: 'u-7' });
  });

  test('renews after it as any other does', async () => {
    const renewing = await openShop();
    renewing.standIn.makePast({ customers: 2, plan: renewing.prices.starter.id, cancelEvery: 0 });
    await renewing.advance(32 * DAY);
    const invoices = await renewing.stripe.invoices.list({ limit: 100 });
    expect(invoices.data.filter(({ status }) => status === 'paid').length).toBeGreaterThan(8);
    expect(await renewing.types()).toContain('invoice.paid');
    await renewing.standIn.close();
  });
});

describe('a list', () => {
  test('goes through everything once, newest first', async () => {
    const invoices = await every((page) => stripe.invoices.list(page));
    expect(invoices).toHaveLength(4 * customers);
    expect(new Set(invoices.map(({ id }) => id)).size).toBe(invoices.length);
    const created = invoices.map((one) => one.created);
    expect(created).toEqual(created.toSorted((a, b) => b - a));
  });

  test('keeps to a range of creation times, with its ends or without', async () => {
    const all = await every((page) => stripe.invoices.list(page));
    const [late, early] = [all[20]?.created ?? 0, all[90]?.created ?? 0];
    const ids = async (created: Stripe.RangeQueryParam) =>
      (await every((page) => stripe.invoices.list({ ...page, created }))).map(({ id }) => id);
    const within = (test: (at: number) => boolean) =>
      all.filter((one) => test(one.created)).map(({ id }) => id);
    expect(await ids({ gte: early, lte: late })).toEqual(within((at) => at >= early && at <= late));
    expect(await ids({ gt: early, lt: late })).toEqual(within((at) => at > early && at < late));
  });

  test('keeps to it also where something older was told of later', async () => {
    const told = await openShop();
    const young = await told.stripe.customers.create({ email: 'young@example.com' });
    const old = { ...young, id: 'cus_old', created: young.created - 100 * DAY };
    const object = JSON.parse(JSON.stringify(old)) as Stripe.Customer;
    told.standIn.tell({ type: 'customer.created', object });
    const ids = async (created: Stripe.RangeQueryParam) =>
      (await told.stripe.customers.list({ created })).data.map(({ id }) => id);
    expect(await ids({ lt: young.created })).toEqual(['cus_old']);
    expect(await ids({ gte: young.created })).toEqual([young.id]);
    await told.standIn.close();
  });

  test('goes back by ending_before', async () => {
    const { data: all } = await stripe.invoices.list({ limit: 30 });
    const page = await stripe.invoices.list({ ending_before: all[20]?.id ?? '', limit: 5 });
    expect(page.data.map(({ id }) => id)).toEqual(all.slice(15, 20).map(({ id }) => id));
    expect(page.has_more).toBe(true);
  });

  test('finds what belongs to a customer, a payment, a charge', async () => {
    const [dispute] = (await stripe.disputes.list()).data;
    const charge = dispute?.charge as string;
    const payment = dispute?.payment_intent as string;
    const { customer } = await stripe.charges.retrieve(charge);
    const ofOne = { customer: customer as string };
    expect((await stripe.disputes.list({ charge })).data).toEqual([dispute]);
    expect((await stripe.disputes.list({ payment_intent: payment })).data).toEqual([dispute]);
    expect((await stripe.charges.list({ payment_intent: payment })).data).toHaveLength(1);
    expect((await stripe.charges.list(ofOne)).data).toHaveLength(4);
    expect((await stripe.invoices.list({ ...ofOne, status: 'paid' })).data).toHaveLength(4);
    expect((await stripe.invoices.list({ ...ofOne, status: 'open' })).data).toEqual([]);
    const [subscription] = (await stripe.subscriptions.list(ofOne)).data;
    const sold = await stripe.checkout.sessions.list({ subscription: subscription?.id ?? '' });
    expect(sold.data.map((one) => one.customer)).toEqual([customer]);
    const paid = await stripe.invoicePayments.list({
      payment: { type: 'payment_intent', payment_intent: payment },
    });
    expect(paid.data.map(({ invoice }) => invoice)).toEqual([subscription?.latest_invoice]);
  });

  test('finds the session and the refunds of a payment', async () => {
    const [refund] = (await stripe.refunds.list()).data;
    const charge = refund?.charge as string;
    expect((await stripe.refunds.list({ charge })).data).toEqual([refund]);
    const guests = await stripe.checkout.sessions.list({ limit: 100, status: 'complete' });
    const pack = guests.data.find(({ mode }) => mode === 'payment');
    const payment_intent = pack?.payment_intent as string;
    expect((await stripe.checkout.sessions.list({ payment_intent })).data).toEqual([pack]);
    const lines = await stripe.checkout.sessions.listLineItems(pack?.id ?? '');
    expect(lines.data.map(({ price }) => price?.id)).toEqual([shop.prices.pack.id]);
  });

  test('leaves out the canceled subscriptions unless it is asked for them', async () => {
    const count = async (status?: 'all' | 'canceled' | 'active') =>
      (await every((page) => stripe.subscriptions.list({ ...page, ...(status && { status }) })))
        .length;
    expect([await count(), await count('active')]).toEqual([38, 38]);
    expect([await count('canceled'), await count('all')]).toEqual([2, 40]);
  });

  test('expands down to the fee of a payment, and nothing that is kept changes by it', async () => {
    const list = () => stripe.checkout.sessions.list({ limit: 50 });
    const before = await list();
    const sessions = await stripe.checkout.sessions.list({
      expand: ['data.payment_intent.latest_charge.balance_transaction', 'data.customer'],
      limit: 50,
    });
    const guest = sessions.data.find(({ mode }) => mode === 'payment');
    const intent = guest?.payment_intent as Stripe.PaymentIntent;
    const charge = intent.latest_charge as Stripe.Charge;
    expect((charge.balance_transaction as Stripe.BalanceTransaction).fee).toBe(56);
    const plan = sessions.data.find(({ mode }) => mode === 'subscription');
    expect(plan?.customer).toMatchObject({
      email: expect.stringMatching(/^user\d+@example\.com$/) as string,
    });
    expect((await list()).data).toEqual(before.data);
    const [one] = (await stripe.subscriptions.list({ expand: ['data.latest_invoice'] })).data;
    expect(one?.latest_invoice).toMatchObject({ status: 'paid' });
    const [dispute] = (await stripe.disputes.list({ expand: ['data.charge.customer'] })).data;
    expect(dispute?.charge).toMatchObject({ customer: { object: 'customer' } });
  });
});
