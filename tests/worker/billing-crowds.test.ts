import { afterAll, afterEach, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import {
  event,
  invoice,
  packSession,
  planSession,
  subscription,
} from '../support/stripe-events.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { ownProxy } from '../support/worker-database.ts';
import { failedEvents, lotsOf } from '../support/worker-billing.ts';
import { checkout, pay, stripeLocal } from '../support/worker-shop.ts';

const proxy = await ownProxy();
const rig = await startRig({ stripe: true, env: { NEON_PROXY_URL: proxy.url } });
const stripe = rig.stripe ?? expect.unreachable();
const { pool } = rig.database;

afterEach(() => {
  for (const { faults } of [proxy, stripe]) faults.clear();
});

afterAll(async () => {
  await assertBooksHold(pool);
  await rig.close();
  await proxy.stop();
});

const smallPack = 500;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Runs over `items`, so many at a time. */
async function inParallel<T>(items: T[], lanes: number, work: (item: T) => Promise<void>) {
  const left = items.values();
  await Promise.all(
    upTo(lanes).map(async () => {
      for (const item of left) await work(item);
    }),
  );
}

/** Opens pages for `quantities` of small packs, at once. */
const openPages = (token: string, quantities: number[]): Promise<{ url: string }[]> =>
  Promise.all(quantities.map((quantity) => checkout(rig, token, { pack: 'small', quantity })));

test('concurrent packs: 50 paid at once are 50 packs', async () => {
  const { token } = await rig.user(someone());
  const quantities = upTo(50).map((i) => (i % 3) + 1);
  const pages = await openPages(token, quantities);
  expect(new Set(pages.map(({ url }) => url)).size).toBe(50);
  stripe.faults.add({ on: 'delivery', kind: 'duplicate' });
  await Promise.all(pages.map(({ url }) => pay(url)));
  await stripe.drain();

  const bought = quantities.reduce((sum, quantity) => sum + quantity, 0) * smallPack;
  expect(await lotsOf(rig, token)).toEqual({
    balance: 500 + bought,
    plan: 0,
    bonus: 500,
    purchased: bought,
  });
  const packs = (await rig.entries(token)).filter(({ kind }) => kind === 'pack');
  expect(packs).toHaveLength(50);
  expect(new Set(packs.map(({ source }) => source.id)).size).toBe(50);
  expect(packs[0]?.balanceAfter).toBe(500 + bought);
});

test('1,000 webhooks at once, 500 distinct: nothing lost, nothing double', async () => {
  const users = await Promise.all(upTo(20).map(() => rig.user(someone())));
  const sales = upTo(500).map((i) => {
    const { me, token } = users[i % 20] ?? expect.unreachable();
    const quantity = (i % 4) + 1;
    const session = packSession({ userId: me.id, pack: 'small', quantity });
    return { token, quantity, event: event('checkout.session.completed', session) };
  });
  // The second of each comes while the first may still be on its way.
  const sends = upTo(1000).map((i) => sales[Math.floor(i / 16) * 8 + (i % 8)] ?? sales[i % 500]);
  const counts = new Map<string, number>();
  for (const sale of sends)
    counts.set(sale?.event.id ?? '', (counts.get(sale?.event.id ?? '') ?? 0) + 1);
  expect([counts.size, Math.min(...counts.values()), sends.length]).toEqual([500, 2, 1000]);

  const statuses: string[] = [];
  await inParallel(sends, 64, async (sale) => {
    const answer = await rig.postWebhook(sale?.event);
    statuses.push(answer.ok ? ((await answer.json()) as { status: string }).status : 'refused');
  });
  const count = (status: string) => statuses.filter((one) => one === status).length;
  expect({ completed: count('completed'), duplicate: count('duplicate') }).toEqual({
    completed: 500,
    duplicate: 500,
  });

  for (const { token } of users) {
    const mine = sales.filter((sale) => sale.token === token);
    const credits = mine.reduce((sum, { quantity }) => sum + quantity, 0) * smallPack;
    expect((await rig.me(token)).credits).toMatchObject({
      balance: 500 + credits,
      purchased: credits,
    });
    expect(await rig.entries(token)).toHaveLength(26);
  }
  const ids = sales.map(({ event: { id } }) => id);
  const { rows } = await pool.query<{ n: number }>(
    "select count(*)::int as n from stripe_events where event_id = any($1) and status = 'completed'",
    [ids],
  );
  expect(rows[0]?.n).toBe(500);
  expect(await failedEvents(rig)).toEqual([]);
});

test('the events of 60 first purchases at once are each stored at the first delivery', async () => {
  const { rows: prices } = await pool.query<{ price: string }>(
    "select price_id as price from stripe_prices where kind = 'plan' and key = 'starter'",
  );
  const users = await Promise.all(upTo(60).map(() => rig.user(someone())));
  const created = Math.floor(Date.now() / 1000);
  const events = users.flatMap(({ me }, i) => {
    const ids = { userId: me.id, customer: `cus_first${i}`, subscription: `sub_first${i}` };
    const sale = { ...ids, price: prices[0]?.price ?? '' };
    const previous = { status: 'incomplete' };
    return [
      event('customer.subscription.created', subscription(sale, previous), { created }),
      event('customer.subscription.updated', subscription(sale), { created, previous }),
      event('invoice.paid', invoice(sale), { created }),
      event('checkout.session.completed', planSession(sale), { created }),
    ];
  });
  const answers: number[] = [];
  await inParallel(events, 32, async (one) => {
    answers.push((await rig.postWebhook(one)).status);
  });
  expect(new Set(answers)).toEqual(new Set([200]));
  expect(await failedEvents(rig)).toEqual([]);
  for (const { token } of users) expect((await rig.me(token)).credits.plan).toBe(1000);
});

type Delivery = { state: string; attempts: { status: number | null }[] };

const deliveriesOf = async (type: string): Promise<Delivery[]> => {
  const answer = await fetch(`${stripe.url}/_local/events?type=${type}`);
  const { events } = (await answer.json()) as { events: { deliveries: Delivery[] }[] };
  return events.flatMap(({ deliveries }) => deliveries);
};

test('a crash with 100 webhooks in flight: Stripe comes again, the balances are exact', async () => {
  const users = await Promise.all(upTo(10).map(() => rig.user(someone())));
  const quantities = upTo(10).map((i) => (i % 2) + 1);
  const pages = await Promise.all(users.map(({ token }) => openPages(token, quantities)));
  await stripe.drain();
  const before = (await deliveriesOf('checkout.session.completed')).length;
  const stored = async () =>
    (await pool.query<{ n: number }>('select count(*)::int as n from stripe_events')).rows[0]?.n ??
    0;
  const atFirst = await stored();

  await stripeLocal(stripe, 'deliveries', { paused: true });
  await Promise.all(pages.flat().map(({ url }) => pay(url)));
  // Some statements run at once and their answer is lost, some run when the Worker is gone already.
  proxy.faults.add({ kind: 'latency', ms: 1500, times: 60 });
  await stripeLocal(stripe, 'deliveries', { paused: false });
  await waitFor(async () => (await stored()) >= atFirst + 10);
  await rig.worker.restart();
  await stripe.drain();

  const deliveries = (await deliveriesOf('checkout.session.completed')).slice(before);
  expect(deliveries).toHaveLength(100);
  expect(new Set(deliveries.map(({ state }) => state))).toEqual(new Set(['delivered']));
  const cut = deliveries.filter(({ attempts }) => attempts.some(({ status }) => status === null));
  expect(cut.length).toBeGreaterThan(10);
  for (const { token } of users) {
    expect(await lotsOf(rig, token)).toEqual({
      balance: 8000,
      plan: 0,
      bonus: 500,
      purchased: 15 * smallPack,
    });
    expect(await rig.entries(token)).toHaveLength(11);
  }
  expect(await failedEvents(rig)).toEqual([]);
});
