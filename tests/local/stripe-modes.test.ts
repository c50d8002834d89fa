import type Stripe from 'stripe';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY, failure } from './stripe-client.ts';
import { isReal, openWorld, type World } from './stripe-world.ts';

// Played on a real test account instead, where STRIPE_TEST_KEY names one.
let world: World;
let stripe: Stripe;
beforeEach(async () => {
  world = await openWorld();
  stripe = world.stripe;
});
afterEach(() => world.close());

type Mode = 'classic' | 'flexible';
type Change = Omit<Stripe.SubscriptionUpdateParams, 'items'> & { quantity?: number };

const periodOf = (one: Stripe.Subscription) => ({
  start: one.items.data[0]?.current_period_start ?? 0,
  end: one.items.data[0]?.current_period_end ?? 0,
});
const fresh = (one: { id: string }) => stripe.subscriptions.retrieve(one.id);
const newest = async (one: { id: string }) =>
  (await stripe.invoices.list({ subscription: one.id })).data[0];
const amountsOf = (invoice: Stripe.Invoice | undefined) =>
  (invoice?.lines.data ?? []).map(({ amount }) => amount);
const card = (one: Stripe.Subscription, state: 'ok' | 'decline') =>
  world.setCard(one.customer as string, state);
const advance = async (seconds: number) => world.moveTo((await world.now()) + seconds);

/** A paid subscription in a billing mode. */
const subscribed = async (
  mode: Mode,
  price = world.prices.starter,
  extra: Partial<Stripe.SubscriptionCreateParams> = {},
) =>
  stripe.subscriptions.create({
    billing_mode: { type: mode },
    customer: (await world.customer()).id,
    items: [{ price: price.id }],
    ...extra,
  });

const change = async (one: Stripe.Subscription, price: Stripe.Price, params: Change = {}) => {
  const { quantity = 1, ...rest } = params;
  const id = (await fresh(one)).items.data[0]?.id ?? '';
  const items = [{ id, price: price.id, quantity }];
  return stripe.subscriptions.update(one.id, { ...rest, items });
};

/** Moves to a share of the subscription's period, exactly. */
const moveTo = async (one: Stripe.Subscription, share: number) => {
  const { start, end } = periodOf(await fresh(one));
  await world.moveTo(Math.round(start + (end - start) * share));
};
/** Within a dollar: the clock ran on between the move and the call. */
const near = (found: number | undefined, wanted: number) =>
  expect(Math.abs((found ?? 0) - wanted)).toBeLessThanOrEqual(1);

const upgrade = {
  billing_cycle_anchor: { type: 'now' },
  proration_behavior: 'always_invoice',
} as const;

describe('billing modes', () => {
  it('are flexible unless asked otherwise, and there is no way back', async () => {
    const subscription = await stripe.subscriptions.create({
      customer: (await world.customer()).id,
      items: [{ price: world.prices.starter.id }],
    });
    expect(subscription.billing_mode).toEqual({
      flexible: { proration_discounts: 'included' },
      type: 'flexible',
    });
    const classic = await subscribed('classic');
    expect(classic.billing_mode).toEqual({ flexible: null, type: 'classic' });
    const moved = await stripe.subscriptions.migrate(classic.id, {
      billing_mode: { type: 'flexible' },
    });
    expect(moved.billing_mode.type).toBe('flexible');
    expect(moved.billing_mode.updated_at).toBeTypeOf('number');
  });

  it.each([
    ['classic', -1000],
    ['flexible', -2500],
  ] as const)(
    'after a downgrade without prorations %s credits %i cents to an upgrade',
    async (mode, credit) => {
      const one = await subscribed(mode, world.prices.pro);
      await moveTo(one, 0.25);
      await change(one, world.prices.starter, { proration_behavior: 'none' });
      await moveTo(one, 0.5);
      await change(one, world.prices.pro, upgrade);
      const [given, charged, ...more] = amountsOf(await newest(one));
      near(given, credit);
      expect([charged, more]).toEqual([5000, []]);
    },
  );

  it('flexible credits each debit once, and names it', async () => {
    const one = await subscribed('flexible');
    const first = await newest(one);
    await moveTo(one, 0.5);
    await change(one, world.prices.starter, { quantity: 2, proration_behavior: 'always_invoice' });
    const second = await newest(one);
    near(amountsOf(second)[0], -1000);
    near(amountsOf(second)[1], 2000);
    expect(
      second?.lines.data.map(
        ({ parent }) => parent?.subscription_item_details?.proration_details?.credited_items,
      ),
    ).toEqual([{ invoice: first?.id, invoice_line_items: [first?.lines.data[0]?.id] }, null]);
    await moveTo(one, 0.75);
    await stripe.subscriptions.cancel(one.id, { invoice_now: true, prorate: true });
    const last = await newest(one);
    expect(amountsOf(last)).toHaveLength(1);
    near(amountsOf(last)[0], -1000);
  });

  it('flexible leaves alone what a period that was given up without prorations had debited', async () => {
    const one = await subscribed('flexible');
    await moveTo(one, 0.5);
    await change(one, world.prices.pro, { ...upgrade, proration_behavior: 'none' });
    await advance(DAY);
    await change(one, world.prices.yearly, upgrade);
    const [credit, charge, ...more] = amountsOf(await newest(one));
    expect([charge, more]).toEqual([20_000, []]);
    expect(credit).toBeLessThan(-4800);
    expect(credit).toBeGreaterThan(-4900);
  });

  it('flexible credits nothing where nothing was debited', async () => {
    const subscription = await subscribed('flexible', world.prices.starter, {
      trial_period_days: 14,
    });
    await advance(7 * DAY);
    await stripe.subscriptions.cancel(subscription.id, { invoice_now: true, prorate: true });
    expect(await newest(subscription)).toMatchObject({ billing_reason: 'subscription_create' });
    expect(
      (await stripe.customers.retrieve(subscription.customer as string)) as object,
    ).toMatchObject({ balance: 0 });
  });
});

describe('an upgrade that begins a new period', () => {
  const pending = { ...upgrade, payment_behavior: 'pending_if_incomplete' } as const;

  it('is told once when it is paid at once', async () => {
    const one = await subscribed('flexible');
    await moveTo(one, 0.5);
    const types = await world.told(() => change(one, world.prices.pro, pending));
    expect(types.filter((type) => type.startsWith('customer.subscription'))).toEqual([
      'customer.subscription.updated',
    ]);
    const invoice = await newest(one);
    near(amountsOf(invoice)[0], -1000);
    expect(amountsOf(invoice)[1]).toBe(5000);
    const now = await fresh(one);
    expect(now).toMatchObject({ pending_update: null, status: 'active' });
    expect(periodOf(now).start).toBe(invoice?.created);
  });

  it('without prorations charges the full price', async () => {
    const one = await subscribed('flexible');
    await moveTo(one, 0.5);
    await change(one, world.prices.pro, { ...pending, proration_behavior: 'none' });
    expect(amountsOf(await newest(one))).toEqual([5000]);
  });

  it('that is declined waits until the period ends, and renews at the old price', async () => {
    const one = await subscribed('flexible');
    const { end } = periodOf(one);
    await world.moveTo(end - 3600);
    await card(one, 'decline');
    const declined = await change(one, world.prices.pro, pending);
    expect(declined).toMatchObject({ status: 'active' });
    expect(declined.pending_update?.expires_at).toBe(end);
    expect(periodOf(declined)).toEqual(periodOf(one));
    await card(one, 'ok');
    await world.moveTo(end + 2 * 3600);
    const [renewal, refused] = (await stripe.invoices.list({ subscription: one.id })).data;
    expect([renewal?.billing_reason, amountsOf(renewal)]).toEqual(['subscription_cycle', [2000]]);
    expect(refused?.status).toBe('void');
  });

  it('gives way to the next update', async () => {
    const one = await subscribed('flexible');
    await card(one, 'decline');
    const first = await change(one, world.prices.pro, pending);
    await card(one, 'ok');
    const types = await world.told(() => change(one, world.prices.yearly, pending));
    expect(types).toContain('customer.subscription.pending_update_expired');
    expect((await stripe.invoices.retrieve(first.latest_invoice as string)).status).toBe('void');
    expect((await fresh(one)).items.data[0]?.price.id).toBe(world.prices.yearly.id);
  });

  it('refuses what a pending update cannot hold, and a pending creation', async () => {
    const one = await subscribed('flexible');
    const error = await failure(
      stripe.subscriptions.update(one.id, {
        description: 'x',
        payment_behavior: 'pending_if_incomplete',
      }),
    );
    expect(error.param).toBe('description');
    const creation = stripe.subscriptions.create({
      customer: one.customer as string,
      items: [{ price: world.prices.starter.id }],
      payment_behavior: 'pending_if_incomplete',
    });
    expect((await failure(creation)).param).toBe('payment_behavior');
  });

  it('with default_incomplete is overdue until somebody pays', async () => {
    const one = await subscribed('flexible');
    const due = await change(one, world.prices.pro, {
      ...upgrade,
      payment_behavior: 'default_incomplete',
    });
    expect(due.status).toBe('past_due');
    await stripe.invoices.pay(due.latest_invoice as string);
    expect((await fresh(one)).status).toBe('active');
  });
});

describe('a trial', () => {
  it('that is extended is told by an invoice of nothing', async () => {
    const subscription = await subscribed('flexible', world.prices.starter, {
      trial_period_days: 7,
    });
    const end = (subscription.trial_end ?? 0) + 7 * DAY;
    const longer = await stripe.subscriptions.update(subscription.id, { trial_end: end });
    expect(longer).toMatchObject({ status: 'trialing', trial_end: end });
    expect(longer.trial_start).toBe(subscription.trial_start);
    const invoice = await newest(subscription);
    expect([invoice?.billing_reason, invoice?.status, amountsOf(invoice)]).toEqual([
      'subscription_update',
      'paid',
      [0],
    ]);
  });

  it.each(['classic', 'flexible'] as const)(
    'given to a paying %s subscription credits the unused time',
    async (mode) => {
      const one = await subscribed(mode);
      await moveTo(one, 0.5);
      const end = periodOf(one).end + 30 * DAY;
      const trialing = await stripe.subscriptions.update(one.id, { trial_end: end });
      expect([trialing.status, periodOf(trialing).end]).toEqual(['trialing', end]);
      near(amountsOf(await newest(one))[0], -1000);
      expect(await stripe.customers.retrieve(one.customer as string)).toMatchObject({
        balance: amountsOf(await newest(one))[0],
      });
    },
  );
});

describe.skipIf(isReal)('when the retries are spent', () => {
  const overdue = async (afterRetries: string) => {
    await world.setDunning(afterRetries);
    const one = await subscribed('flexible');
    await card(one, 'decline');
    await world.moveTo(periodOf(one).end + 2 * 3600);
    expect((await fresh(one)).status).toBe('past_due');
    await advance(20 * DAY);
    return one;
  };

  it.each([
    ['cancel', 'canceled'],
    ['unpaid', 'unpaid'],
    ['past_due', 'past_due'],
  ])('%s leaves the subscription %s', async (setting, status) => {
    expect((await fresh(await overdue(setting))).status).toBe(status);
  });

  it('unpaid keeps new invoices as drafts until the newest is paid', async () => {
    const one = await overdue('unpaid');
    await advance(31 * DAY);
    const draft = await newest(one);
    expect([draft?.status, draft?.auto_advance]).toEqual(['draft', false]);
    expect((await fresh(one)).status).toBe('unpaid');
    await card(one, 'ok');
    const types = await world.told(() =>
      stripe.invoices.finalizeInvoice(draft?.id ?? '', { auto_advance: true }),
    );
    expect(types).toContain('invoice.paid');
    expect((await fresh(one)).status).toBe('active');
  });

  it('past due goes on trying new invoices', async () => {
    const one = await overdue('past_due');
    await card(one, 'ok');
    await advance(31 * DAY);
    expect((await fresh(one)).status).toBe('active');
  });
});

describe('the end of a subscription', () => {
  it('ends its schedule and voids what a pending update waits for', async () => {
    const one = await subscribed('flexible');
    const schedule = await stripe.subscriptionSchedules.create({ from_subscription: one.id });
    const types = await world.told(() => stripe.subscriptions.cancel(one.id));
    expect(types).toContain('subscription_schedule.canceled');
    expect((await stripe.subscriptionSchedules.retrieve(schedule.id)).status).toBe('canceled');
  });
});

describe.skipIf(isReal)('years', () => {
  it('keep the day of the anchor, and everything happens on its day', async () => {
    const january = Date.UTC(2031, 0, 31, 12) / 1000;
    await world.moveTo(january);
    const one = await subscribed('flexible');
    await world.moveTo(Date.UTC(2034, 0, 31, 14) / 1000);
    const invoices = await stripe.invoices
      .list({ limit: 100, subscription: one.id })
      .autoPagingToArray({ limit: 100 });
    expect(invoices).toHaveLength(37);
    const days = invoices.toReversed().map(({ created }) => new Date(created * 1000).getUTCDate());
    expect(days.slice(0, 5)).toEqual([31, 28, 31, 30, 31]);
    expect(invoices.every(({ status }) => status === 'paid')).toBe(true);
    const type = 'customer.subscription.updated';
    const events = await stripe.events.list({ limit: 100, type });
    for (const { data } of events.data)
      expect(Object.keys(data.previous_attributes ?? {})).not.toEqual([]);
  });
});

describe('discounts of a subscription', () => {
  const half = () => stripe.coupons.create({ duration: 'forever', percent_off: 50 });

  it('come with it, change with it, and lower the invoice of the same update', async () => {
    const { id: coupon } = await half();
    const one = await subscribed('flexible');
    const changed = await change(one, world.prices.pro, { ...upgrade, discounts: [{ coupon }] });
    expect(changed.discounts).toHaveLength(1);
    const invoice = await newest(one);
    expect(invoice?.total_discount_amounts?.[0]?.amount).toBe(2500);
    const plain = await stripe.subscriptions.update(one.id, { discounts: '' });
    expect(plain.discounts).toEqual([]);
  });

  it('flexible gives back no more than was paid after them', async () => {
    const { id: coupon } = await half();
    const discounts = [{ coupon }];
    const one = await subscribed('flexible', world.prices.starter, { discounts });
    await moveTo(one, 0.5);
    await stripe.subscriptions.cancel(one.id, { invoice_now: true, prorate: true });
    near((await newest(one))?.total, -500);
  });

  it('leave with the phase that does not name them', async () => {
    const { id: coupon } = await half();
    const one = await subscribed('flexible');
    await stripe.subscriptions.update(one.id, { discounts: [{ coupon }] });
    const { start, end } = periodOf(one);
    const { id, phases } = await stripe.subscriptionSchedules.create({ from_subscription: one.id });
    const discount = phases[0]?.discounts[0]?.discount as string;
    const prices = [world.prices.starter, world.prices.pro].map((price) => [{ price: price.id }]);
    await stripe.subscriptionSchedules.update(id, {
      phases: [
        { discounts: [{ discount }], end_date: end, items: prices[0] ?? [], start_date: start },
        { items: prices[1] ?? [], proration_behavior: 'none' },
      ],
    });
    await world.moveTo(end + 2 * 3600);
    expect((await fresh(one)).discounts).toEqual([]);
    expect((await newest(one))?.amount_paid).toBe(5000);
  });
});
