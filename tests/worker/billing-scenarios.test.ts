import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import {
  admin,
  buyPacks,
  failedEvents,
  lotsOf,
  redeliverAll,
  stripeList,
  subscribe,
  subscriptionOf,
  untilPeriodEnds,
} from '../support/worker-billing.ts';
import { companies } from '../support/worker-csv.ts';
import { checkout, pay, stripeLocal, stripeObject } from '../support/worker-shop.ts';

const rig = await startRig({ stripe: true });
const stripe = rig.stripe ?? expect.unreachable();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const signedUp = { balance: 500, plan: 0, bonus: 500, purchased: 0 };

/** Whoever calls it spends credits by a job of so many rows. */
async function spend(token: string, rows: number): Promise<void> {
  const { id } = await rig.startJob(token, companies(rows));
  expect((await rig.ended(token, id)).rows.succeeded).toBe(rows);
}

test('new subscription: nothing before the payment, the plan SET after it, once', async () => {
  const { token } = await rig.user(someone());
  const { url } = await checkout(rig, token, { plan: 'growth' });
  await stripe.drain();
  expect(await lotsOf(rig, token)).toEqual(signedUp);
  expect(await subscriptionOf(rig, token)).toBeNull();

  await pay(url);
  await stripe.drain();
  const granted = { balance: 5000, plan: 5000, bonus: 0, purchased: 0 };
  expect(await lotsOf(rig, token)).toEqual(granted);
  expect(await subscriptionOf(rig, token)).toMatchObject({ plan: 'growth', status: 'active' });
  const [grant, signup] = await rig.entries(token);
  // SET: the 500 of the sign-up lapse with it.
  expect(grant).toMatchObject({
    amount: 4500,
    balanceAfter: 5000,
    lots: { plan: 5000, bonus: -500, purchased: 0 },
    source: { type: 'stripe_invoice' },
  });
  expect(signup).toMatchObject({ kind: 'signup', amount: 500 });
  // Both invoice.paid and invoice.payment_succeeded have come by now.
  expect(await rig.entries(token)).toHaveLength(2);
});

test('pack: ADD to purchased, for the quantity that was paid, by the session', async () => {
  const { token } = await rig.user(someone());
  const { session } = await buyPacks(rig, token, { pack: 'medium', quantity: 2 });
  expect(await lotsOf(rig, token)).toEqual({
    balance: 5500,
    plan: 0,
    bonus: 500,
    purchased: 5000,
  });
  const [newest] = await rig.entries(token);
  expect(newest).toMatchObject({
    kind: 'pack',
    amount: 5000,
    source: { type: 'stripe_checkout_session', id: session },
  });
});

describe('failed payment', () => {
  test('of a pack, declined: no credits, no entry', async () => {
    const { token } = await rig.user(someone());
    const { url } = await checkout(rig, token, { pack: 'large', quantity: 1 });
    await pay(url, 'decline');
    await stripe.drain();
    expect(await lotsOf(rig, token)).toEqual(signedUp);
    expect(await rig.entries(token)).toHaveLength(1);
  });

  test('of a pack, by the bank days later: no credits', async () => {
    const { token } = await rig.user(someone());
    const { id, url } = await checkout(rig, token, { pack: 'large', quantity: 1 });
    await pay(url, 'async');
    await stripeLocal(stripe, `checkout/${id}/settle`, { outcome: 'failed' });
    await stripe.drain();
    expect(await lotsOf(rig, token)).toEqual(signedUp);
  });

  test('of a plan: no subscription, and the next try on the same page gives one', async () => {
    const { token } = await rig.user(someone());
    const { url } = await checkout(rig, token, { plan: 'starter' });
    await pay(url, 'decline');
    await stripe.drain();
    expect(await lotsOf(rig, token)).toEqual(signedUp);
    expect(await subscriptionOf(rig, token)).toBeNull();
    await pay(url);
    await stripe.drain();
    expect((await lotsOf(rig, token)).balance).toBe(1000);
  });

  test('of a renewal: credits stay, past_due; the retry days later grants the period', async () => {
    const { token, customer, subscription } = await subscribe(rig, 'starter');
    await spend(token, 7);
    await stripeLocal(stripe, `customers/${customer}`, { card: 'decline' });
    await stripeLocal(stripe, `renew/${subscription}`);
    await stripe.drain();
    expect((await lotsOf(rig, token)).balance).toBe(993);
    expect(await subscriptionOf(rig, token)).toMatchObject({ status: 'past_due' });

    await stripeLocal(stripe, `customers/${customer}`, { card: 'ok' });
    await stripeLocal(stripe, 'clock', { advance_seconds: 8 * 86_400 });
    await stripe.drain();
    type Invoice = { status: string; billing_reason: string };
    const [invoice] = await stripeList<Invoice>(rig, `invoices?subscription=${subscription}`);
    expect(invoice).toMatchObject({ status: 'paid', billing_reason: 'subscription_cycle' });
    expect((await lotsOf(rig, token)).balance).toBe(1000);
    expect(await subscriptionOf(rig, token)).toMatchObject({ status: 'active' });
  });
});

test('duplicate webhook: every event again, thrice, at once and under other ids', async () => {
  const { token, subscription } = await subscribe(rig, 'starter');
  await buyPacks(rig, token, { pack: 'small', quantity: 1 });
  await spend(token, 5);
  const before = { lots: await lotsOf(rig, token), entries: await rig.entries(token) };
  expect(before.lots.balance).toBe(1495);

  stripe.faults.add({ on: 'delivery', kind: 'duplicate' });
  await redeliverAll(rig);
  stripe.faults.clear();
  await redeliverAll(rig);

  const list = await fetch(`${stripe.url}/_local/events`);
  type Event = { id: string; type: string; data: { object: Record<string, unknown> } };
  const { events } = (await list.json()) as { events: (Event & { deliveries: unknown })[] };
  const grants = events.filter(({ type }) => /^(invoice\.paid|checkout\.session\.c)/.test(type));
  expect(grants.length).toBeGreaterThan(2);
  for (const { deliveries: _, ...event } of grants) {
    const same = await rig.postWebhook(event);
    expect(await same.json()).toEqual({ received: true, eventId: event.id, status: 'duplicate' });
    const id = `${event.id}_again`;
    const other = await rig.postWebhook({ ...event, id });
    expect(await other.json()).toMatchObject({ eventId: id, received: true });
  }
  expect(await lotsOf(rig, token)).toEqual(before.lots);
  expect(await rig.entries(token)).toEqual(before.entries);
  expect(await stripeObject(stripe, `subscriptions/${subscription}`)).toMatchObject({
    status: (await subscriptionOf(rig, token))?.status,
  });
});

test('monthly renewal by the clock: three months, three RESETs, unused credits lapse', async () => {
  const { token, subscription } = await subscribe(rig, 'starter');
  const first = await subscriptionOf(rig, token);
  await buyPacks(rig, token, { pack: 'small', quantity: 1 });
  let last = first;
  for (const month of [1, 2, 3]) {
    await spend(token, month);
    await untilPeriodEnds(rig, subscription);
    expect(await lotsOf(rig, token)).toEqual({
      balance: 1000,
      plan: 1000,
      bonus: 0,
      purchased: 0,
    });
    const told = await subscriptionOf(rig, token);
    expect(told).toMatchObject({ status: 'active', currentPeriodStart: last?.currentPeriodEnd });
    last = told;
  }
  const resets = (await rig.entries(token)).filter(({ kind }) => kind === 'plan_renewal');
  expect(resets.map(({ amount }) => amount)).toEqual([3, 2, -499]);
});

type Reconciled = {
  checked: number;
  differences: {
    type: string;
    status: string;
    entries: { kind: string; amount: number; userId: string }[];
  }[];
  nextCursor: string | null;
};

/** The whole walk, however many calls it takes. */
async function reconcile(dryRun: boolean): Promise<Reconciled['differences']> {
  const differences: Reconciled['differences'] = [];
  let cursor: string | null | undefined;
  for (let calls = 0; cursor !== null; calls += 1) {
    if (calls === 20) throw new Error('The walk does not end.');
    const page: Reconciled = await admin(rig, 'reconcile', 'POST', { dryRun, cursor });
    differences.push(...page.differences);
    cursor = page.nextCursor;
  }
  return differences;
}

const entriesOf = (differences: Reconciled['differences']) =>
  differences.flatMap(({ entries }) => entries.map(({ kind, userId }) => ({ kind, userId })));

test('reconcile: what was never delivered is told, posted once, and then not found again', async () => {
  expect(await reconcile(true)).toEqual([]);
  const [packer, planner] = [await rig.user(someone()), await rig.user(someone())];
  const pack = await checkout(rig, packer.token, { pack: 'small', quantity: 2 });
  const plan = await checkout(rig, planner.token, { plan: 'growth' });
  await stripe.drain();
  stripe.faults.add({ on: 'delivery', kind: 'drop' });
  await pay(pack.url);
  await pay(plan.url);
  const balances = async () =>
    Promise.all([packer, planner].map(async ({ token }) => (await lotsOf(rig, token)).balance));
  expect(await balances()).toEqual([500, 500]);

  const missing = [
    { kind: 'pack', userId: packer.me.id },
    { kind: 'plan_grant', userId: planner.me.id },
  ];
  const told = await reconcile(true);
  expect(entriesOf(told)).toEqual(expect.arrayContaining(missing));
  expect(await balances()).toEqual([500, 500]);

  const posted = await reconcile(false);
  expect(entriesOf(posted)).toHaveLength(2);
  expect(entriesOf(posted)).toEqual(expect.arrayContaining(missing));
  expect(await balances()).toEqual([1500, 5000]);
  expect((await rig.me(planner.token)).subscription).toMatchObject({ plan: 'growth' });

  expect(await reconcile(true)).toEqual([]);
  expect(await reconcile(false)).toEqual([]);
  stripe.faults.clear();
  await redeliverAll(rig);
  expect(await balances()).toEqual([1500, 5000]);
  expect(await failedEvents(rig)).toEqual([]);
});

test('after all of it no event waits for anybody', async () => {
  expect(await failedEvents(rig)).toEqual([]);
});
