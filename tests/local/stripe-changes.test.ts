import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { DAY, failure, shop, shopForEachTest, stripe } from './stripe-client.ts';

shopForEachTest();

const invoicesOf = async (subscription: string) =>
  (await stripe.invoices.list({ subscription })).data;
const periodOf = (subscription: Stripe.Subscription) => {
  const [item] = subscription.items.data;
  return { start: item?.current_period_start ?? 0, end: item?.current_period_end ?? 0 };
};
/** Moves the stand-in to a moment of the subscription's period. */
const moveTo = (seconds: number) => shop.local('/clock', { to: seconds });

describe('an upgrade', () => {
  const upgrade = async (params: Stripe.SubscriptionUpdateParams, card = 'ok') => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    const { start, end } = periodOf(subscription);
    await moveTo(Math.round((start + end) / 2));
    await shop.local(`/customers/${customer}`, { card });
    const id = subscription.items.data[0]?.id ?? '';
    let changed = subscription;
    const types = await shop.told(async () => {
      changed = await stripe.subscriptions.update(subscription.id, {
        items: [{ id, price: shop.prices.pro.id }],
        ...params,
      });
    });
    return { before: subscription, changed, customer, types };
  };
  const hasPrice = (subscription: Stripe.Subscription, price: Stripe.Price) =>
    expect(subscription.items.data.map((item) => item.price.id)).toEqual([price.id]);

  it('with always_invoice credits the old price, bills the new one and takes the difference', async () => {
    const { before, changed, types } = await upgrade({ proration_behavior: 'always_invoice' });
    hasPrice(changed, shop.prices.pro);
    expect(periodOf(changed)).toEqual(periodOf(before));
    expect(types.filter((type) => !type.startsWith('invoiceitem'))).toEqual([
      'customer.subscription.updated',
      'invoice.created',
      'payment_intent.created',
      'invoice.finalized',
      'charge.succeeded',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
      'payment_intent.succeeded',
    ]);
    const [invoice] = await invoicesOf(changed.id);
    expect(invoice).toMatchObject({ billing_reason: 'subscription_update', status: 'paid' });
    const lines = invoice?.lines.data ?? [];
    expect(lines.map(({ parent }) => parent?.subscription_item_details?.proration)).toEqual([
      true,
      true,
    ]);
    expect(lines.map(({ pricing }) => pricing?.price_details?.price)).toEqual([
      shop.prices.starter.id,
      shop.prices.pro.id,
    ]);
    const [credit, charge] = lines.map(({ amount }) => amount);
    expect(credit).toBeGreaterThan(-1010);
    expect(credit).toBeLessThan(-990);
    expect(charge).toBeGreaterThan(2480);
    expect(invoice?.amount_paid).toBe((credit ?? 0) + (charge ?? 0));
  });

  it('with create_prorations leaves the lines for the next invoice', async () => {
    const { before, changed } = await upgrade({ proration_behavior: 'create_prorations' });
    hasPrice(changed, shop.prices.pro);
    expect(await invoicesOf(changed.id)).toHaveLength(1);
    await moveTo(periodOf(before).end + 3600);
    const [next, ...older] = await invoicesOf(changed.id);
    expect(older).toHaveLength(1);
    expect(next?.billing_reason).toBe('subscription_cycle');
    expect(
      next?.lines.data.map(({ parent }) => parent?.subscription_item_details?.proration),
    ).toEqual([true, true, false]);
    await moveTo(periodOf(before).end + 32 * DAY);
    expect((await invoicesOf(changed.id))[0]?.lines.data).toHaveLength(1);
  });

  it('with none bills the new price from the next period on', async () => {
    const { before, changed } = await upgrade({ proration_behavior: 'none' });
    hasPrice(changed, shop.prices.pro);
    await moveTo(periodOf(before).end + 3600);
    const [next, ...older] = await invoicesOf(changed.id);
    expect(older).toHaveLength(1);
    expect(next?.lines.data.map(({ amount }) => amount)).toEqual([5000]);
  });

  it('takes effect though the card fails, and the subscription is past due', async () => {
    const { changed } = await upgrade({ proration_behavior: 'always_invoice' }, 'decline');
    hasPrice(changed, shop.prices.pro);
    expect(changed.status).toBe('past_due');
  });

  it('with pending_if_incomplete waits for the money', async () => {
    const pending = {
      payment_behavior: 'pending_if_incomplete',
      proration_behavior: 'always_invoice',
    } as const;
    const { changed, customer } = await upgrade(pending, 'decline');
    hasPrice(changed, shop.prices.starter);
    expect(changed.status).toBe('active');
    expect(changed.pending_update?.subscription_items?.[0]?.price.id).toBe(shop.prices.pro.id);
    await shop.local(`/customers/${customer}`, { card: 'ok' });
    const types = await shop.told(() => stripe.invoices.pay(changed.latest_invoice as string));
    expect(types).toContain('customer.subscription.pending_update_applied');
    hasPrice(await stripe.subscriptions.retrieve(changed.id), shop.prices.pro);
    const second = await upgrade(pending, 'decline');
    const expiry = await shop.told(() => shop.advance(23 * 3600));
    expect(expiry).toContain('customer.subscription.pending_update_expired');
    const after = await stripe.subscriptions.retrieve(second.changed.id);
    hasPrice(after, shop.prices.starter);
    expect(after.pending_update).toBeNull();
    expect((await invoicesOf(after.id))[0]?.status).toBe('void');
  });

  it('with error_if_incomplete fails and changes nothing', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await shop.local(`/customers/${customer}`, { card: 'decline' });
    const id = subscription.items.data[0]?.id ?? '';
    const error = await failure(
      stripe.subscriptions.update(subscription.id, {
        items: [{ id, price: shop.prices.pro.id }],
        payment_behavior: 'error_if_incomplete',
        proration_behavior: 'always_invoice',
      }),
    );
    expect(error).toBeInstanceOf(Stripe.errors.StripeCardError);
    hasPrice(await stripe.subscriptions.retrieve(subscription.id), shop.prices.starter);
    expect(await invoicesOf(subscription.id)).toHaveLength(1);
  });

  it('to another interval begins a new period at once', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const id = subscription.items.data[0]?.id ?? '';
    const changed = await stripe.subscriptions.update(subscription.id, {
      items: [{ id, price: shop.prices.yearly.id }],
    });
    expect(periodOf(changed).end - periodOf(changed).start).toBeGreaterThan(360 * DAY);
    const [invoice] = await invoicesOf(subscription.id);
    expect(invoice?.lines.data.map(({ amount }) => amount)).toEqual([-2000, 20_000]);
    expect(invoice?.amount_paid).toBe(18_000);
  });

  it('adds a second item when its id is forgotten, and refuses the same price twice', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const forgotten = { items: [{ price: shop.prices.pro.id }] };
    const changed = await stripe.subscriptions.update(subscription.id, forgotten);
    expect(changed.items.data).toHaveLength(2);
    const error = await failure(stripe.subscriptions.update(subscription.id, forgotten));
    expect(error.message).toContain('Cannot add multiple subscription items');
  });
});

describe('a downgrade', () => {
  it('with always_invoice credits the balance, which the next invoice takes', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.pro.id);
    const id = subscription.items.data[0]?.id ?? '';
    await stripe.subscriptions.update(subscription.id, {
      items: [{ id, price: shop.prices.starter.id }],
      proration_behavior: 'always_invoice',
    });
    const [invoice] = await invoicesOf(subscription.id);
    expect(invoice).toMatchObject({
      amount_due: 0,
      ending_balance: -3000,
      status: 'paid',
      total: -3000,
    });
    const owner = (await stripe.customers.retrieve(customer)) as Stripe.Customer;
    expect(owner.balance).toBe(-3000);
    await moveTo(periodOf(subscription).end + 3600);
    const [next] = await invoicesOf(subscription.id);
    expect(next).toMatchObject({ amount_due: 0, ending_balance: -1000, total: 2000 });
  });

  it('waits for the period to end under a schedule', async () => {
    const { subscription } = await shop.subscribe(shop.prices.pro.id);
    const { start, end } = periodOf(subscription);
    const schedule = await stripe.subscriptionSchedules.create({
      from_subscription: subscription.id,
    });
    await stripe.subscriptionSchedules.update(schedule.id, {
      phases: [
        { end_date: end, items: [{ price: shop.prices.pro.id }], start_date: start },
        { duration: { interval: 'month' }, items: [{ price: shop.prices.starter.id }] },
      ],
    });
    const types = await shop.told(() => moveTo(end + 3600));
    expect(types).toContain('subscription_schedule.updated');
    const changed = await stripe.subscriptions.retrieve(subscription.id);
    expect(changed.items.data[0]?.price.id).toBe(shop.prices.starter.id);
    const [invoice, ...older] = await invoicesOf(subscription.id);
    expect(invoice).toMatchObject({ amount_paid: 2000, billing_reason: 'subscription_cycle' });
    expect(older).toHaveLength(1);
    const later = await shop.told(() => shop.advance(31 * DAY));
    expect(later).toContain('subscription_schedule.released');
    expect((await stripe.subscriptions.retrieve(subscription.id)).schedule).toBeNull();
  });
});
