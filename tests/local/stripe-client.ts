import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Stripe from 'stripe';
import { afterEach, beforeEach } from 'vitest';
import type { StripeOptions, StripeStandIn } from '../../local/stripe/index.ts';
import { startCheckedStripe } from '../support/checked-stripe.ts';

/** One webhook call as it came over the wire. */
export type Hook = { payload: string; signature: string; event: Stripe.Event };

/** An endpoint that keeps what it is sent; `answer` decides the status, by call from zero. */
export async function listenForHooks(answer: (index: number) => number = () => 200) {
  const hooks: Hook[] = [];
  const server = createServer((request, response) => {
    let payload = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => (payload += part));
    request.on('end', () => {
      const signature = String(request.headers['stripe-signature']);
      hooks.push({ payload, signature, event: JSON.parse(payload) as Stripe.Event });
      response.writeHead(answer(hooks.length - 1)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    hooks,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    types: () => hooks.map(({ event }) => event.type as string),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The real SDK, pointed at the stand-in. */
export const sdk = (port: number, key = 'sk_test_shop'): Stripe =>
  new Stripe(key, { host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: 0 });

/** A stand-in with a product, a monthly and a dearer price, and a pack. */
export async function openShop(options: StripeOptions = {}) {
  const standIn = await startCheckedStripe({ secretKey: 'sk_test_shop', ...options });
  const stripe = sdk(standIn.port);
  const product = await stripe.products.create({ name: 'Starter' });
  const price = (unit_amount: number, lookup_key: string, interval?: 'month' | 'year') =>
    stripe.prices.create({
      currency: 'usd',
      lookup_key,
      product: product.id,
      unit_amount,
      ...(interval ? { recurring: { interval } } : {}),
    });
  const [starter, pro, yearly, pack] = [
    await price(2000, 'starter', 'month'),
    await price(5000, 'pro', 'month'),
    await price(20_000, 'yearly', 'year'),
    await price(900, 'pack'),
  ];
  return {
    standIn,
    stripe,
    product,
    prices: { starter, pro, yearly, pack },
    ...verbs(standIn, stripe),
  };
}

/** Short ways through the stand-in's pages and switches. */
function verbs(standIn: StripeStandIn, stripe: Stripe) {
  const local = async <T = Record<string, unknown>>(path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${standIn.url}/_local${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json() as Promise<T>;
  };
  const press = async (url: string | null, fields: Record<string, string>) => {
    const answer = await fetch(url ?? '', {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams(fields),
    });
    return { code: answer.status, ...((await answer.json()) as Record<string, unknown>) };
  };
  const checkout = (price: string, extra: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    stripe.checkout.sessions.create({
      cancel_url: 'https://shop.test/cancel',
      line_items: [{ price, quantity: 1 }],
      mode: 'subscription',
      success_url: 'https://shop.test/ok?session={CHECKOUT_SESSION_ID}',
      ...extra,
    });
  /** A paid subscription, with the ids that a test needs. */
  const subscribe = async (
    price: string,
    extra: Partial<Stripe.Checkout.SessionCreateParams> = {},
  ) => {
    const session = await checkout(price, extra);
    await press(session.url, { action: 'pay', email: 'ada@example.com' });
    const done = await stripe.checkout.sessions.retrieve(session.id);
    const subscription = await stripe.subscriptions.retrieve(done.subscription as string);
    return { session: done, subscription, customer: done.customer as string };
  };
  const types = async (): Promise<string[]> => {
    const { events } = await local<{ events: { type: string }[] }>('/events');
    return events.map(({ type }) => type);
  };
  /** The types of the events that `play` causes, in the order in which they came to be. */
  const told = async (play: () => Promise<unknown>): Promise<string[]> => {
    const before = (await types()).length;
    await play();
    return (await types()).slice(before);
  };
  const advance = (seconds: number) => local('/clock', { advance_seconds: seconds });
  return { local, press, checkout, subscribe, types, told, advance };
}

export type Shop = Awaited<ReturnType<typeof openShop>>;
export const DAY = 86_400;

/** What `shopForEachTest` opened for the test that runs. */
export let shop: Shop;
export let stripe: Stripe;

/** Opens a shop before each test of the file that calls it, and closes it afterwards. */
export function shopForEachTest(): void {
  beforeEach(async () => {
    shop = await openShop();
    stripe = shop.stripe;
  });
  afterEach(() => shop.standIn.close());
}

/** The newest invoice of a subscription. */
export async function latest(subscription: string): Promise<Stripe.Invoice> {
  const [invoice] = (await stripe.invoices.list({ subscription, limit: 1 })).data;
  if (!invoice) throw new Error('no invoice');
  return invoice;
}

/** The error of a call that must fail. */
export async function failure(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await call;
  } catch (error) {
    return error as Stripe.errors.StripeError;
  }
  throw new Error('The call succeeded.');
}

/** The top-level fields of Stripe's current shape that an object lacks. */
export const lacking = (template: object, object: object): string[] =>
  Object.keys(template).filter((key) => !(key in object));
