import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { startRig } from '../support/worker.ts';
import {
  buyPacks,
  change,
  failedEvents,
  lotsOf,
  redeliverAll,
  stripeList,
  subscribe,
  subscriptionOf,
  untilPeriodEnds,
} from '../support/worker-billing.ts';
import { companies } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';
import { buy, secondPasses, stripeLocal, stripeObject } from '../support/worker-shop.ts';

const rig = await startRig({ stripe: true });
const stripe = rig.stripe ?? expect.unreachable();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const path = '/v1/billing/subscription';
const onlyPlan = (plan: number) => ({ balance: plan, plan, bonus: 0, purchased: 0 });

const toPlan = (token: string, plan: string, when: 'now' | 'period_end') =>
  change(rig, token, 'PUT', { body: { plan, when } });

/** The user's plan here and at Stripe, where both have to be the same. */
async function planOf(token: string, subscription: string): Promise<string | undefined> {
  type Items = { items: { data: { price: { id: string } }[] } };
  const { items } = await stripeObject<Items>(stripe, `subscriptions/${subscription}`);
  const { rows } = await rig.database.pool.query<{ key: string }>(
    'select key from stripe_prices where price_id = $1',
    [items.data[0]?.price.id],
  );
  const told = (await subscriptionOf(rig, token))?.plan;
  expect(told).toBe(rows[0]?.key);
  return told;
}

async function spend(token: string, rows: number): Promise<void> {
  const { id } = await rig.startJob(token, companies(rows));
  expect((await rig.ended(token, id)).rows.succeeded).toBe(rows);
}

type Invoice = { id: string; status: string; billing_reason: string; total: number };
const invoicesOf = (subscription: string) =>
  stripeList<Invoice>(rig, `invoices?subscription=${subscription}&limit=100`);

describe('upgrade', () => {
  test('paid at once: the answer shows it, the credits are RESET to the new plan', async () => {
    const { token, subscription } = await subscribe(rig, 'starter');
    await buyPacks(rig, token, { pack: 'small', quantity: 1 });
    await spend(token, 10);
    expect((await lotsOf(rig, token)).balance).toBe(1490);
    const before = await subscriptionOf(rig, token);

    await stripeLocal(stripe, 'clock', { advance_seconds: 86_400 });
    const told = await toPlan(token, 'growth', 'now');
    expect(told).toMatchObject({ plan: 'growth', status: 'active', cancelAt: null });
    // A new period begins with it.
    expect(Date.parse(told.currentPeriodEnd)).toBeGreaterThan(
      Date.parse(before?.currentPeriodEnd ?? ''),
    );
    await stripe.drain();
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(5000));
    expect(await planOf(token, subscription)).toBe('growth');
    const [newest] = await rig.entries(token);
    expect(newest).toMatchObject({ kind: 'plan_change', amount: 3510, balanceAfter: 5000 });
    const [invoice] = await invoicesOf(subscription);
    expect(invoice).toMatchObject({ status: 'paid', billing_reason: 'subscription_update' });
    expect(newest?.source.id).toBe(invoice?.id);

    // The same wish again, and every webhook again: nothing.
    await toPlan(token, 'growth', 'now');
    await redeliverAll(rig);
    expect(await invoicesOf(subscription)).toHaveLength(2);
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(5000));
  });

  test('declined: 402 with a place to pay, nothing changes; with another card it does', async () => {
    const { token, customer, subscription } = await subscribe(rig, 'starter');
    await stripeLocal(stripe, `customers/${customer}`, { card: 'decline' });
    const body = { plan: 'growth', when: 'now' };
    const refusal = await rig.api(path, { method: 'PUT', token, body });
    expect(refusal.status).toBe(402);
    expect(await refusal.json()).toMatchObject({
      code: 'payment_failed',
      invoiceUrl: expect.stringMatching(/^http/),
    });
    await stripe.drain();
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(1000));
    expect(await planOf(token, subscription)).toBe('starter');

    await stripeLocal(stripe, `customers/${customer}`, { card: 'ok' });
    await toPlan(token, 'growth', 'now');
    await stripe.drain();
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(5000));
    expect((await invoicesOf(subscription)).map(({ status }) => status)).toEqual(['paid', 'paid']);
  });

  test('there and back and there again: each way up is paid in full', async () => {
    const { token, subscription } = await subscribe(rig, 'starter');
    const balances: number[] = [];
    for (const plan of ['growth', 'starter', 'growth', 'starter', 'growth']) {
      await stripeLocal(stripe, 'clock', { advance_seconds: 60 });
      await toPlan(token, plan, 'now');
      await stripe.drain();
      expect(await planOf(token, subscription)).toBe(plan);
      await spend(token, 2);
      balances.push((await lotsOf(rig, token)).balance);
    }
    const totals = (await invoicesOf(subscription)).map(({ total }) => total);
    expect([totals.length, ...totals.slice(0, 2)]).toEqual([4, 7900, 7900]);
    expect(balances).toEqual([4998, 998, 4998, 998, 4998]);
  });
});

describe('downgrade', () => {
  test('at the end of the period: until then all stays, then the smaller plan is RESET', async () => {
    const { token, subscription } = await subscribe(rig, 'growth');
    await spend(token, 5);
    const before = await subscriptionOf(rig, token);
    expect(await toPlan(token, 'starter', 'period_end')).toEqual(before);
    await stripe.drain();
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(4995));
    expect(await planOf(token, subscription)).toBe('growth');

    await untilPeriodEnds(rig, subscription);
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(1000));
    expect(await planOf(token, subscription)).toBe('starter');
    await untilPeriodEnds(rig, subscription);
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(1000));
    expect(await planOf(token, subscription)).toBe('starter');
    const kinds = (await rig.entries(token)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'plan_renewal')).toHaveLength(2);
  });

  test('taken back before the end: the plan renews as it was', async () => {
    const { token, subscription } = await subscribe(rig, 'growth');
    await toPlan(token, 'starter', 'period_end');
    await toPlan(token, 'growth', 'now');
    await stripe.drain();
    await untilPeriodEnds(rig, subscription);
    expect(await planOf(token, subscription)).toBe('growth');
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(5000));
  });

  test('now: no money back, and no more credits than the smaller plan has', async () => {
    const { token, subscription } = await subscribe(rig, 'growth');
    await spend(token, 5);
    // In the second of its payment the plan would come after its downgrade.
    await stripeLocal(stripe, 'clock', { advance_seconds: 1 });
    expect(await toPlan(token, 'starter', 'now')).toMatchObject({ plan: 'starter' });
    await stripe.drain();
    expect(await planOf(token, subscription)).toBe('starter');
    expect(await invoicesOf(subscription)).toHaveLength(1);
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(1000));
    await untilPeriodEnds(rig, subscription);
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(1000));
  });

  test('without `when`: at the end of the period', async () => {
    const { token, subscription } = await subscribe(rig, 'growth');
    const before = await subscriptionOf(rig, token);
    expect(await change(rig, token, 'PUT', { body: { plan: 'starter' } })).toEqual(before);
    await untilPeriodEnds(rig, subscription);
    expect(await planOf(token, subscription)).toBe('starter');
  });

  test('of a year: only at its end', async () => {
    const { token, subscription } = await subscribe(rig, 'growth_yearly');
    const body = { plan: 'starter', when: 'now' };
    const refused = await rig.api(path, { method: 'PUT', token, body });
    await expectProblem(refused, 409, 'downgrade_at_period_end');
    expect(await planOf(token, subscription)).toBe('growth_yearly');
  });

  test('while a renewal is not paid: 409 with the place to pay', async () => {
    const { token, customer, subscription } = await subscribe(rig, 'growth');
    await stripeLocal(stripe, `customers/${customer}`, { card: 'decline' });
    await stripeLocal(stripe, `renew/${subscription}`);
    await stripe.drain();
    for (const body of [{ plan: 'starter' }, { plan: 'scale', when: 'now' }]) {
      const refused = await rig.api(path, { method: 'PUT', token, body });
      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({
        code: 'payment_due',
        invoiceUrl: expect.stringMatching(/^http/),
      });
    }
  });
});

describe('cancellation', () => {
  test('at the end of the period: keeps the credits, free at the end, and they can be spent', async () => {
    const { token, subscription } = await subscribe(rig, 'starter');
    const before = await subscriptionOf(rig, token);
    const told = await change(rig, token, 'DELETE');
    expect(told).toEqual({ ...before, cancelAt: before?.currentPeriodEnd });
    expect(await change(rig, token, 'DELETE')).toEqual(told);
    await stripe.drain();
    expect(await subscriptionOf(rig, token)).toEqual(told);

    await untilPeriodEnds(rig, subscription);
    expect(await subscriptionOf(rig, token)).toBeNull();
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(1000));
    await spend(token, 5);
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(995));
    const body = { plan: 'growth', when: 'now' };
    await expectProblem(
      await rig.api(path, { method: 'PUT', token, body }),
      409,
      'no_subscription',
    );
    const resume = await rig.api(`${path}/resume`, { method: 'POST', token });
    await expectProblem(resume, 409, 'no_subscription');
    expect((await buy(rig, token, { plan: 'growth' })).credits.balance).toBe(5000);
  });

  test('immediately: over now, the credits stay', async () => {
    const { token, subscription } = await subscribe(rig, 'growth');
    const told = await change(rig, token, 'DELETE', { path: '?immediately=true' });
    expect(told).toMatchObject({ status: 'canceled' });
    expect(await subscriptionOf(rig, token)).toBeNull();
    await stripe.drain();
    expect(await stripeObject(stripe, `subscriptions/${subscription}`)).toMatchObject({
      status: 'canceled',
    });
    expect(await subscriptionOf(rig, token)).toBeNull();
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(5000));
  });

  test('resumed: as if nothing had been, and the next period comes', async () => {
    const { token, subscription } = await subscribe(rig, 'starter');
    const before = await subscriptionOf(rig, token);
    await change(rig, token, 'DELETE');
    await stripe.drain();
    expect(await change(rig, token, 'POST', { path: '/resume' })).toEqual(before);
    await stripe.drain();
    expect(await subscriptionOf(rig, token)).toEqual(before);
    await spend(token, 3);
    await untilPeriodEnds(rig, subscription);
    expect(await subscriptionOf(rig, token)).toMatchObject({ status: 'active', cancelAt: null });
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(1000));
  });

  test('without a subscription there is nothing to change, cancel or resume', async () => {
    const { token } = await rig.user('nobody-subscribed');
    const calls = [
      rig.api(path, { method: 'DELETE', token }),
      rig.api(`${path}?immediately=true`, { method: 'DELETE', token }),
      rig.api(`${path}/resume`, { method: 'POST', token }),
      rig.api(path, { method: 'PUT', token, body: { plan: 'growth', when: 'now' } }),
    ];
    for (const call of calls) await expectProblem(await call, 409, 'no_subscription');
  });
});

describe("Stripe's portal", () => {
  /** Opens the portal through our API and presses one of its buttons. */
  async function press(token: string, subscription: string, fields: Record<string, string>) {
    await secondPasses(stripe);
    const { url } = await rig.json<{ url: string }>('/v1/billing/portal', {
      method: 'POST',
      token,
    });
    const answer = await fetch(url, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({ subscription, ...fields }),
    });
    expect(answer.status, await answer.clone().text()).toBe(200);
    await stripe.drain();
  }

  const priceOf = async (key: string): Promise<string> => {
    type Plans = { plans: { key: string; priceId: string }[] };
    const { plans } = await rig.json<Plans>('/v1/billing/plans');
    return plans.find((plan) => plan.key === key)?.priceId ?? expect.unreachable();
  };

  test('switches up: RESET at once; and down: at the end of the period', async () => {
    const { token, subscription } = await subscribe(rig, 'starter');
    await press(token, subscription, { action: 'switch', price: await priceOf('scale') });
    expect(await planOf(token, subscription)).toBe('scale');
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(25_000));

    await press(token, subscription, { action: 'switch', price: await priceOf('growth') });
    expect(await planOf(token, subscription)).toBe('scale');
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(25_000));
    await untilPeriodEnds(rig, subscription);
    expect(await planOf(token, subscription)).toBe('growth');
    expect(await lotsOf(rig, token)).toEqual(onlyPlan(5000));
  });

  test('cancels by a date of its own, which our API shows and takes back', async () => {
    const { token, subscription } = await subscribe(rig, 'starter');
    const before = await subscriptionOf(rig, token);
    await press(token, subscription, { action: 'cancel' });
    expect((await subscriptionOf(rig, token))?.cancelAt).toBe(before?.currentPeriodEnd);
    expect(await change(rig, token, 'POST', { path: '/resume' })).toEqual(before);
    await stripe.drain();
    expect(await subscriptionOf(rig, token)).toEqual(before);
  });
});

test('invoices: the newest first, with their pages, a page at a time', async () => {
  const { token, subscription } = await subscribe(rig, 'starter');
  await toPlan(token, 'growth', 'now');
  await stripe.drain();
  type Page = { items: Record<string, unknown>[]; nextCursor: string | null };
  const page = (query: string) => rig.json<Page>(`/v1/billing/invoices${query}`, { token });
  const all = await page('');
  expect(all.items.map(({ id }) => id)).toEqual(
    (await invoicesOf(subscription)).map(({ id }) => id),
  );
  expect(all.items).toHaveLength(2);
  for (const item of all.items)
    expect(item).toMatchObject({
      status: 'paid',
      currency: 'usd',
      hostedUrl: expect.stringMatching(/^http/),
      pdfUrl: expect.stringMatching(/^http/),
    });
  const first = await page('?limit=1');
  expect(await page(`?limit=1&cursor=${first.nextCursor}`)).toEqual({
    items: all.items.slice(1),
    nextCursor: null,
  });
});

test('all webhooks again change nothing, and none waits for anybody', async () => {
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
