import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { reconcile, type Difference } from '../../functions/stripe/reconcile.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { StripeFixture, fixtureUser } from '../support/stripe-fixture.ts';

let fixture: StripeFixture;
let subsets = 0;
beforeEach(async () => {
  fixture = await StripeFixture.open();
});
afterEach(() => fixture.close());
afterAll(() => console.log(`reconcile: ${subsets} subsets of lost events tried`));

const day = 86_400;

/** Walks to the end, page by page. */
async function walk(dryRun: boolean): Promise<Difference[]> {
  const differences: Difference[] = [];
  let cursor: string | undefined;
  for (let calls = 0; calls < 50; calls += 1) {
    const page = await reconcile(fixture.ctx, { dryRun, cursor });
    differences.push(...page.differences);
    if (page.nextCursor === null) return differences;
    cursor = page.nextCursor;
  }
  throw new Error('the walk does not end');
}

/** What must be the same whether events arrived or were found: all but which states were told when. */
async function books() {
  const { lots, user, holds, subscriptions } = await fixture.books();
  const standing = subscriptions.map(({ status, plan, quantity, paid, cancel_at: cancelAt }) => ({
    status,
    plan,
    quantity,
    paid,
    cancelAt,
  }));
  return { lots, user, holds, standing };
}

/** A subscription that is upgraded and renewed, a pack that is partly refunded. */
async function story(): Promise<void> {
  const { subscription, customer } = await fixture.subscribe(fixture.shop.prices.starter.id);
  await fixture.shop.advance(day);
  await fixture.stripe.subscriptions.update(subscription.id, {
    items: [{ id: subscription.items.data[0]?.id ?? '', price: fixture.shop.prices.pro.id }],
    proration_behavior: 'always_invoice',
  });
  await fixture.shop.advance(day);
  const session = await fixture.shop.checkout(fixture.shop.prices.pack.id, {
    mode: 'payment',
    customer,
    line_items: [{ price: fixture.shop.prices.pack.id, quantity: 2 }],
    client_reference_id: fixtureUser,
    metadata: { user_id: fixtureUser, pack: 'pack', quantity: '2' },
  });
  await fixture.shop.press(session.url, { action: 'pay' });
  const { payment_intent } = await fixture.stripe.checkout.sessions.retrieve(session.id);
  await fixture.shop.advance(day);
  await fixture.stripe.refunds.create({ payment_intent: payment_intent as string, amount: 900 });
}

async function deliverAll(events: StripeEvent[]): Promise<void> {
  await fixture.reset();
  for (const event of events) await fixture.deliver(event);
  await fixture.settle();
}

describe('reconcile', () => {
  test('finds nothing where everything arrived', async () => {
    await story();
    await deliverAll(await fixture.events());
    expect(await walk(true)).toEqual([]);
    expect(await walk(false)).toEqual([]);
  });

  test('with nothing delivered at all, every credit is found, once', async () => {
    await story();
    await deliverAll(await fixture.events());
    const told = await books();
    await fixture.reset();
    const dry = await walk(true);
    expect(dry.flatMap(({ entries }) => entries).length).toBeGreaterThan(0);
    expect((await fixture.books()).facts).toEqual([{ key: `signup:${fixtureUser}` }]);
    await walk(false);
    await fixture.settle();
    await assertBooksHold(fixture.database.pool);
    expect(await books()).toEqual(told);
    expect(await walk(false)).toEqual([]);
  });

  test('any subset of lost events ends in the same books', async () => {
    await story();
    const events = await fixture.events();
    await deliverAll(events);
    const told = await books();
    let state = 42;
    const random = () =>
      (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
    for (let run = 0; run < 25; run += 1) {
      await deliverAll(events.filter(() => random() < 0.5));
      await walk(false);
      await fixture.settle();
      await assertBooksHold(fixture.database.pool);
      expect(await books(), `run ${run}`).toEqual(told);
      subsets += 1;
    }
  }, 120_000);

  test('what is older than Stripe keeps events is found by the objects', async () => {
    await story();
    await fixture.shop.advance(70 * day);
    await fixture.reset();
    await walk(false);
    await fixture.settle();
    const found = await books();
    await deliverAll(await fixture.events());
    expect(found.user).toEqual((await books()).user);
    await assertBooksHold(fixture.database.pool);
  });
});
