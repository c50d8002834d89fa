import type Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { DAY, failure, latest, shop, shopForEachTest, stripe } from './stripe-client.ts';

shopForEachTest();

describe('a trial without a card', () => {
  const trial = (missing_payment_method: 'cancel' | 'pause') =>
    shop.subscribe(shop.prices.starter.id, {
      payment_method_collection: 'if_required',
      subscription_data: {
        trial_period_days: 7,
        trial_settings: { end_behavior: { missing_payment_method } },
      },
    });

  it('is paused at its end, and resumes once there is a card', async () => {
    const { subscription, customer } = await trial('pause');
    expect(subscription.default_payment_method).toBeNull();
    const types = await shop.told(() => shop.advance(8 * DAY));
    expect(types).toEqual(['customer.subscription.trial_will_end', 'customer.subscription.paused']);
    await shop.local(`/customers/${customer}`, { card: 'ok' });
    const resumed = await shop.told(() => stripe.subscriptions.resume(subscription.id, {}));
    expect(resumed).toContain('customer.subscription.resumed');
    expect(await latest(subscription.id)).toMatchObject({ amount_paid: 2000, status: 'paid' });
    const error = await failure(stripe.subscriptions.resume(subscription.id, {}));
    expect(error.message).toContain('only a paused subscription');
  });

  it('is cancelled where that is set', async () => {
    const { subscription } = await trial('cancel');
    await shop.advance(8 * DAY);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
  });

  it('ends early on request and is billed at once', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id, {
      subscription_data: { trial_period_days: 7 },
    });
    const changed = await stripe.subscriptions.update(subscription.id, { trial_end: 'now' });
    expect(changed.status).toBe('active');
    expect(await latest(subscription.id)).toMatchObject({ amount_paid: 2000, status: 'paid' });
  });
});

describe('a bank payment of a subscription', () => {
  it('makes it active at once; the invoice is paid when the bank says so', async () => {
    const session = await shop.checkout(shop.prices.starter.id);
    await shop.press(session.url, { action: 'async' });
    const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
    expect(done).toMatchObject({ payment_status: 'unpaid', subscription: { status: 'active' } });
    expect((await latest((done.subscription as Stripe.Subscription).id)).status).toBe('open');
    const types = await shop.told(() => shop.advance(3 * DAY));
    expect(types).toEqual([
      'charge.succeeded',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
      'payment_intent.succeeded',
      'checkout.session.async_payment_succeeded',
    ]);
  });
});

describe('a bank payment that fails', () => {
  it('makes the subscription past due; its charge was made when it was begun', async () => {
    const session = await shop.checkout(shop.prices.starter.id);
    await shop.press(session.url, { action: 'async' });
    const begun = shop.standIn.now();
    await shop.advance(2 * DAY);
    const types = await shop.told(() =>
      shop.local(`/checkout/${session.id}/settle`, { outcome: 'failed' }),
    );
    expect(types).toContain('invoice.payment_failed');
    expect(types.at(-1)).toBe('checkout.session.async_payment_failed');
    const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
    expect(done).toMatchObject({ payment_status: 'unpaid', subscription: { status: 'past_due' } });
    const [charge] = (await stripe.charges.list()).data;
    expect(charge).toMatchObject({ balance_transaction: null, status: 'failed' });
    expect(charge?.created).toBeLessThanOrEqual(begun);
  });
});

describe('an open invoice', () => {
  const unpaid = async (card: string) => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await shop.local(`/customers/${customer}`, { card });
    const types = await shop.told(() => shop.local(`/renew/${subscription.id}`, {}));
    return { invoice: await latest(subscription.id), subscription, types };
  };

  it('waits for the buyer where the bank asks for 3-D Secure', async () => {
    const { types, invoice } = await unpaid('action');
    expect(types).toContain('invoice.payment_action_required');
    expect(types).not.toContain('charge.failed');
    const error = await failure(stripe.invoices.pay(invoice.id));
    expect(error.code).toBe('invoice_payment_intent_requires_action');
  });

  it('is paid on its hosted page', async () => {
    const { invoice, subscription } = await unpaid('decline');
    expect(await (await fetch(invoice.hosted_invoice_url ?? '')).text()).toContain('$20.00');
    const pdf = await fetch(invoice.invoice_pdf ?? '');
    expect((await pdf.text()).slice(0, 5)).toBe('%PDF-');
    await fetch(invoice.hosted_invoice_url ?? '', { method: 'POST' });
    expect((await stripe.invoices.retrieve(invoice.id)).status).toBe('paid');
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active');
  });

  it('can be voided, and then neither paid nor voided again', async () => {
    const { invoice } = await unpaid('decline');
    expect((await stripe.invoices.voidInvoice(invoice.id)).status).toBe('void');
    const payments = await stripe.invoicePayments.list({ invoice: invoice.id });
    expect(payments.data.map(({ status }) => status)).toEqual(['canceled']);
    expect(await failure(stripe.invoices.pay(invoice.id))).toMatchObject({ statusCode: 400 });
    expect(await failure(stripe.invoices.voidInvoice(invoice.id))).toMatchObject({
      statusCode: 400,
    });
  });

  it('can be given up and still be paid out of band', async () => {
    const { invoice } = await unpaid('decline');
    expect((await stripe.invoices.markUncollectible(invoice.id)).status).toBe('uncollectible');
    const types = await shop.told(() =>
      stripe.invoices.pay(invoice.id, { paid_out_of_band: true }),
    );
    expect(types).toContain('invoice.paid');
    expect(types).not.toContain('charge.succeeded');
  });
});

describe('a pause of collection', () => {
  it('voids the invoices of the meantime', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    await stripe.subscriptions.update(subscription.id, { pause_collection: { behavior: 'void' } });
    await shop.advance(32 * DAY);
    expect(await latest(subscription.id)).toMatchObject({ amount_paid: 0, status: 'void' });
    const on = await stripe.subscriptions.update(subscription.id, { pause_collection: '' });
    expect(on.pause_collection).toBeNull();
  });
});

describe('an ending', () => {
  it('with prorate and invoice_now credits unused time after the deletion', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    const types = await shop.told(() =>
      stripe.subscriptions.cancel(subscription.id, { invoice_now: true, prorate: true }),
    );
    expect(types.indexOf('customer.subscription.deleted')).toBeLessThan(
      types.indexOf('invoice.paid'),
    );
    expect((await latest(subscription.id)).total).toBe(-2000);
    expect((await stripe.customers.retrieve(customer)) as Stripe.Customer).toMatchObject({
      balance: -2000,
    });
  });

  it('comes with the deletion of the customer', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    const types = await shop.told(() => stripe.customers.del(customer));
    expect(types).toEqual(['customer.subscription.deleted', 'customer.deleted']);
    const full = await stripe.subscriptions.retrieve(subscription.id, { expand: ['customer'] });
    expect(full.customer).toEqual({ deleted: true, id: customer, object: 'customer' });
  });

  it('comes with a schedule that is cancelled, but not with one that is released', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const from = { from_subscription: subscription.id };
    const released = await stripe.subscriptionSchedules.create(from);
    await stripe.subscriptionSchedules.release(released.id);
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      schedule: null,
      status: 'active',
    });
    const canceled = await stripe.subscriptionSchedules.create(from);
    await stripe.subscriptionSchedules.cancel(canceled.id);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
  });
});

describe('the clock', () => {
  it('is what answers are dated by', async () => {
    await shop.local('/clock', { advance_seconds: 86_400 });
    const { lastResponse, created } = await stripe.customers.create();
    expect(Date.parse(lastResponse.headers['date'] ?? '') / 1000).toBeGreaterThanOrEqual(created);
  });
});

describe('/_local', () => {
  const post = async (path: string, body: string) =>
    (await fetch(`${shop.standIn.url}/_local${path}`, { method: 'POST', body })).status;

  it('says no to what it does not understand', async () => {
    expect(await post('/clock', '{"to":1}')).toBe(422);
    expect(await post('/clock', '{"advance_seconds":-1}')).toBe(422);
    expect(await post('/clock', 'x')).toBe(400);
    expect(await post('/customers/cus_none', '{"card":"ok"}')).toBe(404);
    expect(await post('/renew/sub_none', '{}')).toBe(404);
    expect(await post('/deliveries', '{"paused":1}')).toBe(422);
    expect(await post('/nothing', '{}')).toBe(404);
  });

  it('counts what there is', async () => {
    const state = await shop.local<{ objects: Record<string, number> }>('/state');
    expect(state.objects).toMatchObject({ price: 4, product: 1 });
  });
});

describe('an invoice', () => {
  const unpaid = async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await shop.local(`/customers/${customer}`, { card: 'decline' });
    await shop.local(`/renew/${subscription.id}`, {});
    return latest(subscription.id);
  };

  it('paid outside of Stripe calls its payment off', async () => {
    const { id } = await unpaid();
    await stripe.invoices.pay(id, { paid_out_of_band: true });
    const payments = await stripe.invoicePayments.list({ invoice: id });
    const intent = payments.data[0]?.payment.payment_intent as string;
    expect(payments.data.map(({ status }) => status)).toEqual(['canceled']);
    expect((await stripe.paymentIntents.retrieve(intent)).status).toBe('canceled');
  });

  it('waits for the bank, and is neither paid nor voided meanwhile', async () => {
    const session = await shop.checkout(shop.prices.starter.id);
    await shop.press(session.url, { action: 'async' });
    const { invoice } = await stripe.checkout.sessions.retrieve(session.id);
    const { invoices } = stripe;
    const paid = await failure(invoices.pay(invoice as string));
    const voided = await failure(invoices.voidInvoice(invoice as string));
    for (const { message } of [paid, voided]) expect(message).toContain('still processing');
  });

  it('outlives its customer: it can be voided, and nothing goes to the balance', async () => {
    const { id, customer } = await unpaid();
    await stripe.customers.del(customer as string);
    expect((await failure(stripe.invoices.pay(id))).code).toBe('card_declined');
    expect((await stripe.invoices.voidInvoice(id)).status).toBe('void');
  });

  it('tells that it is not collected any more when its subscription ends', async () => {
    const { parent } = await unpaid();
    const id = parent?.subscription_details?.subscription as string;
    const types = await shop.told(() => stripe.subscriptions.cancel(id));
    expect(types).toEqual(['invoice.updated', 'customer.subscription.deleted']);
  });
});

it('a phase begins without the code that its customer may not redeem', async () => {
  const { subscription } = await shop.subscribe(shop.prices.starter.id);
  const coupon = await stripe.coupons.create({ duration: 'once', percent_off: 10 });
  const { id: promotion_code } = await stripe.promotionCodes.create({
    promotion: { coupon: coupon.id, type: 'coupon' },
    restrictions: { first_time_transaction: true },
  });
  const { id, phases } = await stripe.subscriptionSchedules.create({
    from_subscription: subscription.id,
  });
  const { end_date = 0, start_date = 0 } = phases[0] ?? {};
  const update = (...prices: string[]) =>
    stripe.subscriptionSchedules.update(id, {
      phases: [
        { end_date, items: [{ price: shop.prices.starter.id }], start_date },
        { discounts: [{ promotion_code }], items: prices.map((price) => ({ price })) },
      ],
    });
  const mixed = await failure(update(shop.prices.pro.id, shop.prices.yearly.id));
  expect(mixed.message).toContain('the same `recurring.interval`');
  await update(shop.prices.pro.id);
  await shop.advance(32 * DAY);
  expect(await latest(subscription.id)).toMatchObject({ amount_paid: 5000, status: 'paid' });
});

it('in a trial no period begins anew, unless the trial ends', async () => {
  const { subscription } = await shop.subscribe(shop.prices.starter.id, {
    subscription_data: { trial_period_days: 7 },
  });
  const now = { billing_cycle_anchor: { type: 'now' } } as const;
  const { code } = await failure(stripe.subscriptions.update(subscription.id, now));
  expect(code).toBe('subscription_update_trial_after_billing_cycle_anchor');
  const ended = await stripe.subscriptions.update(subscription.id, { ...now, trial_end: 'now' });
  expect(ended.status).toBe('active');
});
