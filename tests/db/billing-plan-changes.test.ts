import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changePlan } from '../../functions/billing/change-plan.ts';
import { openPortal } from '../../functions/billing/open-portal.ts';
import { BillingShop, DAY, refusal } from './billing-shop.ts';

let shop: BillingShop;
beforeAll(async () => {
  shop = await BillingShop.open();
});
afterAll(() => shop.close());

type Who = { userId: string; subscriptionId: string };
type When = 'now' | 'period_end';

const change = ({ userId }: Who, plan: string, when?: When) =>
  changePlan(shop.ctx, { userId, plan, when });
const upgrade = (who: Who, plan: string) => change(who, plan, 'now');
const atStripe = ({ subscriptionId }: Who) =>
  shop.stripe.subscriptions.retrieve(subscriptionId, { expand: ['schedule'] });
const itemOf = async (who: Who) => {
  const items = (await atStripe(who)).items.data;
  return (
    items.find(({ price }) => price.metadata['rowloom_kind'] === 'plan') ?? expect.unreachable()
  );
};
const invoicesOf = async ({ subscriptionId }: Who) =>
  (await shop.stripe.invoices.list({ subscription: subscriptionId, limit: 100 })).data;
/** What the invoices came to, newest first, before the balance. */
const totalsOf = async (who: Who) => (await invoicesOf(who)).map(({ total }) => total);
const balanceOf = async ({ userId }: Who) => {
  const customer = await shop.stripe.customers.retrieve((await shop.customerOf(userId)) ?? '');
  return customer.deleted ? expect.unreachable() : customer.balance;
};
/** Moves to some seconds before the period ends. */
async function untilLast(who: Who, seconds: number): Promise<void> {
  const { current_period_end: end } = await itemOf(who);
  await shop.local('/clock', { to: end - seconds });
}
const renew = async (who: Who): Promise<void> => {
  await untilLast(who, -2 * 3600);
  await shop.deliver();
};
/** Opens the portal, and gives what switches there. */
async function portalOf({ userId, subscriptionId }: Who) {
  const { url } = await openPortal(shop.ctx, { userId });
  return async (plan: string) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({
        action: 'switch',
        price: shop.priceOf(plan),
        subscription: subscriptionId,
      }),
    });
    return { status: answer.status, body: await answer.text() };
  };
}

const modes = ['flexible', 'classic'] as const;

describe.each(modes)('in %s billing mode', (mode) => {
  const subscribe = (plan: string, extra?: Partial<Stripe.SubscriptionCreateParams>) =>
    shop.subscribeBy({ plan, mode, ...extra });

  test('an upgrade the day before renewal costs its price less the unused day', async () => {
    const who = await subscribe('starter');
    const { current_period_end: end, current_period_start: start } = await itemOf(who);
    await untilLast(who, DAY);
    await upgrade(who, 'scale');

    const unused = Math.round((1900 * DAY) / (end - start));
    expect(await totalsOf(who)).toEqual([29_900 - unused, 1900]);
    const item = await itemOf(who);
    expect(item.current_period_start).toBe(end - DAY);
    expect(item.current_period_end).toBeGreaterThan(end + 25 * DAY);
  });

  test('a downgrade at once makes no invoice and gives no money back', async () => {
    const who = await subscribe('scale');
    const before = await itemOf(who);
    await shop.advance(3 * DAY);
    expect(await change(who, 'starter', 'now')).toMatchObject({ plan: 'starter' });
    expect(await totalsOf(who)).toEqual([29_900]);
    expect((await itemOf(who)).current_period_end).toBe(before.current_period_end);

    await renew(who);
    expect(await totalsOf(who)).toEqual([1900, 29_900]);
    expect(await balanceOf(who)).toBe(0);
  });

  test('an upgrade after a downgrade at once is paid in full; the one after it is not', async () => {
    const who = await subscribe('scale');
    await change(who, 'starter', 'now');
    await upgrade(who, 'growth');
    expect(await totalsOf(who)).toEqual([7900, 29_900]);
    await upgrade(who, 'scale');
    expect(await totalsOf(who)).toEqual([29_900 - 7900, 7900, 29_900]);
    await change(who, 'growth', 'now');
    await upgrade(who, 'scale');
    expect(await totalsOf(who)).toEqual([29_900, 29_900 - 7900, 7900, 29_900]);
    expect(await balanceOf(who)).toBe(0);
  });

  test('unlimited cannot be switched on and off within one payment', async () => {
    const who = await subscribe('growth');
    await upgrade(who, 'unlimited');
    for (let round = 0; round < 2; round += 1) {
      await change(who, 'growth', 'now');
      await upgrade(who, 'unlimited');
    }
    expect(await totalsOf(who)).toEqual([99_900, 99_900, 99_900 - 7900, 7900]);
  });

  test('a portal opened before a downgrade at once pays nothing of it back', async () => {
    const who = await subscribe('scale');
    const switchTo = await portalOf(who);
    await change(who, 'starter', 'now');
    expect(await switchTo('growth')).toMatchObject({ status: 200 });
    // Classic credits the present price, as it would have been without the downgrade.
    expect(await totalsOf(who)).toEqual([mode === 'flexible' ? 7900 : 6000, 29_900]);
    expect(await balanceOf(who)).toBe(0);
  });

  test('a period that nobody paid for is not credited', async () => {
    const who = await subscribe('growth');
    await shop.setCard(who.userId, 'decline');
    await renew(who);
    const [renewal] = await invoicesOf(who);
    await shop.stripe.invoices.markUncollectible(renewal?.id ?? '');
    await shop.setCard(who.userId, 'ok');
    await upgrade(who, 'scale');
    expect((await totalsOf(who))[0]).toBe(29_900);
  });

  test('a trial ends with an upgrade, which is paid in full', async () => {
    const who = await subscribe('starter', { trial_period_days: 14 });
    await shop.advance(DAY);
    expect(await upgrade(who, 'growth')).toMatchObject({ plan: 'growth', status: 'active' });
    expect(await totalsOf(who)).toEqual([7900, 0]);
  });

  test('a trial goes on through a downgrade, and nothing is invoiced', async () => {
    const who = await subscribe('growth', { trial_period_days: 14 });
    expect(await change(who, 'starter', 'now')).toMatchObject({ status: 'trialing' });
    expect(await totalsOf(who)).toEqual([0]);
  });

  test('a year is downgraded at its end only, and upgraded at once', async () => {
    const who = await subscribe('growth_yearly');
    for (const plan of ['starter', 'growth'])
      expect((await refusal(change(who, plan, 'now'))).code).toBe('downgrade_at_period_end');
    expect(await change(who, 'starter')).toMatchObject({ plan: 'growth_yearly' });
    expect(await upgrade(who, 'scale')).toMatchObject({ plan: 'scale', interval: 'month' });
    expect((await atStripe(who)).schedule).toBeNull();
  });

  test('from many credits a month to a year of fewer is paid in full', async () => {
    const who = await subscribe('scale');
    await change(who, 'growth_yearly', 'now');
    expect(await totalsOf(who)).toEqual([79_000, 29_900]);
  });
});

describe('the portal', () => {
  test('begins a new period with an upgrade, as our API does', async () => {
    const who = await shop.subscribe('starter');
    const { current_period_end: end, current_period_start: start } = await itemOf(who);
    await untilLast(who, DAY);
    const switchTo = await portalOf(who);
    await switchTo('scale');
    const unused = Math.round((1900 * DAY) / (end - start));
    expect(await totalsOf(who)).toEqual([29_900 - unused, 1900]);
    expect((await itemOf(who)).current_period_start).toBe(end - DAY);
  });

  test('does not pay back a month of many credits for a year of few', async () => {
    const who = await shop.subscribe('scale');
    const { status, body } = await (await portalOf(who))('growth_yearly');
    expect([status, body]).toEqual([400, expect.stringContaining('does not offer')]);
  });

  test('downgrades at the end of the period', async () => {
    const who = await shop.subscribe('unlimited');
    const switchTo = await portalOf(who);
    await switchTo('growth');
    expect(await totalsOf(who)).toEqual([99_900]);
    await renew(who);
    expect(await totalsOf(who)).toEqual([7900, 99_900]);
  });
});

describe('without `when`', () => {
  test('upgrades come at once', async () => {
    const who = await shop.subscribe('growth');
    expect(await change(who, 'growth_yearly')).toMatchObject({ plan: 'growth_yearly' });
    expect(await change(who, 'scale')).toMatchObject({ plan: 'scale' });
    expect(await change(who, 'unlimited')).toMatchObject({ plan: 'unlimited' });
  });

  test('downgrades wait for the end of the period', async () => {
    const who = await shop.subscribe('unlimited');
    for (const plan of ['scale', 'growth_yearly', 'starter'])
      expect(await change(who, plan)).toMatchObject({ plan: 'unlimited' });
    await renew(who);
    expect(await totalsOf(who)).toEqual([1900, 99_900]);
  });
});

describe('while an invoice is open', () => {
  const changes: [string, When | undefined][] = [
    ['scale', 'now'],
    ['starter', 'now'],
    ['scale', 'period_end'],
    ['starter', undefined],
  ];

  test('of a renewal, changes answer payment_due with the place to pay', async () => {
    const who = await shop.subscribe('growth');
    await shop.setCard(who.userId, 'decline');
    await renew(who);
    const [renewal] = await invoicesOf(who);
    await shop.setCard(who.userId, 'ok');
    for (const [plan, when] of changes)
      expect(await refusal(change(who, plan, when))).toMatchObject({
        code: 'payment_due',
        extra: { invoiceUrl: renewal?.hosted_invoice_url },
      });
    expect(await totalsOf(who)).toEqual([7900, 7900]);
    expect((await atStripe(who)).schedule).toBeNull();

    await shop.stripe.invoices.pay(renewal?.id ?? '');
    expect(await upgrade(who, 'scale')).toMatchObject({ plan: 'scale' });
  });

  test('that is a draft for the hour, the same', async () => {
    const who = await shop.subscribe('growth');
    await untilLast(who, -60);
    const error = await refusal(upgrade(who, 'scale'));
    expect(error).toMatchObject({ code: 'payment_due', extra: { invoiceUrl: null } });
    await shop.advance(3600);
    expect(await upgrade(who, 'scale')).toMatchObject({ plan: 'scale' });
  });

  test('that a paid one came after, the same', async () => {
    const who = await shop.subscribe('growth');
    await shop.local('/dunning', { afterRetries: 'past_due' });
    await shop.setCard(who.userId, 'decline');
    await renew(who);
    const [open] = await invoicesOf(who);
    await untilLast(who, DAY);
    await shop.setCard(who.userId, 'ok');
    await renew(who);
    await shop.local('/dunning', { afterRetries: 'cancel' });
    expect((await invoicesOf(who)).map(({ status }) => status)).toEqual(['paid', 'open', 'paid']);
    expect(await refusal(upgrade(who, 'scale'))).toMatchObject({
      code: 'payment_due',
      extra: { invoiceUrl: open?.hosted_invoice_url },
    });
  });

  test('of a change in the portal, the same', async () => {
    const who = await shop.subscribe('starter');
    const switchTo = await portalOf(who);
    await shop.setCard(who.userId, 'decline');
    await switchTo('growth');
    await shop.setCard(who.userId, 'ok');
    expect((await refusal(upgrade(who, 'scale'))).code).toBe('payment_due');
  });

  test('of a change of ours, another change takes its place', async () => {
    const who = await shop.subscribe('starter');
    for (const [plan, when] of [['growth'], ['scale', 'period_end']] as [string, When?][]) {
      await shop.setCard(who.userId, 'decline');
      expect((await refusal(upgrade(who, 'unlimited'))).code).toBe('payment_failed');
      await shop.setCard(who.userId, 'ok');
      await change(who, plan, when);
      expect((await atStripe(who)).pending_update).toBeNull();
      expect((await invoicesOf(who)).filter(({ status }) => status === 'open')).toEqual([]);
    }
  });
});

describe('a change at the end of the period keeps', () => {
  const customersDiscount = async () => {
    const coupon = { percent_off: 50, duration: 'repeating', duration_in_months: 3 } as const;
    const { id } = await shop.stripe.coupons.create(coupon);
    return shop.subscribeBy({ plan: 'growth', discounts: [{ coupon: id }] });
  };

  test("the customer's discount, which ends when it would have ended", async () => {
    const who = await customersDiscount();
    await change(who, 'starter');
    for (let month = 0; month < 4; month += 1) await renew(who);
    expect(await totalsOf(who)).toEqual([1900, 1900, 950, 950, 3950]);
  });

  test('what stands beside the plan', async () => {
    const who = await shop.subscribe('growth');
    const product = (await shop.stripe.products.create({ name: 'Support' })).id;
    const support = await shop.stripe.prices.create({
      currency: 'usd',
      product,
      recurring: { interval: 'month' },
      unit_amount: 50_000,
    });
    const [plan] = (await atStripe(who)).items.data;
    await shop.stripe.subscriptions.update(who.subscriptionId, {
      items: [
        { id: plan?.id ?? '', deleted: true },
        { price: support.id },
        { price: shop.priceOf('growth') },
      ],
      proration_behavior: 'none',
    });
    await change(who, 'starter');
    await renew(who);
    expect((await totalsOf(who))[0]).toBe(51_900);
    await upgrade(who, 'growth');
    const { data } = (await atStripe(who)).items;
    expect(data.map(({ price }) => price.id)).toEqual([support.id, shop.priceOf('growth')]);
  });
});
