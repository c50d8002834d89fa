import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Clock } from '../../local/stripe/core/clock.ts';
import { periodFrom } from '../../local/stripe/resources/periods.ts';
import { openShop, type Shop } from './stripe-client.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.standIn.close());

/** A request of the API by its form; gives the status and the parameter that is refused. */
const send = async (path: string, fields: Record<string, string>) => {
  const headers = { authorization: 'Bearer sk_test_shop' };
  const init = { method: 'POST', headers, body: new URLSearchParams(fields) };
  const answer = await fetch(`${shop.standIn.url}/v1/${path}`, init);
  const { error } = (await answer.json()) as { error?: { param?: string } };
  return [answer.status, error?.param];
};
const monthly = { currency: 'usd', unit_amount: '5', 'recurring[interval]': 'month' };
const half = { duration: 'once', percent_off: '50' };

describe('a price', () => {
  it.each<[string, Record<string, string>]>([
    ['recurring[interval_count]', { 'recurring[interval_count]': '0' }],
    ['recurring[interval_count]', { 'recurring[interval_count]': '99999999' }],
    ['unit_amount', { unit_amount: '100000000' }],
    ['currency', { currency: 'xyz' }],
    ['product', { 'product_data[name]': 'Other' }],
  ])('is refused for its %s (%j)', async (param, fields) => {
    const product = shop.product.id;
    expect(await send('prices', { ...monthly, product, ...fields })).toEqual([400, param]);
  });

  it('recurs at least every three years', async () => {
    const product = shop.product.id;
    for (const [interval, most] of Object.entries({ day: 1095, week: 156, month: 36, year: 3 })) {
      const fields = { ...monthly, currency: 'USD', product, 'recurring[interval]': interval };
      for (const [count, status] of Object.entries({ [most]: 200, [most + 1]: 400 })) {
        const answer = await send('prices', { ...fields, 'recurring[interval_count]': count });
        expect(answer[0]).toBe(status);
      }
    }
  });

  it('is the default of its own product alone', async () => {
    const other = await shop.stripe.products.create({ name: 'Other' });
    const price = { default_price: shop.prices.pro.id };
    expect(await send(`products/${other.id}`, price)).toEqual([400, 'default_price']);
    expect((await send(`products/${shop.product.id}`, price))[0]).toBe(200);
  });
});

it('periods end: those of no length and of no number are errors', () => {
  const recurring = { interval: 'month' } as Stripe.Price.Recurring;
  for (const interval_count of [0, NaN])
    expect(() => periodFrom(0, { ...recurring, interval_count }, 10)).toThrow(RangeError);
  for (const moment of [NaN, Infinity])
    expect(() => new Clock().moveTo(moment)).toThrow(RangeError);
});

it.each<[string, Record<string, string>]>([
  ['amount_off', { duration: 'once', amount_off: '0', currency: 'usd' }],
  ['currency', { duration: 'once', amount_off: '5', currency: 'xyz' }],
  ['currency', { ...half, currency: 'usd' }],
  ['max_redemptions', { ...half, max_redemptions: '0' }],
  ['duration_in_months', { ...half, duration: 'repeating', duration_in_months: '0' }],
  ['duration_in_months', { ...half, duration: 'repeating', duration_in_months: '99999999' }],
])('a coupon is refused for its %s (%j)', async (param, fields) => {
  expect(await send('coupons', fields)).toEqual([400, param]);
});

it('a promotion code has plain characters, a use and a time ahead', async () => {
  const { id } = await shop.stripe.coupons.create({ duration: 'once', percent_off: 50 });
  const code = (fields: Record<string, string>) =>
    send('promotion_codes', { 'promotion[type]': 'coupon', 'promotion[coupon]': id, ...fields });
  expect(await code({ code: 'FALL 20%' })).toEqual([400, 'code']);
  expect(await code({ max_redemptions: '0' })).toEqual([400, 'max_redemptions']);
  expect(await code({ expires_at: String(shop.standIn.now()) })).toEqual([400, 'expires_at']);
  expect((await code({ code: 'Fall-20' }))[0]).toBe(200);
});

it('a subscription knows its reasons, and resumes in the future', async () => {
  const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
  const update = (fields: Record<string, string>) =>
    send(`subscriptions/${subscription.id}`, fields);
  const feedback = 'cancellation_details[feedback]';
  expect(await update({ [feedback]: 'bored' })).toEqual([400, feedback]);
  for (const known of ['unused', '']) expect((await update({ [feedback]: known }))[0]).toBe(200);
  const pause = { 'pause_collection[behavior]': 'void', 'pause_collection[resumes_at]': '1' };
  expect(await update(pause)).toEqual([400, 'pause_collection[resumes_at]']);
  const session = { customer, locale: 'xx' };
  expect(await send('billing_portal/sessions', session)).toEqual([400, 'locale']);
  const page = { ...session, 'line_items[0][price]': 'x', mode: 'payment', success_url: 'x' };
  expect(await send('checkout/sessions', page)).toEqual([400, 'locale']);
});

it('the switches refuse what they would ignore, by its name', async () => {
  await shop.subscribe(shop.prices.starter.id);
  const [charge] = (await shop.stripe.charges.list()).data;
  const path = `/charges/${charge?.id}/dispute`;
  const { dispute } = await shop.local<{ dispute: { id: string } }>(path, {});
  const refused: [string, object, string][] = [
    [`/disputes/${dispute.id}`, { status: 'won', reinstated: 1 }, 'reinstated'],
    [path, { amuont: 5 }, 'amuont'],
    [path, { inquiry: true, kind: 'block' }, 'inquiry'],
    [path, { reason: 'mood' }, 'reason'],
    ['/clock', { to: 1e12 }, 'clock'],
    ['/clock', { advance_seconds: 1e12 }, 'clock'],
    ['/redeliver-all', { type: 'x' }, 'type'],
    ['/drain?timeout_ms=x', {}, 'timeout_ms'],
    ['/tell', { event: { id: 'evt_1', object: 'event' }, type: 'x' }, 'event'],
  ];
  for (const [at, body, word] of refused) {
    const init = { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${shop.standIn.url}/_local${at}`, init);
    expect([answer.status, await answer.text()]).toEqual([422, expect.stringContaining(word)]);
  }
});
