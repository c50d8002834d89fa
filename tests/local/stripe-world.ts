import { setTimeout as delay } from 'node:timers/promises';
import Stripe from 'stripe';
import { vi } from 'vitest';
import { openShop } from './stripe-client.ts';

type Card = 'ok' | 'decline';
type Prices = Record<'starter' | 'pro' | 'yearly', Stripe.Price>;

/** What a billing story needs of Stripe, whichever it is. Times are unix seconds. */
export type World = {
  stripe: Stripe;
  prices: Prices;
  /** A customer with a good card. */
  customer: () => Promise<Stripe.Customer>;
  setCard: (customer: string, card: Card) => Promise<unknown>;
  now: () => Promise<number>;
  moveTo: (seconds: number) => Promise<unknown>;
  /** The types of the events that `play` causes, in the order in which they came to be. */
  told: (play: () => Promise<unknown>) => Promise<string[]>;
  /** What becomes of a subscription after the last retry; a setting of the dashboard in the real one. */
  setDunning: (afterRetries: string) => Promise<unknown>;
  close: () => Promise<unknown>;
};

/** A test key of a real account, on which the same stories can be played. */
const testKey = process.env['STRIPE_TEST_KEY'];
export const isReal = testKey !== undefined;
if (isReal) vi.setConfig({ hookTimeout: 120_000, testTimeout: 600_000 });

const standIn = async (): Promise<World> => {
  const shop = await openShop();
  const { local, prices, stripe, told } = shop;
  const setCard = (customer: string, card: Card) => local(`/customers/${customer}`, { card });
  return {
    stripe,
    prices,
    told,
    setCard,
    customer: async () => {
      const customer = await stripe.customers.create({ email: 'ada@example.com' });
      await setCard(customer.id, 'ok');
      return customer;
    },
    now: async () => shop.standIn.now(),
    moveTo: (to) => local('/clock', { to }),
    setDunning: (afterRetries) => local('/dunning', { afterRetries }),
    close: shop.standIn.close,
  };
};

/** Source of the cards: https://docs.stripe.com/testing#declined-payments */
const methods = { ok: 'pm_card_visa', decline: 'pm_card_chargeCustomerFail' };

/** A test account, its time moved by a test clock. Source: https://docs.stripe.com/billing/testing/test-clocks */
async function account(key: string): Promise<World> {
  if (!key.startsWith('sk_test_')) throw new Error('STRIPE_TEST_KEY must be a test key.');
  const stripe = new Stripe(key);
  const start = Math.floor(Date.now() / 1000);
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: start });
  const product = await stripe.products.create({ name: 'Starter' });
  const price = (unit_amount: number, interval: 'month' | 'year') =>
    stripe.prices.create({
      currency: 'usd',
      product: product.id,
      recurring: { interval },
      unit_amount,
    });
  const setCard = async (customer: string, card: Card) => {
    const { id } = await stripe.paymentMethods.attach(methods[card], { customer });
    await stripe.customers.update(customer, { invoice_settings: { default_payment_method: id } });
  };
  return {
    stripe,
    setCard,
    prices: {
      starter: await price(2000, 'month'),
      pro: await price(5000, 'month'),
      yearly: await price(20_000, 'year'),
    },
    customer: async () => {
      const customer = await stripe.customers.create({ test_clock: clock.id });
      await setCard(customer.id, 'ok');
      return customer;
    },
    now: async () => (await stripe.testHelpers.testClocks.retrieve(clock.id)).frozen_time,
    moveTo: async (frozen_time) => {
      await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time });
      while ((await stripe.testHelpers.testClocks.retrieve(clock.id)).status === 'advancing')
        await delay(2_000);
    },
    told: async (play) => {
      const [last] = (await stripe.events.list({ limit: 1 })).data;
      await play();
      await delay(5_000);
      const page = { limit: 100, ...(last && { ending_before: last.id }) };
      return (await stripe.events.list(page)).data.toReversed().map(({ type }) => type);
    },
    setDunning: async () => undefined,
    close: () => stripe.testHelpers.testClocks.del(clock.id),
  };
}

/** The stand-in, or the account that STRIPE_TEST_KEY names. */
export const openWorld = (): Promise<World> =>
  testKey === undefined ? standIn() : account(testKey);
