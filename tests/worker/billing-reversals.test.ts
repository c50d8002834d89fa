import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import {
  buyPacks,
  explain,
  failedEvents,
  lotsOf,
  redeliverAll,
  stripeList,
  stripePost,
  subscribe,
  untilPeriodEnds,
} from '../support/worker-billing.ts';
import { companies } from '../support/worker-csv.ts';
import { stripeLocal } from '../support/worker-shop.ts';

const rig = await startRig({ stripe: true, env: { SIGNUP_CREDITS: '10' } });
const stripe = rig.stripe ?? expect.unreachable();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

async function refund(charge: string, amount?: number): Promise<string> {
  const { id } = await stripePost<{ id: string }>(rig, 'refunds', {
    charge,
    ...(amount !== undefined && { amount: String(amount) }),
  });
  await stripe.drain();
  return id;
}

async function dispute(charge: string): Promise<string> {
  const opened = await openedLocal<{ dispute: { id: string } }>(`charges/${charge}/dispute`);
  await stripe.drain();
  return opened.dispute.id;
}

/** The switch that answers 201. */
async function openedLocal<T>(path: string): Promise<T> {
  const answer = await fetch(`${stripe.url}/_local/${path}`, { method: 'POST', body: '{}' });
  expect(answer.status).toBe(201);
  return (await answer.json()) as T;
}

async function close(id: string, status: 'won' | 'lost'): Promise<void> {
  await stripeLocal(stripe, `disputes/${id}`, { status });
  await stripe.drain();
}

/** Two medium packs: 5,000 credits for 11,800 cents. */
async function packBuyer() {
  const { token, me } = await rig.user(someone());
  const { charge } = await buyPacks(rig, token, { pack: 'medium', quantity: 2 });
  expect((await lotsOf(rig, token)).balance).toBe(5010);
  return { token, me, charge };
}

/** A plan of 5,000 credits for 7,900 cents, with the charge that paid for its newest period. */
async function planBuyer() {
  const buyer = await subscribe(rig, 'growth');
  const charges = await stripeList<{ id: string }>(rig, `charges?customer=${buyer.customer}`);
  return { ...buyer, charge: charges[0]?.id ?? expect.unreachable() };
}

async function spend(token: string, rows: number): Promise<void> {
  const { id } = await rig.startJob(token, companies(rows));
  expect((await rig.ended(token, id)).rows.succeeded).toBe(rows);
}

/** Within one second Stripe's facts stand before ours: what is to come after a job comes later. */
const secondPasses = () => stripeLocal(stripe, 'clock', { advance_seconds: 1 });

const purchased = async (token: string) => (await lotsOf(rig, token)).purchased;
const plan = async (token: string) => (await lotsOf(rig, token)).plan;

describe('a refund of a pack', () => {
  test('takes credits back in proportion to the money, and the rest with the rest', async () => {
    const { token, me, charge } = await packBuyer();
    await refund(charge, 2950);
    expect(await purchased(token)).toBe(3750);
    await refund(charge, 5900);
    expect(await purchased(token)).toBe(1250);
    await refund(charge);
    expect(await lotsOf(rig, token)).toEqual({ balance: 10, plan: 0, bonus: 10, purchased: 0 });
    expect(await explain(rig, me)).toMatchObject({ balance: 10, agrees: true, shortfall: 0 });
    const taken = (await rig.entries(token)).filter(({ kind }) => kind === 'clawback');
    expect(taken.map(({ amount }) => amount)).toEqual([-1250, -2500, -1250]);
  });

  test('that fails at the bank gives them back', async () => {
    const { token, charge } = await packBuyer();
    const id = await refund(charge, 5900);
    expect(await purchased(token)).toBe(2500);
    await stripeLocal(stripe, `refunds/${id}`, { status: 'failed' });
    await stripe.drain();
    expect(await purchased(token)).toBe(5000);
  });

  test('after they were spent: the shortfall is seen, and the sum still agrees', async () => {
    const { token, me } = await rig.user(someone());
    const { charge } = await buyPacks(rig, token, { pack: 'small', quantity: 1 });
    // 10 of the sign-up go first, then 20 of the pack.
    await spend(token, 30);
    await secondPasses();
    await refund(charge);
    expect(await lotsOf(rig, token)).toEqual({ balance: 0, plan: 0, bonus: 0, purchased: 0 });
    const told = await explain(rig, me);
    expect(told).toMatchObject({ balance: 0, sum: 0, agrees: true, shortfall: 20 });
    expect((await rig.entries(token))[0]).toMatchObject({ kind: 'clawback', amount: -480 });
    // The next pack is not eaten by what fell short.
    await secondPasses();
    await buyPacks(rig, token, { pack: 'small', quantity: 1 });
    expect((await lotsOf(rig, token)).balance).toBe(500);
  });
});

describe('a refund of a subscription invoice', () => {
  test('partial, then full: the plan credits go, the subscription stays', async () => {
    const { token, me, charge } = await planBuyer();
    await refund(charge, 3950);
    expect(await plan(token)).toBe(2500);
    await refund(charge);
    expect(await plan(token)).toBe(0);
    expect((await rig.me(token)).subscription).toMatchObject({ plan: 'growth', status: 'active' });
    expect(await explain(rig, me)).toMatchObject({ balance: 0, agrees: true });
  });

  test('after spending: what is left goes, the rest is the shortfall', async () => {
    const { token, me, charge } = await planBuyer();
    await spend(token, 40);
    await refund(charge);
    expect((await lotsOf(rig, token)).balance).toBe(0);
    expect(await explain(rig, me)).toMatchObject({ balance: 0, agrees: true, shortfall: 40 });
  });

  test('of a month that is over takes nothing: what it bought has expired', async () => {
    const { token, charge, subscription } = await planBuyer();
    await untilPeriodEnds(rig, subscription);
    expect(await plan(token)).toBe(5000);
    await refund(charge, 3950);
    expect(await plan(token)).toBe(5000);
    await refund(charge);
    expect(await plan(token)).toBe(5000);
  });
});

describe.each<[string, () => Promise<{ token: string; charge: string }>, number]>([
  ['a pack', packBuyer, 10],
  ['a subscription invoice', planBuyer, 0],
])('a dispute of %s', (_, buyer, left) => {
  test('lost: the credits are gone when it opens, and stay gone', async () => {
    const { token, charge } = await buyer();
    const id = await dispute(charge);
    expect((await lotsOf(rig, token)).balance).toBe(left);
    await close(id, 'lost');
    expect((await lotsOf(rig, token)).balance).toBe(left);
  });

  test('won: they come back to where they came from', async () => {
    const { token, charge } = await buyer();
    const before = await lotsOf(rig, token);
    const id = await dispute(charge);
    expect((await lotsOf(rig, token)).balance).toBe(left);
    await close(id, 'won');
    expect(await lotsOf(rig, token)).toEqual(before);
  });

  test('beside a refund: together never more than was granted', async () => {
    const { token, charge } = await buyer();
    await refund(charge, 1000);
    const refunded = await lotsOf(rig, token);
    expect(refunded.balance).toBeGreaterThan(left);
    const id = await dispute(charge);
    expect((await lotsOf(rig, token)).balance).toBe(left);
    await close(id, 'won');
    expect(await lotsOf(rig, token)).toEqual(refunded);
  });
});

test('all of these events once more change nothing, and none waits for anybody', async () => {
  const ledger = async () =>
    (
      await rig.database.pool.query(
        'select count(*)::int as n, sum(amount)::int from credit_entries',
      )
    ).rows[0];
  const before = await ledger();
  await redeliverAll(rig);
  expect(await ledger()).toEqual(before);
  expect(await failedEvents(rig)).toEqual([]);
});
