import Stripe from 'stripe';
import { startCheckedStripe } from '../../support/checked-stripe.ts';
import { sdk } from '../stripe-client.ts';

export type Fields = Record<string, unknown>;
type Thing = Fields & { id: string };
const none: Thing = { id: 'none' };
export type Game = Awaited<ReturnType<typeof openGame>>;
/** Decides by the numbers that fast-check drew, so that a sequence can be played again. */
export type Dice = { roll: (n: number) => number; pick: <T>(...values: T[]) => T };

export const dice = (numbers: number[]): Dice => {
  let at = 0;
  const roll = (n: number) => (numbers[at++ % numbers.length] ?? 0) % n;
  return { roll, pick: (...values) => values[roll(values.length)] as (typeof values)[0] };
};

/** A shop whose calls may be refused as Stripe refuses; what fails otherwise fails the test. */
export async function openGame() {
  const standIn = await startCheckedStripe({ secretKey: 'sk_test_shop' });
  const stripe = sdk(standIn.port);
  const api = async (method: 'DELETE' | 'GET' | 'POST', path: string, params: Fields = {}) => {
    try {
      const query =
        method === 'POST' ? '' : `?${new URLSearchParams(params as Record<string, string>)}`;
      const asked = stripe.rawRequest(
        method,
        `/v1/${path}${query}`,
        method === 'POST' ? params : undefined,
      );
      return (await asked) as unknown as Thing & { data?: Thing[] };
    } catch (error) {
      const status = error instanceof Stripe.errors.StripeError ? (error.statusCode ?? 500) : 500;
      if (status >= 500) throw error;
      return { id: 'refused' } as Thing & { data?: Thing[] };
    }
  };
  const post = async (path: string, body: unknown) => {
    const isPage = !path.startsWith('/_local');
    const answer = await fetch(path.startsWith('/') ? standIn.url + path : path, {
      method: 'POST',
      redirect: 'manual',
      headers: { accept: 'application/json' },
      body: isPage ? new URLSearchParams(body as Record<string, string>) : JSON.stringify(body),
    });
    // Time goes on whatever was played.
    if (answer.status >= 500 || (!answer.ok && path === '/_local/clock'))
      throw new Error(`${path}: ${await answer.text()}`);
  };
  /** Any object of a list, newer ones more often than in turn; of all where the filter finds none. */
  const any = async (path: string, { roll }: Dice, params: Fields = {}) => {
    const found = await api('GET', path, { limit: 100, ...params });
    const { data } = found.data?.length ? found : await api('GET', path, { limit: 100 });
    return data?.[roll(2) * roll(data.length || 1)] ?? none;
  };
  const make = async (path: string, params: Fields) => (await api('POST', path, params)).id;
  const product = await make('products', { name: 'Starter' });
  const price = (unit_amount: number, interval?: string, tax_behavior = 'exclusive') =>
    make('prices', {
      currency: 'usd',
      product,
      tax_behavior,
      unit_amount,
      ...(interval && { recurring: { interval } }),
    });
  const monthly = [await price(2000, 'month'), await price(4999, 'month', 'inclusive')];
  const yearly = [await price(20_000, 'year'), await price(51_001, 'year')];
  const coupons = [
    await make('coupons', { duration: 'once', percent_off: 33 }),
    await make('coupons', { duration: 'forever', percent_off: 100 }),
    await make('coupons', {
      amount_off: 700,
      currency: 'usd',
      duration: 'repeating',
      duration_in_months: 2,
    }),
  ];
  const promotion = { coupon: coupons[0], type: 'coupon' };
  const restrictions = { first_time_transaction: true };
  const codes = [
    await make('promotion_codes', { code: 'LESS', max_redemptions: 3, promotion }),
    await make('promotion_codes', { code: 'FIRST', promotion, restrictions }),
  ];
  const prices = [...monthly, ...yearly];
  const portal = (update: Fields, mode: string) =>
    make('billing_portal/configurations', {
      features: {
        subscription_cancel: { enabled: true, mode },
        subscription_update: {
          default_allowed_updates: ['price'],
          enabled: true,
          products: [{ prices, product }],
          ...update,
        },
      },
    });
  const later = {
    conditions: [{ type: 'decreasing_item_amount' }, { type: 'shortening_interval' }],
  };
  const now = { billing_cycle_anchor: 'now', proration_behavior: 'always_invoice' };
  const portals = [
    await portal({ ...now, schedule_at_period_end: later }, 'at_period_end'),
    await portal({ proration_behavior: 'create_prorations' }, 'immediately'),
    await portal({ ...now, trial_update_behavior: 'end_trial' }, 'at_period_end'),
  ];
  const pack = await price(900);
  return {
    any,
    api,
    codes,
    coupons,
    pack,
    portals,
    post,
    prices,
    standIn,
    stripe,
    told: { count: 0 },
  };
}
