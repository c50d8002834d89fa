import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  cancelAtPeriodEnd,
  cancelNow,
  resumeSubscription,
} from '../../functions/billing/cancel-subscription.ts';
import { changePlan } from '../../functions/billing/change-plan.ts';
import { openPortal } from '../../functions/billing/open-portal.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { BillingShop, DAY, refusal } from './billing-shop.ts';

let shop: BillingShop;
beforeAll(async () => {
  shop = await BillingShop.open();
});
afterAll(async () => {
  await assertBooksHold(shop.database.pool);
  await shop.close();
});

const change = (userId: string, plan: string, when: 'now' | 'period_end' = 'now', key?: string) =>
  changePlan(shop.ctx, { userId, plan, when, idempotencyKey: key });
const balance = async (userId: string) => (await shop.read(userId)).user.credits_balance;
const invoicesOf = async (subscription: string) =>
  (await shop.stripe.invoices.list({ subscription, limit: 100 })).data;
const atStripe = (id: string) => shop.stripe.subscriptions.retrieve(id, { expand: ['schedule'] });
const priceAtStripe = async (id: string) => (await atStripe(id)).items.data[0]?.price.id;

describe('a change now', () => {
  test('upgrades, shows it at once, and leaves the credits to the invoice', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    expect(await balance(userId)).toBe(1000);
    const before = await shop.shown(userId);
    await shop.advance(DAY);

    const shown = await change(userId, 'growth');
    expect(shown).toEqual({
      ...before,
      plan: 'growth',
      currentPeriodStart: expect.any(String) as string,
      currentPeriodEnd: expect.any(String) as string,
    });
    const dayOf = (time?: string | null) => Date.parse(time ?? '') / (DAY * 1000);
    expect(dayOf(shown?.currentPeriodStart)).toBeCloseTo(dayOf(before?.currentPeriodStart) + 1, 2);
    expect(await shop.shown(userId)).toEqual(shown);
    expect(await balance(userId)).toBe(1000);
    expect(await priceAtStripe(subscriptionId)).toBe(shop.priceOf('growth'));

    await shop.deliver();
    expect(await balance(userId)).toBe(5000);
    expect(await shop.shown(userId)).toEqual(shown);
    expect((await invoicesOf(subscriptionId)).map(({ billing_reason }) => billing_reason)).toEqual([
      'subscription_update',
      'subscription_create',
    ]);
  });

  test('to the plan that is there changes nothing', async () => {
    const { userId } = await shop.subscribe('growth');
    const before = await shop.shown(userId);
    expect(
      await shop.told(async () => expect(await change(userId, 'growth')).toEqual(before)),
    ).toEqual([]);
    expect(await shop.shown(userId)).toEqual(before);
  });

  test('to a yearly plan that grants monthly begins a year and grants a month', async () => {
    const { userId } = await shop.subscribe('growth');
    const shown = await change(userId, 'growth_yearly');
    expect(shown).toMatchObject({ plan: 'growth_yearly', interval: 'year' });
    await shop.deliver();
    expect(await balance(userId)).toBe(5000);
    const { rows } = await shop.database.pool.query<{ next: Date }>(
      'select next_due_at as next from users where id = $1',
      [userId],
    );
    expect(rows[0]?.next.getTime()).toBeGreaterThan(Date.now() + 27 * DAY * 1000);
  });

  test('clicked twice at once makes one invoice', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    const [one, two] = await Promise.all([change(userId, 'scale'), change(userId, 'scale')]);
    expect(one).toEqual(two);
    expect(one?.plan).toBe('scale');
    expect(await invoicesOf(subscriptionId)).toHaveLength(2);
  });

  test('there and back and there again is three changes, however quick', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    for (const plan of ['growth', 'starter', 'growth', 'starter', 'growth']) {
      expect((await change(userId, plan))?.plan).toBe(plan);
      expect(await priceAtStripe(subscriptionId)).toBe(shop.priceOf(plan));
    }
    await shop.deliver();
    expect((await shop.shown(userId))?.plan).toBe('growth');
    // Toggling mints nothing: growth was granted once in this period.
    expect(await balance(userId)).toBeLessThanOrEqual(5000);
  });

  test("goes by the caller's key: said again later, it is not done again", async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    await change(userId, 'growth', 'now', 'click-1');
    await change(userId, 'starter', 'now', 'click-2');
    const again = await refusal(change(userId, 'growth', 'now', 'click-1'));
    expect(again.code).toBe('idempotency_key_reused');
    expect(await priceAtStripe(subscriptionId)).toBe(shop.priceOf('starter'));
    expect((await shop.shown(userId))?.plan).toBe('starter');
    expect((await refusal(change(userId, 'scale', 'now', 'click-1'))).code).toBe(
      'idempotency_key_reused',
    );
  });

  test('that cannot be paid is 402 with a place to pay, and changes nothing until then', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    await shop.deliver();
    await shop.setCard(userId, 'decline');
    const error = await refusal(change(userId, 'growth'));
    expect(error).toMatchObject({ code: 'payment_failed' });
    const [open] = await invoicesOf(subscriptionId);
    expect(error.extra['invoiceUrl']).toBe(open?.hosted_invoice_url);
    expect(open?.status).toBe('open');
    expect((await shop.shown(userId))?.plan).toBe('starter');
    expect(await balance(userId)).toBe(1000);

    // Again with the same card: the same invoice is tried, no second one is made.
    expect((await refusal(change(userId, 'growth'))).code).toBe('payment_failed');
    expect(await invoicesOf(subscriptionId)).toHaveLength(2);

    await shop.setCard(userId, 'ok');
    expect((await change(userId, 'growth'))?.plan).toBe('growth');
    expect(await invoicesOf(subscriptionId)).toHaveLength(2);
    await shop.deliver();
    expect(await balance(userId)).toBe(5000);
    expect((await shop.shown(userId))?.plan).toBe('growth');
  });

  test('that needs the buyer to act is finished on the page of the invoice', async () => {
    const { userId } = await shop.subscribe('starter');
    await shop.setCard(userId, 'action');
    const error = await refusal(change(userId, 'growth'));
    await fetch(String(error.extra['invoiceUrl']), { method: 'POST', redirect: 'manual' });
    await shop.deliver();
    expect((await shop.shown(userId))?.plan).toBe('growth');
    expect(await balance(userId)).toBe(5000);
  });

  test('to another plan drops the one that was not paid', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    await shop.setCard(userId, 'decline');
    expect((await refusal(change(userId, 'growth'))).code).toBe('payment_failed');
    const [open] = await invoicesOf(subscriptionId);
    await shop.setCard(userId, 'ok');
    const shown = await change(userId, 'scale');
    expect((await shop.stripe.invoices.retrieve(open?.id ?? '')).status).toBe('void');
    expect(shown).toMatchObject({ plan: 'scale' });
    expect((await invoicesOf(subscriptionId)).map(({ status }) => status)).toEqual([
      'paid',
      'void',
      'paid',
    ]);
  });

  test('that was not paid is given up by asking for the plan that is there', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    await shop.setCard(userId, 'decline');
    expect((await refusal(change(userId, 'growth'))).code).toBe('payment_failed');
    expect((await change(userId, 'starter'))?.plan).toBe('starter');
    const [invoice] = await invoicesOf(subscriptionId);
    expect(invoice?.status).toBe('void');
  });

  test('takes the place of one that was planned', async () => {
    const { userId, subscriptionId } = await shop.subscribe('growth');
    await change(userId, 'starter', 'period_end');
    await change(userId, 'scale');
    expect((await atStripe(subscriptionId)).schedule).toBeNull();
    await shop.advance(32 * DAY);
    await shop.deliver();
    expect((await shop.shown(userId))?.plan).toBe('scale');
  });

  test('is refused by name without a subscription or a plan', async () => {
    const userId = await shop.signUp();
    expect((await refusal(change(userId, 'growth'))).code).toBe('no_subscription');
    expect((await refusal(change(userId, 'gold'))).code).toBe('unknown_plan');
    expect(await shop.customerOf(userId)).toBeNull();
  });

  test('of a subscription that ended unheard is refused, and the database learns of it', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    await shop.stripe.subscriptions.cancel(subscriptionId);
    expect((await refusal(change(userId, 'growth'))).code).toBe('no_subscription');
    expect(await shop.shown(userId)).toBeNull();
  });
});

describe('a change at the end of the period', () => {
  test('comes with the renewal, credits and all', async () => {
    const { userId, subscriptionId } = await shop.subscribe('growth');
    const before = await shop.shown(userId);
    expect(await change(userId, 'starter', 'period_end')).toEqual(before);
    await shop.deliver();
    expect(await shop.shown(userId)).toEqual(before);
    expect(await balance(userId)).toBe(5000);

    await shop.advance(32 * DAY);
    await shop.deliver();
    expect(await shop.shown(userId)).toMatchObject({ plan: 'starter', status: 'active' });
    expect(await balance(userId)).toBe(1000);
    const [renewal, ...older] = await invoicesOf(subscriptionId);
    expect(renewal).toMatchObject({ billing_reason: 'subscription_cycle', amount_paid: 1900 });
    expect(older).toHaveLength(1);

    // Its first period over, the schedule lets go and the plan stays.
    await shop.advance(32 * DAY);
    await shop.deliver();
    expect((await atStripe(subscriptionId)).schedule).toBeNull();
    expect((await shop.shown(userId))?.plan).toBe('starter');
  });

  test('is replaced by the next one, not doubled', async () => {
    const { userId, subscriptionId } = await shop.subscribe('scale');
    for (const plan of ['growth', 'starter', 'growth', 'starter']) {
      await change(userId, plan, 'period_end');
      const { schedule } = await atStripe(subscriptionId);
      const phases = typeof schedule === 'object' ? schedule?.phases : undefined;
      expect(phases?.map(({ items }) => items[0]?.price)).toEqual([
        shop.priceOf('scale'),
        shop.priceOf(plan),
      ]);
    }
    const customer = (await shop.customerOf(userId)) ?? '';
    expect((await shop.stripe.subscriptionSchedules.list({ customer })).data).toHaveLength(1);
    expect(await shop.told(() => change(userId, 'starter', 'period_end'))).toEqual([]);
  });

  test('is taken back by asking for the plan that is there', async () => {
    const { userId, subscriptionId } = await shop.subscribe('growth');
    for (let round = 0; round < 2; round += 1) {
      await change(userId, 'starter', 'period_end');
      expect((await atStripe(subscriptionId)).schedule).not.toBeNull();
      await change(userId, 'growth', 'period_end');
      expect((await atStripe(subscriptionId)).schedule).toBeNull();
    }
    await shop.advance(32 * DAY);
    await shop.deliver();
    expect((await shop.shown(userId))?.plan).toBe('growth');
  });

  test('asked for twice at once is planned once', async () => {
    const { userId, subscriptionId } = await shop.subscribe('growth');
    await Promise.all([
      change(userId, 'starter', 'period_end'),
      change(userId, 'starter', 'period_end'),
    ]);
    const { schedule } = await atStripe(subscriptionId);
    expect(typeof schedule === 'object' && schedule?.phases).toHaveLength(2);
  });

  test('waits for a cancellation to be taken back', async () => {
    const { userId } = await shop.subscribe('growth');
    await cancelAtPeriodEnd(shop.ctx, { userId });
    const error = await refusal(change(userId, 'starter', 'period_end'));
    expect(error.code).toBe('subscription_ending');
  });
});

describe('a cancellation', () => {
  test('at the end of the period, taken back, and again, as often as one likes', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    const before = await shop.shown(userId);
    for (let round = 0; round < 6; round += 1) {
      const cancelled = await cancelAtPeriodEnd(shop.ctx, { userId });
      expect(cancelled).toEqual({ ...before, cancelAt: before?.currentPeriodEnd });
      expect(await cancelAtPeriodEnd(shop.ctx, { userId })).toEqual(cancelled);
      expect(await shop.shown(userId)).toEqual(cancelled);
      expect((await atStripe(subscriptionId)).cancel_at_period_end).toBe(true);

      expect(await resumeSubscription(shop.ctx, { userId })).toEqual(before);
      expect(await resumeSubscription(shop.ctx, { userId })).toEqual(before);
      expect(await shop.shown(userId)).toEqual(before);
      expect((await atStripe(subscriptionId)).cancel_at).toBeNull();
    }
    await shop.deliver();
    expect(await shop.shown(userId)).toEqual(before);
  });

  test('comes when the clock does; the credits stay', async () => {
    const { userId } = await shop.subscribe('starter');
    await cancelAtPeriodEnd(shop.ctx, { userId });
    await shop.advance(32 * DAY);
    await shop.deliver();
    expect(await shop.shown(userId)).toBeNull();
    expect(await balance(userId)).toBe(1000);
    expect(await cancelAtPeriodEnd(shop.ctx, { userId })).toMatchObject({ status: 'canceled' });
    expect((await refusal(resumeSubscription(shop.ctx, { userId }))).code).toBe('no_subscription');
  });

  test('immediately, with the same answer when it is asked for again', async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    const gone = await cancelNow(shop.ctx, { userId });
    expect(gone).toMatchObject({ plan: 'starter', status: 'canceled' });
    expect(await cancelNow(shop.ctx, { userId })).toEqual(gone);
    expect(await shop.shown(userId)).toBeNull();
    expect((await atStripe(subscriptionId)).status).toBe('canceled');
    expect(await balance(userId)).toBe(1000);
    await shop.deliver();
    expect(await shop.shown(userId)).toBeNull();
    expect((await shop.subscribe('growth')).userId).not.toBe(userId);
  });

  test('drops the change that was planned', async () => {
    const { userId, subscriptionId } = await shop.subscribe('growth');
    await change(userId, 'starter', 'period_end');
    const cancelled = await cancelAtPeriodEnd(shop.ctx, { userId });
    expect(cancelled?.cancelAt).toBe(cancelled?.currentPeriodEnd);
    expect((await atStripe(subscriptionId)).schedule).toBeNull();
  });

  test("made in Stripe's portal is taken back too", async () => {
    const { userId, subscriptionId } = await shop.subscribe('starter');
    const { url } = await openPortal(shop.ctx, { userId });
    await fetch(url, {
      method: 'POST',
      body: new URLSearchParams({ action: 'cancel', subscription: subscriptionId }),
    });
    const one = await atStripe(subscriptionId);
    expect([one.cancel_at_period_end, typeof one.cancel_at]).toEqual([false, 'number']);
    expect((await resumeSubscription(shop.ctx, { userId }))?.cancelAt).toBeNull();
    expect((await atStripe(subscriptionId)).cancel_at).toBeNull();
  });

  test('of a plan that the catalogue does not know is made all the same', async () => {
    const { userId, subscriptionId } = await shop.subscribe('unlimited');
    const rename = (from: string, to: string) =>
      shop.database.pool.query('update stripe_prices set price_id = $2 where price_id = $1', [
        from,
        to,
      ]);
    await rename(shop.priceOf('unlimited'), 'price_elsewhere');
    const cancelled = await cancelAtPeriodEnd(shop.ctx, { userId });
    await rename('price_elsewhere', shop.priceOf('unlimited'));
    expect(cancelled).toMatchObject({ plan: null, cancelAt: cancelled?.currentPeriodEnd });
    expect((await atStripe(subscriptionId)).cancel_at_period_end).toBe(true);
  });

  test('without a subscription is refused by name', async () => {
    const userId = await shop.signUp();
    for (const verb of [cancelAtPeriodEnd, cancelNow, resumeSubscription])
      expect((await refusal(verb(shop.ctx, { userId }))).code).toBe('no_subscription');
  });
});
