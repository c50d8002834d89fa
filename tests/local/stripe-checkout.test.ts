import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import templates from '../../local/stripe/objects.json' with { type: 'json' };
import { DAY, lacking, openShop, type Shop } from './stripe-client.ts';

let shop: Shop;
let stripe: Stripe;
beforeAll(async () => {
  shop = await openShop();
  stripe = shop.stripe;
});
afterAll(() => shop.standIn.close());

const SUBSCRIPTION_STORY = [
  'customer.created',
  'payment_intent.created',
  'charge.succeeded',
  'invoice.created',
  'customer.subscription.created',
  'invoice.finalized',
  'customer.subscription.updated',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
  'payment_intent.succeeded',
  'checkout.session.completed',
];

describe('a subscription through Checkout', () => {
  it('tells its events in order of the real one', async () => {
    const types = await shop.told(() => shop.subscribe(shop.prices.starter.id));
    expect(types).toEqual(SUBSCRIPTION_STORY);
  });

  it('redirects a browser to the success page with the session id filled in', async () => {
    const session = await shop.checkout(shop.prices.starter.id);
    const page = await (await fetch(session.url ?? '')).text();
    expect(page).toContain('1 × Starter, every month');
    expect(page).toContain('$20.00');
    const answer = await fetch(session.url ?? '', {
      body: new URLSearchParams({ action: 'pay', email: 'b@example.com' }),
      method: 'POST',
      redirect: 'manual',
    });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe(`https://shop.test/ok?session=${session.id}`);
  });

  it('gives every object the current shape, with every field of the template', async () => {
    const { session, subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    const invoice = await stripe.invoices.retrieve(session.invoice as string);
    const payments = await stripe.invoicePayments.list({ invoice: invoice.id });
    const payment = payments.data[0] as Stripe.InvoicePayment;
    const intent = await stripe.paymentIntents.retrieve(payment.payment.payment_intent as string);
    const charge = await stripe.charges.retrieve(intent.latest_charge as string);
    const [event] = (await stripe.events.list({ type: 'invoice.paid', limit: 1 })).data;
    const found = {
      charge,
      'checkout.session': session,
      customer: await stripe.customers.retrieve(customer),
      event: event as Stripe.Event,
      invoice,
      invoice_payment: payment,
      line_item: invoice.lines.data[0] as Stripe.InvoiceLineItem,
      payment_intent: intent,
      price: shop.prices.starter,
      product: shop.product,
      subscription,
      subscription_item: subscription.items.data[0] as Stripe.SubscriptionItem,
    };
    for (const [kind, object] of Object.entries(found)) {
      const template = templates[kind as keyof typeof found];
      expect([kind, lacking(template, object)]).toEqual([kind, []]);
    }
  });

  it('copies the metadata to subscription and invoice, and links them as since "basil"', async () => {
    const { session, subscription } = await shop.subscribe(shop.prices.starter.id, {
      client_reference_id: 'u1',
      metadata: { from: 'session' },
      subscription_data: { metadata: { user_id: 'u1' } },
    });
    expect(session).toMatchObject({
      client_reference_id: 'u1',
      metadata: { from: 'session' },
      payment_status: 'paid',
      status: 'complete',
      url: null,
    });
    expect(session.customer_details?.email).toBe('ada@example.com');
    expect(subscription).toMatchObject({ metadata: { user_id: 'u1' }, status: 'active' });
    const [item] = subscription.items.data;
    const invoice = await stripe.invoices.retrieve(session.invoice as string);
    expect(invoice).toMatchObject({
      amount_paid: 2000,
      billing_reason: 'subscription_create',
      parent: {
        subscription_details: { metadata: { user_id: 'u1' }, subscription: subscription.id },
        type: 'subscription_details',
      },
      status: 'paid',
    });
    const [line] = invoice.lines.data;
    expect(line).toMatchObject({
      amount: 2000,
      parent: {
        subscription_item_details: {
          proration: false,
          subscription: subscription.id,
          subscription_item: item?.id,
        },
        type: 'subscription_item_details',
      },
      period: { end: item?.current_period_end, start: item?.current_period_start },
      pricing: { price_details: { price: shop.prices.starter.id, product: shop.product.id } },
    });
    const days = ((item?.current_period_end ?? 0) - (item?.current_period_start ?? 0)) / DAY;
    expect([28, 29, 30, 31]).toContain(days);
  });

  it('shows objects in events as they were at that moment', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const { data } = await stripe.events.list({ types: ['customer.subscription.*'], limit: 2 });
    const [updated, created] = data as [Stripe.Event, Stripe.Event];
    expect(created.data.object).toMatchObject({ id: subscription.id, status: 'incomplete' });
    expect(updated.data.object).toMatchObject({ id: subscription.id, status: 'active' });
    expect(updated.data.previous_attributes).toMatchObject({ status: 'incomplete' });
  });

  it('expands what a backend reads', async () => {
    const { session } = await shop.subscribe(shop.prices.starter.id);
    const full = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ['line_items', 'customer', 'subscription.latest_invoice.payments'],
    });
    expect(full.line_items?.data[0]?.price?.id).toBe(shop.prices.starter.id);
    expect((full.customer as Stripe.Customer).email).toBe('ada@example.com');
    const subscription = full.subscription as Stripe.Subscription;
    const invoice = subscription.latest_invoice as Stripe.Invoice;
    expect(invoice.payments?.data[0]).toMatchObject({ amount_paid: 2000, status: 'paid' });
    const { data } = await stripe.subscriptions.list({
      customer: subscription.customer as string,
      expand: ['data.items.data.price.product'],
    });
    expect(data[0]?.items.data[0]?.price.product).toMatchObject({ name: 'Starter' });
  });

  it('begins a trial with a paid invoice of nothing, and charges when it ends', async () => {
    const story = await shop.told(() =>
      shop.subscribe(shop.prices.starter.id, { subscription_data: { trial_period_days: 7 } }),
    );
    expect(story).not.toContain('charge.succeeded');
    expect(story).toContain('invoice.paid');
    const [subscription] = (await stripe.subscriptions.list({ status: 'trialing' })).data;
    const id = subscription?.id ?? '';
    const [first] = (await stripe.invoices.list({ subscription: id })).data;
    expect(first).toMatchObject({ amount_due: 0, status: 'paid', total: 0 });
    const later = await shop.told(() => shop.advance(7 * DAY + 7200));
    expect(later.filter((type) => type.endsWith('trial_will_end'))).toHaveLength(1);
    const [second] = (await stripe.invoices.list({ subscription: id })).data;
    expect(second).toMatchObject({ amount_paid: 2000, billing_reason: 'subscription_cycle' });
    expect((await stripe.subscriptions.retrieve(id)).status).toBe('active');
  });
});

describe('a declined card', () => {
  it('leaves the session open, makes no subscription, and can be followed by a good one', async () => {
    const session = await shop.checkout(shop.prices.starter.id);
    let pressed: Record<string, unknown> = {};
    const types = await shop.told(async () => {
      pressed = await shop.press(session.url, { action: 'decline' });
    });
    expect(pressed).toMatchObject({ redirect: null, status: 'open' });
    expect(types).toEqual([
      'payment_intent.created',
      'charge.failed',
      'payment_intent.payment_failed',
    ]);
    const open = await stripe.checkout.sessions.retrieve(session.id);
    expect(open).toMatchObject({ payment_status: 'unpaid', status: 'open', subscription: null });
    const story = await shop.told(() => shop.press(session.url, { action: 'pay' }));
    expect(story).toEqual(SUBSCRIPTION_STORY);
    expect(await shop.press(session.url, { action: 'pay' })).toMatchObject({ code: 400 });
  });
});
