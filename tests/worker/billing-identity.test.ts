import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import {
  admin,
  failedEvents,
  lotsOf,
  type StoredEvent,
  stripePost,
  subscribe,
  subscriptionOf,
} from '../support/worker-billing.ts';
import { buy } from '../support/worker-shop.ts';

const rig = await startRig({ stripe: true });
const stripe = rig.stripe ?? expect.unreachable();
const { pool } = rig.database;

afterAll(async () => {
  await assertBooksHold(pool);
  await rig.close();
});

type Plans = Record<'plans' | 'packs', { key: string; priceId: string }[]>;
const onSale = await rig.json<Plans>('/v1/billing/plans');
const priceOf = (kind: 'plans' | 'packs', key: string): string =>
  onSale[kind].find((item) => item.key === key)?.priceId ?? expect.unreachable();

/** Pays on a page that somebody else than us has opened: a payment link, a colleague, a test. */
async function sellElsewhere(fields: Record<string, string>, email?: string): Promise<string> {
  const session = await stripePost<{ id: string; url: string }>(rig, 'checkout/sessions', {
    'line_items[0][quantity]': '1',
    success_url: 'https://elsewhere.example/',
    ...fields,
  });
  const answer = await fetch(session.url, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams({ action: 'pay', ...(email !== undefined && { email }) }),
  });
  expect(answer.status).toBe(200);
  await stripe.drain();
  return session.id;
}

const smallPack = (fields: Record<string, string>): Record<string, string> => ({
  mode: 'payment',
  'line_items[0][price]': priceOf('packs', 'small'),
  'metadata[pack]': 'small',
  ...fields,
});

const customerOf = async (email: string): Promise<string> =>
  (await stripePost<{ id: string }>(rig, 'customers', { email })).id;

/** The failed event that names a session or a price. */
const failedAbout = async (id: string): Promise<StoredEvent> => {
  const { rows } = await pool.query<{ event_id: string }>(
    "select event_id from stripe_events where status = 'failed' and payload::text like $1",
    [`%${id}%`],
  );
  const ids = rows.map((row) => row.event_id);
  const found = (await failedEvents(rig)).filter(({ eventId }) => ids.includes(eventId));
  expect(found.length).toBeGreaterThan(0);
  return found[0] ?? expect.unreachable();
};

const packed = { balance: 1000, plan: 0, bonus: 500, purchased: 500 };

describe('missing user id', () => {
  test('found by the Stripe customer, whatever the e-mail says', async () => {
    const { token } = await rig.user(someone());
    await buy(rig, token, { pack: 'small', quantity: 1 });
    const { rows } = await pool.query<{ id: string }>(
      'select stripe_customer_id as id from users where id = $1',
      [(await rig.me(token)).id],
    );
    const customer = rows[0]?.id ?? expect.unreachable();
    const other = `${someone()}@people.example`;
    const bystander = await rig.user(someone(), other);
    await stripePost(rig, `customers/${customer}`, { email: other });
    await sellElsewhere(smallPack({ customer }));
    expect(await lotsOf(rig, token)).toEqual({ ...packed, balance: 1500, purchased: 1000 });
    expect((await lotsOf(rig, bystander.token)).purchased).toBe(0);
  });

  test('found by the verified e-mail, in whatever case', async () => {
    const email = `Mixed.${someone()}@people.example`;
    const { token } = await rig.user(someone(), email);
    await sellElsewhere(smallPack({ customer_email: email.toUpperCase() }));
    expect(await lotsOf(rig, token)).toEqual(packed);
  });

  test('placeholders of a template are nobody: the customer decides', async () => {
    const email = `${someone()}@people.example`;
    const { token } = await rig.user(someone(), email);
    const customer = await customerOf(email);
    for (const nobody of ['null', 'undefined', '<user_id>'])
      await sellElsewhere(
        smallPack({ customer, client_reference_id: nobody, 'metadata[user_id]': nobody }),
      );
    expect((await lotsOf(rig, token)).purchased).toBe(1500);
  });

  test('of a subscription: its first invoice and its renewals find the customer', async () => {
    const email = `${someone()}@people.example`;
    const { token } = await rig.user(someone(), email);
    await sellElsewhere({
      mode: 'subscription',
      customer: await customerOf(email),
      'line_items[0][price]': priceOf('plans', 'growth'),
    });
    expect((await lotsOf(rig, token)).balance).toBe(5000);
    // An event that came before the link is tried again behind the answer to the one that brought it.
    await waitFor(async () => (await subscriptionOf(rig, token))?.status === 'active');
    expect(await subscriptionOf(rig, token)).toMatchObject({ plan: 'growth' });
  });

  test('nobody: failed, visible, nothing granted; heals by itself after the sign-up', async () => {
    const email = `${someone()}@people.example`;
    const session = await sellElsewhere(smallPack({}), email);
    const event = await failedAbout(session);
    expect(event).toMatchObject({
      type: 'checkout.session.completed',
      status: 'failed',
      attempts: 1,
      errorCode: 'unknown_user',
    });
    expect(event.error).toMatch(/user id|customer|e-mail/);

    const { token } = await rig.user(someone(), email);
    // No operator, no cron: the first call has woken it.
    await waitFor(async () => (await lotsOf(rig, token)).purchased === 500);
    expect(await lotsOf(rig, token)).toEqual(packed);
    expect((await failedEvents(rig)).map(({ eventId }) => eventId)).not.toContain(event.eventId);
  });

  test('a plan bought by nobody: after the sign-up the balance is the plan', async () => {
    const email = `${someone()}@people.example`;
    const customer = await customerOf(email);
    await sellElsewhere({
      mode: 'subscription',
      customer,
      'line_items[0][price]': priceOf('plans', 'starter'),
    });
    const types = (await failedEvents(rig)).map(({ type }) => type);
    expect(types).toContain('invoice.paid');
    expect(types).toContain('customer.subscription.created');

    const { token } = await rig.user(someone(), email);
    await waitFor(async () => (await lotsOf(rig, token)).balance === 1000);
    expect(await lotsOf(rig, token)).toEqual({
      balance: 1000,
      plan: 1000,
      bonus: 0,
      purchased: 0,
    });
    expect(await subscriptionOf(rig, token)).toMatchObject({ plan: 'starter', status: 'active' });
  });
});

describe('invalid plan', () => {
  test('failed with a reason, nothing granted, healed by a retry once the price is there', async () => {
    const { token, me } = await rig.user(someone());
    const price = await stripePost<{ id: string; product: string }>(rig, 'prices', {
      currency: 'usd',
      unit_amount: '4900',
      'recurring[interval]': 'month',
      'product_data[name]': 'Forgotten',
    });
    await sellElsewhere({
      mode: 'subscription',
      client_reference_id: me.id,
      customer: await customerOf(me.email ?? ''),
      'line_items[0][price]': price.id,
      'subscription_data[metadata][user_id]': me.id,
    });
    const failed = await failedEvents(rig);
    const invoice = failed.find(({ type }) => type === 'invoice.paid') ?? expect.unreachable();
    expect(invoice).toMatchObject({ errorCode: 'unknown_price', attempts: 1 });
    expect(invoice.error).toContain(price.id);
    expect((await lotsOf(rig, token)).balance).toBe(500);
    expect(await rig.entries(token)).toHaveLength(1);
    expect(await subscriptionOf(rig, token)).toBeNull();

    const retry = () => admin<StoredEvent>(rig, `webhooks/${invoice.eventId}/retry`, 'POST');
    expect(await retry()).toMatchObject({ status: 'failed', attempts: 2 });
    expect((await lotsOf(rig, token)).balance).toBe(500);

    await pool.query(
      `insert into stripe_prices (price_id, product_id, kind, key, name, credits, trial_credits,
         interval, amount_cents, currency, position)
       values ($1, $2, 'plan', 'forgotten', 'Forgotten', 2000, 0, 'month', 4900, 'usd', 9)`,
      [price.id, price.product],
    );
    expect(await retry()).toMatchObject({ status: 'completed', error: null });
    expect((await lotsOf(rig, token)).balance).toBe(2000);
    expect(await retry()).toMatchObject({ status: 'duplicate' });

    // Those that it woke may be at work behind its answer: then nothing is left for an operator to try.
    await waitFor(async () => {
      const { remaining } = await admin<{ remaining: number }>(rig, 'webhooks/retry', 'POST');
      return remaining === 0;
    });
    expect((await lotsOf(rig, token)).balance).toBe(2000);
    expect(await subscriptionOf(rig, token)).toMatchObject({ plan: 'forgotten' });
    expect(await rig.entries(token)).toHaveLength(2);
  });

  test('a pack that we do not sell is the same', async () => {
    const { token, me } = await rig.user(someone());
    const session = await sellElsewhere(
      smallPack({ client_reference_id: me.id, 'metadata[pack]': 'gigantic' }),
    );
    expect(await failedAbout(session)).toMatchObject({ errorCode: 'unknown_price' });
    expect((await lotsOf(rig, token)).balance).toBe(500);
  });

  test('neither holds up anybody else', async () => {
    expect(await failedEvents(rig)).toHaveLength(1);
    const { me } = await subscribe(rig, 'starter');
    expect(me.credits.balance).toBe(1000);
  });
});

test('a page of ours is refused for a plan that does not exist, and pays for nothing', async () => {
  const { token } = await rig.user(someone());
  const answer = await rig.api('/v1/billing/checkout', {
    method: 'POST',
    token,
    body: { plan: 'gigantic' },
  });
  expect(answer.status).toBe(422);
  expect(await answer.json()).toMatchObject({ code: 'unknown_plan' });
});
