import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StripeEvent } from '../../functions/webhooks/decide.pure.ts';
import { audit } from '../support/audit.ts';
import { Lab, type Snapshot } from '../support/lab.ts';

let lab: Lab;
let tried = 0;
beforeEach(async () => {
  lab = await Lab.open();
});
afterEach(() => lab.close());
afterAll(() => console.log(`convergence: ${tried} orders tried`));

/** Orders to draw at random where there are too many to try all. */
const randomOrders = Number(process.env['CONVERGENCE_RUNS'] ?? 150);
const day = 86_400;

const permutations = (length: number): number[][] =>
  length === 0
    ? [[]]
    : permutations(length - 1).flatMap((rest) =>
        Array.from({ length }, (_, at) => rest.toSpliced(at, 0, length - 1)),
      );

/** A small generator with a seed, so that a failing order can be had again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

function shuffled<T>(items: T[], random: () => number): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}

/** The same event as another endpoint or a resend would bring it: under another id. */
const twin = (event: StripeEvent): StripeEvent => ({
  ...event,
  id: `${event.id}_twin`,
  payload: { ...event.payload, id: `${event.id}_twin` },
});

async function play(order: StripeEvent[]): Promise<Snapshot> {
  await lab.reset();
  for (const event of order) await lab.deliver(event);
  await lab.settle();
  await audit(lab.database.pool);
  tried += 1;
  return lab.snapshot();
}

/** Every order if there are few, many if not; each event once, twice, or under another id as well. */
async function converge(events: StripeEvent[]): Promise<Snapshot> {
  const told = await play(events);
  const isSmall = events.length <= 5;
  const random = randomFrom(events.length * 7919);
  const orders = isSmall
    ? permutations(events.length).map((order) => order.map((i) => events[i] as StripeEvent))
    : Array.from({ length: randomOrders }, () => {
        const twice = events.filter(() => random() < 0.2);
        const twins = events.filter(() => random() < 0.2).map(twin);
        return shuffled([...events, ...twice, ...twins], random);
      });
  orders.push(events.toReversed(), [...events, ...events], [...events.map(twin), ...events]);
  for (const order of orders) {
    const got = await play(order);
    expect(got, `order: ${order.map(({ type, id }) => `${type} ${id}`).join(', ')}`).toEqual(told);
  }
  return told;
}

/** The events that a story causes. */
async function eventsOf(story: () => Promise<void>): Promise<StripeEvent[]> {
  await story();
  return lab.events();
}

describe('whatever the order, and however often', () => {
  test('a first subscription', async () => {
    const events = await eventsOf(async () => {
      await lab.subscribe(lab.shop.prices.starter.id);
    });
    const end = await converge(events);
    expect(end.user).toMatchObject({ credits_balance: 1000, credits_plan: 1000, tier: 'starter' });
  }, 120_000);

  test('a pack, refunded in two parts', async () => {
    const events = await eventsOf(async () => {
      const payment = await lab.buyPacks(2);
      await lab.stripe.refunds.create({ payment_intent: payment, amount: 600 });
      await lab.shop.advance(5);
      await lab.stripe.refunds.create({ payment_intent: payment, amount: 1200 });
    });
    const end = await converge(events);
    expect(end.user).toMatchObject({ credits_balance: 500, credits_purchased: 0 });
  }, 120_000);

  test('a pack, partly refunded, then disputed and won', async () => {
    const events = await eventsOf(async () => {
      const payment = await lab.buyPacks(1);
      const { latest_charge } = await lab.stripe.paymentIntents.retrieve(payment);
      await lab.stripe.refunds.create({ payment_intent: payment, amount: 300 });
      await lab.shop.advance(5);
      const { dispute } = await lab.shop.local<{ dispute: { id: string } }>(
        `/charges/${latest_charge as string}/dispute`,
        { amount: 600 },
      );
      await lab.shop.advance(5);
      await lab.shop.local(`/disputes/${dispute.id}`, { status: 'won' });
    });
    const end = await converge(events);
    expect(end.user).toMatchObject({ credits_purchased: 200 });
  }, 120_000);

  test('two renewals and a cancellation', async () => {
    const events = await eventsOf(async () => {
      const { subscription } = await lab.subscribe(lab.shop.prices.starter.id);
      await lab.shop.advance(31 * day + 3700);
      await lab.shop.advance(31 * day + 3700);
      await lab.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
      await lab.shop.advance(32 * day);
    });
    const end = await converge(events);
    expect(end.user).toMatchObject({ credits_balance: 1000, tier: 'free' });
    expect(end.subscriptions).toMatchObject([{ status: 'canceled' }]);
  }, 120_000);

  test('up, down and up again within a period mints nothing', async () => {
    const events = await eventsOf(async () => {
      const { subscription } = await lab.subscribe(lab.shop.prices.starter.id);
      const item = subscription.items.data[0]?.id ?? '';
      for (const price of [
        lab.shop.prices.pro.id,
        lab.shop.prices.starter.id,
        lab.shop.prices.pro.id,
      ]) {
        await lab.shop.advance(day);
        await lab.stripe.subscriptions.update(subscription.id, {
          items: [{ id: item, price }],
          proration_behavior: 'always_invoice',
        });
      }
    });
    const end = await converge(events);
    // 1,000, then 5,000; back to 1,000, and the second 5,000 is none: at most what is there.
    expect(end.user).toMatchObject({ credits_plan: 1000, tier: 'pro' });
  }, 120_000);
});
