import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCheckout } from '../../functions/billing/create-checkout.ts';
import { readCheckout } from '../../functions/billing/read-checkout.ts';
import { BillingShop, refusal } from './billing-shop.ts';

let shop: BillingShop;
beforeAll(async () => {
  shop = await BillingShop.open();
});
afterAll(() => shop.close());

const plan = (userId: string, key = 'starter', idempotencyKey?: string) =>
  createCheckout(shop.ctx, { userId, item: { plan: key }, idempotencyKey });
const pack = (userId: string, quantity = 1) =>
  createCheckout(shop.ctx, { userId, item: { pack: 'small', quantity } });
const statusOf = async ({ id }: { id: string }) =>
  (await shop.stripe.checkout.sessions.retrieve(id)).status;
const subscriptionsOf = async (userId: string) => {
  const customer = (await shop.customerOf(userId)) ?? '';
  return (await shop.stripe.subscriptions.list({ customer })).data;
};

describe('one page for a subscription at a time', () => {
  test('another plan takes the place of the one before; packs stay', async () => {
    const userId = await shop.signUp();
    const order = await pack(userId);
    const starter = await plan(userId);
    const growth = await plan(userId, 'growth');
    expect(await Promise.all([order, starter, growth].map(statusOf))).toEqual([
      'open',
      'expired',
      'open',
    ]);
    await pack(userId);
    expect(await statusOf(growth)).toBe('open');
    // The first wish again is a page of its own.
    const again = await plan(userId);
    expect(again.id).not.toBe(starter.id);
    expect(await Promise.all([growth, again].map(statusOf))).toEqual(['expired', 'open']);
  });

  test('the same wish gives the same page, which stays open', async () => {
    const userId = await shop.signUp();
    const pages = await Promise.all([plan(userId), plan(userId), plan(userId)]);
    expect(new Set(pages.map(({ id }) => id)).size).toBe(1);
    expect(await statusOf(await plan(userId))).toBe('open');
  });

  test("an old answer under a caller's key does not expire what came after it", async () => {
    const userId = await shop.signUp();
    const first = await plan(userId, 'starter', 'click-1');
    const second = await plan(userId, 'growth', 'click-2');
    expect(await plan(userId, 'starter', 'click-1')).toEqual(first);
    expect(await Promise.all([first, second].map(statusOf))).toEqual(['expired', 'open']);
  });

  test('of two plans asked for at once at most one can be paid', async () => {
    const userId = await shop.signUp();
    await pack(userId);
    const pages = await Promise.all([plan(userId), plan(userId, 'growth'), plan(userId, 'scale')]);
    const open = (await Promise.all(pages.map(statusOf))).filter((status) => status === 'open');
    expect(open.length).toBeLessThanOrEqual(1);
  });

  test('another plan is refused while a payment only waits for its webhook', async () => {
    const userId = await shop.signUp();
    await shop.pay((await plan(userId)).url);
    expect((await refusal(plan(userId, 'growth'))).code).toBe('subscription_exists');
    const customer = (await shop.customerOf(userId)) ?? '';
    const { data } = await shop.stripe.checkout.sessions.list({ customer });
    expect(data.map(({ status }) => status)).toEqual(['expired', 'complete']);
    expect(await subscriptionsOf(userId)).toHaveLength(1);
  });

  test('a page that is paid while another is asked for wins', async () => {
    const userId = await shop.signUp();
    const first = await plan(userId);
    shop.standIn.faults.add({ kind: 'latency', ms: 300, match: '/expire', times: 1 });
    const [second] = await Promise.allSettled([
      plan(userId, 'growth'),
      new Promise((resolve) => {
        setTimeout(resolve, 100);
      }).then(() => shop.pay(first.url)),
    ]);
    shop.standIn.faults.clear();
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'subscription_exists' } });
    expect(await subscriptionsOf(userId)).toHaveLength(1);
  });

  test('its subscription has the billing mode that we chose', async () => {
    const { subscriptionId } = await shop.subscribe('starter');
    const { billing_mode: mode } = await shop.stripe.subscriptions.retrieve(subscriptionId);
    expect(mode.type).toBe('flexible');
  });
});

describe('what became of a page', () => {
  const read = (userId: string, sessionId: string) => readCheckout(shop.ctx, { userId, sessionId });

  test('of a plan: open, paid, and with its credits once they have come', async () => {
    const userId = await shop.signUp();
    const { id, url } = await plan(userId, 'growth');
    expect(await read(userId, id)).toEqual({
      status: 'open',
      paymentStatus: 'unpaid',
      granted: null,
    });
    await shop.pay(url);
    const paid = { status: 'complete', paymentStatus: 'paid' };
    expect(await read(userId, id)).toEqual({ ...paid, granted: null });
    await shop.deliver();
    expect(await read(userId, id)).toEqual({ ...paid, granted: 5000 });
  });

  test('of packs, each with its own', async () => {
    const userId = await shop.signUp();
    const [one, two] = [await pack(userId), await pack(userId, 2)];
    await shop.pay(two.url);
    await shop.deliver();
    expect((await read(userId, two.id)).granted).toBe(1000);
    expect((await read(userId, one.id)).granted).toBeNull();
  });

  test('of nobody or of somebody else is not found', async () => {
    const [userId, stranger] = [await shop.signUp(), await shop.signUp()];
    const { id } = await pack(userId);
    const mine = await shop.stripe.checkout.sessions.create({
      mode: 'payment',
      client_reference_id: stranger,
      line_items: [{ price: shop.priceOf('small'), quantity: 1 }],
      success_url: 'https://shop.test/ok',
    });
    for (const session of [id, mine.id, 'cs_test_none', '../customers', crypto.randomUUID()])
      expect((await refusal(read(stranger, session))).code).toBe('not_found');
  });
});
