import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { DAY, failure, openShop, shop, shopForEachTest, stripe } from './stripe-client.ts';

shopForEachTest();

const invoicesOf = async (subscription: string) =>
  (await stripe.invoices.list({ subscription })).data;
const periodOf = (subscription: Stripe.Subscription) => {
  const [item] = subscription.items.data;
  return { start: item?.current_period_start ?? 0, end: item?.current_period_end ?? 0 };
};
/** Moves the stand-in to a moment of the subscription's period. */
const moveTo = (seconds: number) => shop.local('/clock', { to: seconds });

describe('a renewal', () => {
  it('moves the period first and takes the money an hour later, once', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const before = periodOf(subscription);
    const first = await shop.told(() => moveTo(before.end));
    expect(first).toEqual(['customer.subscription.updated', 'invoice.created']);
    const moved = await stripe.subscriptions.retrieve(subscription.id);
    const after = periodOf(moved);
    expect(after.start).toBe(before.end);
    expect(after.end).toBeGreaterThan(after.start + 27 * DAY);
    const [draft] = await invoicesOf(subscription.id);
    expect(draft).toMatchObject({ billing_reason: 'subscription_cycle', status: 'draft' });
    const second = await shop.told(() => shop.advance(3600));
    expect(second).toEqual([
      'payment_intent.created',
      'invoice.finalized',
      'charge.succeeded',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
      'payment_intent.succeeded',
    ]);
    const [paid, ...older] = await invoicesOf(subscription.id);
    expect(older).toHaveLength(1);
    // The invoice's own period is the one that ended; its line has the one that is paid for.
    expect(paid).toMatchObject({ amount_paid: 2000, period_end: before.end, status: 'paid' });
    expect(paid?.lines.data[0]?.period).toEqual(after);
  });

  it('keeps its day of the month through short months', async () => {
    const own = await openShop();
    const january = Date.UTC(2027, 0, 31, 12) / 1000;
    await own.local('/clock', { to: january });
    const { subscription } = await own.subscribe(own.prices.starter.id);
    await own.advance(70 * DAY);
    const invoices = (await own.stripe.invoices.list({ subscription: subscription.id })).data;
    const starts = invoices.map(({ lines }) => new Date((lines.data[0]?.period.start ?? 0) * 1000));
    expect(starts.map((date) => date.toISOString().slice(0, 10))).toEqual([
      '2027-03-31',
      '2027-02-28',
      '2027-01-31',
    ]);
    await own.standIn.close();
  });

  it('happens at once when asked for, without moving the clock', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const now = shop.standIn.now();
    const types = await shop.told(() => shop.local(`/renew/${subscription.id}`, {}));
    expect(types).toContain('invoice.paid');
    expect(shop.standIn.now() - now).toBeLessThan(5);
    const renewed = await stripe.subscriptions.retrieve(subscription.id);
    expect(periodOf(renewed).start).toBe(periodOf(subscription).end);
  });
});

describe('a card that fails at renewal', () => {
  it('makes the subscription past due, and a retry pays the same invoice', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await shop.local(`/customers/${customer}`, { card: 'decline' });
    const types = await shop.told(() => moveTo(periodOf(subscription).end + 3600));
    expect(types.slice(2)).toEqual([
      'payment_intent.created',
      'invoice.finalized',
      'charge.failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'customer.subscription.updated',
    ]);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('past_due');
    const [open] = await invoicesOf(subscription.id);
    expect(open).toMatchObject({ attempt_count: 1, amount_remaining: 2000, status: 'open' });
    const error = await failure(stripe.invoices.pay(open?.id ?? ''));
    expect(error).toBeInstanceOf(Stripe.errors.StripeCardError);
    expect(error).toMatchObject({ code: 'card_declined', statusCode: 402 });
    await shop.local(`/customers/${customer}`, { card: 'ok' });
    const recovery = await shop.told(() => shop.advance(3 * DAY));
    expect(recovery).toEqual([
      'charge.succeeded',
      'customer.subscription.updated',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
      'payment_intent.succeeded',
    ]);
    const [paid, ...older] = await invoicesOf(subscription.id);
    expect(paid).toMatchObject({ id: open?.id, attempt_count: 2, status: 'paid' });
    expect(older).toHaveLength(1);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active');
  });

  it('ends the subscription after the last retry; the invoice stays open', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await shop.local(`/customers/${customer}`, { card: 'decline' });
    const types = await shop.told(() => moveTo(periodOf(subscription).end + 20 * DAY));
    expect(types.filter((type) => type === 'invoice.payment_failed')).toHaveLength(4);
    expect(types.at(-1)).toBe('customer.subscription.deleted');
    const [open] = await invoicesOf(subscription.id);
    expect(open).toMatchObject({ auto_advance: false, status: 'open' });
    await shop.local(`/customers/${customer}`, { card: 'ok' });
    expect((await stripe.invoices.pay(open?.id ?? '')).status).toBe('paid');
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
  });
});

describe('a cancellation', () => {
  it('at the end of the period leaves the subscription active until then', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    const { end } = periodOf(subscription);
    const changed = await stripe.subscriptions.update(subscription.id, {
      cancel_at_period_end: true,
    });
    expect(changed).toMatchObject({ cancel_at: end, cancel_at_period_end: true, status: 'active' });
    const types = await shop.told(() => moveTo(end + 7200));
    expect(types).toEqual(['customer.subscription.deleted']);
    const ended = await stripe.subscriptions.retrieve(subscription.id);
    expect(ended).toMatchObject({ ended_at: end, status: 'canceled' });
    expect(await invoicesOf(subscription.id)).toHaveLength(1);
  });

  it('can be taken back', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
    const kept = await stripe.subscriptions.update(subscription.id, {
      cancel_at_period_end: false,
    });
    expect(kept).toMatchObject({ cancel_at: null, cancel_at_period_end: false, canceled_at: null });
    const types = await shop.told(() => moveTo(periodOf(subscription).end));
    expect(types).toContain('invoice.created');
  });

  it('at once is a deletion, and only once', async () => {
    const { subscription } = await shop.subscribe(shop.prices.starter.id);
    expect((await stripe.subscriptions.cancel(subscription.id)).status).toBe('canceled');
    const again = await failure(stripe.subscriptions.cancel(subscription.id));
    expect(again).toMatchObject({ code: 'resource_missing', statusCode: 404 });
    const listed = await stripe.subscriptions.list({ customer: subscription.customer as string });
    expect(listed.data).toEqual([]);
  });
});

describe('a subscription made over the API', () => {
  it('is incomplete with a bad card and expires after 23 hours', async () => {
    const { id: customer } = await stripe.customers.create({ email: 'api@example.com' });
    const items = [{ price: shop.prices.starter.id }];
    const bare = await failure(stripe.subscriptions.create({ customer, items }));
    expect(bare.message).toContain('no attached payment source');
    await shop.local(`/customers/${customer}`, { card: 'decline' });
    const made = await stripe.subscriptions.create({ customer, items });
    expect(made.status).toBe('incomplete');
    await shop.advance(23 * 3600);
    const expired = await stripe.subscriptions.retrieve(made.id);
    expect(expired.status).toBe('incomplete_expired');
    expect((await invoicesOf(made.id))[0]?.status).toBe('void');
  });
});
