import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { reconcile, type Difference } from '../../functions/billing/reconcile.ts';
import type { StripeEvent } from '../../functions/webhooks/decide.pure.ts';
import { audit } from '../support/audit.ts';
import { Lab, labUser } from '../support/lab.ts';

let lab: Lab;
let subsets = 0;
beforeEach(async () => {
  lab = await Lab.open();
});
afterEach(() => lab.close());
afterAll(() => console.log(`reconcile: ${subsets} subsets of lost events tried`));

const day = 86_400;

/** Walks to the end, page by page. */
async function walk(dryRun: boolean): Promise<Difference[]> {
  const differences: Difference[] = [];
  let cursor: string | undefined;
  for (let calls = 0; calls < 50; calls += 1) {
    const page = await reconcile(lab.ctx, { dryRun, cursor });
    differences.push(...page.differences);
    if (page.nextCursor === null) return differences;
    cursor = page.nextCursor;
  }
  throw new Error('the walk does not end');
}

/** What must be the same whether events arrived or were found: all but the words of late entries. */
async function books() {
  const { lots, user, subscriptions, claims, keys } = await lab.snapshot();
  return { lots, user, subscriptions, claims, keys };
}

/** A subscription that is upgraded and renewed, a pack that is partly refunded. */
async function story(): Promise<void> {
  const { subscription, customer } = await lab.subscribe(lab.shop.prices.starter.id);
  await lab.shop.advance(day);
  await lab.stripe.subscriptions.update(subscription.id, {
    items: [{ id: subscription.items.data[0]?.id ?? '', price: lab.shop.prices.pro.id }],
    proration_behavior: 'always_invoice',
  });
  await lab.shop.advance(day);
  const session = await lab.shop.checkout(lab.shop.prices.pack.id, {
    mode: 'payment',
    customer,
    line_items: [{ price: lab.shop.prices.pack.id, quantity: 2 }],
    client_reference_id: labUser,
    metadata: { user_id: labUser, pack: 'pack', quantity: '2' },
  });
  await lab.shop.press(session.url, { action: 'pay' });
  const { payment_intent } = await lab.stripe.checkout.sessions.retrieve(session.id);
  await lab.shop.advance(day);
  await lab.stripe.refunds.create({ payment_intent: payment_intent as string, amount: 900 });
}

async function deliverAll(events: StripeEvent[]): Promise<void> {
  await lab.reset();
  for (const event of events) await lab.deliver(event);
  await lab.settle();
}

describe('reconcile', () => {
  test('finds nothing where everything arrived', async () => {
    await story();
    await deliverAll(await lab.events());
    expect(await walk(true)).toEqual([]);
    expect(await walk(false)).toEqual([]);
  });

  test('with nothing delivered at all, every credit is found, once', async () => {
    await story();
    await deliverAll(await lab.events());
    const told = await books();
    await lab.reset();
    const dry = await walk(true);
    expect(dry.flatMap(({ entries }) => entries).length).toBeGreaterThan(0);
    expect((await lab.snapshot()).keys).toEqual(['signup:lab']);
    await walk(false);
    await lab.settle();
    await audit(lab.database.pool);
    expect(await books()).toEqual(told);
    expect(await walk(false)).toEqual([]);
  });

  test('any subset of lost events ends in the same books', async () => {
    await story();
    const events = await lab.events();
    await deliverAll(events);
    const told = await books();
    let state = 42;
    const random = () =>
      (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
    for (let run = 0; run < 25; run += 1) {
      await deliverAll(events.filter(() => random() < 0.5));
      await walk(false);
      await lab.settle();
      await audit(lab.database.pool);
      expect(await books(), `run ${run}`).toEqual(told);
      subsets += 1;
    }
  }, 120_000);

  test('what is older than Stripe keeps events is found by the objects', async () => {
    await story();
    await lab.shop.advance(70 * day);
    await lab.reset();
    await walk(false);
    await lab.settle();
    const found = await books();
    await deliverAll(await lab.events());
    expect(found.user).toEqual((await books()).user);
    await audit(lab.database.pool);
  });
});
