import type Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { DAY, failure, listenForHooks, shop, shopForEachTest, stripe } from './stripe-client.ts';

shopForEachTest();

type Opened = { session: Stripe.Checkout.Session };
const follow = async (body: Record<string, unknown>) =>
  (await shop.local<Opened>('/payment-link-session', body)).session;
const pack = () => [{ price: shop.prices.pack.id }];
const plan = () => [{ price: shop.prices.starter.id }];
const pay = (session: Stripe.Checkout.Session, fields: Record<string, string> = {}) =>
  shop.press(session.url, { action: 'pay', ...fields });

describe('a Payment Link', () => {
  test('sells a pack to a guest: a reference of his choice, no metadata, no customer', async () => {
    const opened = await follow({
      mode: 'payment',
      line_items: pack(),
      client_reference_id: 'somebody-else',
    });
    await pay(opened, { email: 'guest@example.com' });
    const session = await stripe.checkout.sessions.retrieve(opened.id, {
      expand: ['payment_intent', 'payment_link'],
    });
    expect(session).toMatchObject({
      client_reference_id: 'somebody-else',
      customer: null,
      customer_creation: 'if_required',
      customer_details: { email: 'guest@example.com' },
      metadata: {},
      payment_status: 'paid',
    });
    expect((session.payment_intent as Stripe.PaymentIntent).metadata).toEqual({});
    expect(session.payment_link).toMatchObject({ active: true, object: 'payment_link' });
    expect((await stripe.customers.list()).data).toEqual([]);
  });

  test('makes a customer where it always does, by the e-mail that was typed', async () => {
    const line_items = pack();
    const opened = await follow({ mode: 'payment', line_items, customer_creation: 'always' });
    await pay(opened, { email: 'typed@example.com' });
    const { customer } = await stripe.checkout.sessions.retrieve(opened.id);
    expect(await stripe.customers.retrieve(customer as string)).toMatchObject({
      email: 'typed@example.com',
      metadata: {},
    });
  });

  test('sells a plan to a new customer, whoever the e-mail belongs to', async () => {
    const known = await stripe.customers.create({ email: 'ada@example.com' });
    const opened = await follow({ mode: 'subscription', line_items: plan() });
    await pay(opened, { email: 'ada@example.com' });
    const session = await stripe.checkout.sessions.retrieve(opened.id, {
      expand: ['subscription'],
    });
    expect(session.customer).not.toBe(known.id);
    expect((session.subscription as Stripe.Subscription).metadata).toEqual({});
    const customers = await stripe.customers.list({ email: 'ada@example.com' });
    expect(customers.data.map(({ id }) => id)).toEqual([session.customer, known.id]);
  });

  test('takes its own metadata to every session, and the prefilled e-mail unless another is typed', async () => {
    const first = await follow({
      mode: 'payment',
      line_items: pack(),
      metadata: { campaign: 'autumn' },
      prefilled_email: 'ada@example.com',
    });
    const again = await follow({
      mode: 'payment',
      line_items: pack(),
      payment_link: first.payment_link,
      prefilled_email: 'ada@example.com',
    });
    await pay(first);
    await pay(again, { email: 'other@example.com' });
    const read = await Promise.all(
      [first, again].map(({ id }) => stripe.checkout.sessions.retrieve(id)),
    );
    expect(read.map(({ metadata }) => metadata)).toEqual([
      { campaign: 'autumn' },
      { campaign: 'autumn' },
    ]);
    expect(read.map((one) => one.customer_details?.email)).toEqual([
      'ada@example.com',
      'other@example.com',
    ]);
  });

  test('drops a reference that is none, and a pricing table has no link', async () => {
    const odd = { mode: 'payment', line_items: pack(), client_reference_id: 'a b' };
    expect((await follow(odd)).client_reference_id).toBeNull();
    const table = { mode: 'subscription', line_items: plan(), pricing_table: true };
    expect(await follow(table)).toMatchObject({ metadata: {}, payment_link: null });
  });

  test.each([
    { mode: 'subscription', customer_creation: 'always' },
    { mode: 'payment', pricing_table: true, metadata: { a: 'b' } },
    { mode: 'setup' },
    { mode: 'payment', customer: 'cus_1' },
  ])('%j is no link', async (body) => {
    await expect(follow({ line_items: pack(), ...body })).rejects.toThrow(/422/);
  });
});

describe('an early fraud warning', () => {
  const warned = async () => {
    const { session } = await shop.subscribe(shop.prices.starter.id);
    const [payment] = (await stripe.invoicePayments.list({ invoice: session.invoice as string }))
      .data;
    const [charge] = (
      await stripe.charges.list({ payment_intent: payment?.payment.payment_intent as string })
    ).data;
    const { warning } = await shop.local<{ warning: Stripe.Radar.EarlyFraudWarning }>(
      `/charges/${charge?.id}/fraud-warning`,
      { fraud_type: 'misc' },
    );
    return { charge: charge?.id ?? '', warning };
  };

  test('is told once, and again when the whole charge was given back', async () => {
    const { charge, warning } = await warned();
    expect(warning).toMatchObject({ actionable: true, charge, fraud_type: 'misc' });
    const partly = await shop.told(() => stripe.refunds.create({ amount: 500, charge }));
    expect(partly).not.toContain('radar.early_fraud_warning.updated');
    const wholly = await shop.told(() => stripe.refunds.create({ charge }));
    expect(wholly).toContain('radar.early_fraud_warning.updated');
    const [kept] = (await stripe.radar.earlyFraudWarnings.list({ charge })).data;
    expect(kept).toMatchObject({ actionable: false, id: warning.id });
    expect(await shop.types()).toContain('radar.early_fraud_warning.created');
  });

  test('is over with a dispute', async () => {
    const { charge, warning } = await warned();
    await shop.local(`/charges/${charge}/dispute`, {});
    const { actionable } = await stripe.radar.earlyFraudWarnings.retrieve(warning.id);
    expect(actionable).toBe(false);
  });
});

describe('a finalization that fails', () => {
  const renewing = async (fails: string) => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id, {
      automatic_tax: { enabled: true },
    });
    await shop.local(`/customers/${customer}/finalization`, { fails });
    await shop.advance(32 * DAY);
    const [invoice] = (await stripe.invoices.list({ subscription: subscription.id })).data;
    return { customer, invoice: invoice as Stripe.Invoice };
  };

  test.each([
    ['requires_location_inputs', 'customer_tax_location_invalid'],
    ['failed', 'taxes_calculation_failed'],
  ])('leaves a draft: %s', async (status, code) => {
    const { invoice } = await renewing(status);
    expect(invoice).toMatchObject({
      automatic_tax: { enabled: true, status },
      last_finalization_error: { code },
      number: null,
      status: 'draft',
    });
    const failures = (await shop.types()).filter((type) => type === 'invoice.finalization_failed');
    expect(failures).toHaveLength(1);
    const done = await stripe.invoices.finalizeInvoice(invoice.id);
    expect(done).toMatchObject({
      automatic_tax: { status: 'complete' },
      last_finalization_error: null,
      status: 'paid',
    });
  });

  test('is refused to who asks for it by hand', async () => {
    const { customer, invoice } = await renewing('failed');
    const fails = 'requires_location_inputs';
    await shop.local(`/customers/${customer}/finalization`, { fails });
    const refused = await failure(stripe.invoices.finalizeInvoice(invoice.id));
    expect(refused).toMatchObject({ code: 'customer_tax_location_invalid', statusCode: 400 });
    expect((await stripe.invoices.retrieve(invoice.id)).automatic_tax.status).toBe(fails);
  });

  test('does not touch an invoice without automatic tax', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await shop.local(`/customers/${customer}/finalization`, { fails: 'failed' });
    await shop.advance(32 * DAY);
    const { data } = await stripe.invoices.list({ subscription: subscription.id });
    expect(data.map(({ status }) => status)).toEqual(['paid', 'paid']);
  });
});

describe('what is posted to an endpoint', () => {
  const listen = async (answer?: (index: number) => number) => {
    const endpoint = await listenForHooks(answer);
    const { id, secret = '' } = await stripe.webhookEndpoints.create({
      enabled_events: ['invoice.paid'],
      url: endpoint.url,
    });
    return { ...endpoint, id, secret };
  };

  test('may be a thin event, which the SDK reads as one', async () => {
    const { close, hooks, id, secret } = await listen((index) => (index === 0 ? 500 : 200));
    const related = {
      id: 'mtr_1',
      type: 'billing.meter',
      url: '/v1/billing/meters/mtr_1',
    };
    const type = 'v1.billing.meter.no_meter_found';
    const { event } = await shop.local<{ event: object }>('/thin-events', {
      endpoint: id,
      related_object: related,
      type,
    });
    await expect.poll(() => hooks.length).toBe(1);
    const { payload, signature } = hooks[0] ?? { payload: '', signature: '' };
    expect(JSON.parse(payload)).toEqual(event);
    const read = await stripe.parseEventNotificationAsync(payload, signature, secret);
    expect(read).toMatchObject({ id: expect.stringMatching(/^evt_test_/) as string, type });
    const refused = await shop.local<{ event: object }>('/thin-events', {
      type: 'v2.core.event_destination.ping',
    });
    expect(refused.event).toMatchObject({
      created: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      livemode: false,
      object: 'v2.core.event',
      related_object: null,
    });
    await expect.poll(() => hooks.length).toBe(2);
    await close();
  });

  test('may be any text, signed as it stands', async () => {
    const { close, hooks, id, secret } = await listen(() => 418);
    const text = '{"id":"evt_1",  "type":"x", "data":{"deep":[[[]]]}}';
    const answer = await fetch(`${shop.standIn.url}/_local/deliver/${id}`, {
      body: text,
      method: 'POST',
    });
    expect(await answer.json()).toMatchObject({ status: 418 });
    expect(hooks.map(({ payload }) => payload)).toEqual([text]);
    const { signature = '' } = hooks[0] ?? {};
    const read = await stripe.webhooks.constructEventAsync(text, signature, secret);
    expect(read).toEqual(JSON.parse(text));
    await close();
  });
});
