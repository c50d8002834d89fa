import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { admin, buyPacks, change, stripePost, subscribe } from '../support/worker-billing.ts';
import { waitFor } from '../support/worker-client.ts';
import { companies } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';
import { checkout, pay, secondPasses, stripeLocal } from '../support/worker-shop.ts';
import { everyMinute } from '../support/worker-time.ts';

const [rig, free] = await Promise.all([
  startRig({ stripe: true, env: { SIGNUP_CREDITS: '10' } }),
  startRig({
    stripe: true,
    env: { SIGNUP_CREDITS: '10', FREE_CREDITS_PER_MONTH: '40', CREDIT_RENEWAL: 'keep-purchased' },
  }),
]);
const stripe = rig.stripe ?? expect.unreachable();

afterAll(async () => {
  for (const each of [rig, free]) {
    await assertBooksHold(each.database.pool);
    await each.close();
  }
});

const statusOf = async (token: string, id: string) => (await rig.readJob(token, id)).status;

/** A job whose rows are stored, with the status that its upload was answered by. */
async function uploaded(token: string, rows: number, status: number): Promise<string> {
  const { id } = await rig.createJob(token);
  expect((await rig.upload(token, id, companies(rows))).status).toBe(status);
  return id;
}

describe('when credits expire', () => {
  test('a renewal is told with the lots that it expires; none while it is about to end', async () => {
    const { token, me } = await subscribe(rig, 'starter');
    expect(me.suspended).toBeNull();
    expect(me.credits).toMatchObject({
      resetsAt: (me.subscription as unknown as { currentPeriodEnd: string }).currentPeriodEnd,
      resetsLots: ['plan', 'bonus', 'purchased'],
    });
    await change(rig, token, 'DELETE');
    await stripe.drain();
    expect((await rig.me(token)).credits).toMatchObject({ resetsAt: null, resetsLots: [] });
  });

  test('packs are kept where the setting says so', async () => {
    const { me } = await subscribe(free, 'starter');
    expect(me.credits.resetsLots).toEqual(['plan', 'bonus']);
  });
});

describe('a payment page', () => {
  test('says what became of it, to whoever opened it', async () => {
    const [buyer, other] = [await rig.user(someone()), await rig.user(someone())];
    const { id, url } = await checkout(rig, buyer.token, { pack: 'small', quantity: 2 });
    const path = `/v1/billing/checkout/${id}`;
    expect(await rig.json(path, { token: buyer.token })).toEqual({
      status: 'open',
      paymentStatus: 'unpaid',
      granted: null,
    });
    await pay(url);
    await stripe.drain();
    expect(await rig.json(path, { token: buyer.token })).toEqual({
      status: 'complete',
      paymentStatus: 'paid',
      granted: 1000,
    });
    await expectProblem(await rig.api(path, { token: other.token }), 404, 'not_found');
    await expectProblem(await rig.api(path), 401, 'unauthorized');
  });
});

describe('jobs that await credits', () => {
  test("start by an operator's correction, the oldest first", async () => {
    const { token, me } = await rig.user(someone());
    const ids = [await uploaded(token, 12, 402), await uploaded(token, 13, 402)];
    await admin(rig, `users/${me.id}/credits`, 'POST', { amount: 3, reason: 'sorry' });
    expect(await rig.ended(token, ids[0] ?? '')).toMatchObject({
      status: 'completed',
      credits: { charged: 12 },
    });
    expect(await statusOf(token, ids[1] ?? '')).toBe('awaiting_credits');
  });
});

/** Pays for a pack and disputes it after ten of its credits were spent. */
async function disputed() {
  const { token } = await rig.user(someone());
  const { charge } = await buyPacks(rig, token, { pack: 'small', quantity: 1 });
  const csv = companies(21).replace('Company 2,', 'Company 2 FAIL_SEARCH,');
  const { id: ended } = await rig.startJob(token, csv);
  expect((await rig.ended(token, ended)).rows).toMatchObject({ succeeded: 20, failed: 1 });
  const { id: created } = await rig.createJob(token);
  await secondPasses(stripe);
  const opened = await fetch(`${stripe.url}/_local/charges/${charge}/dispute`, {
    method: 'POST',
    body: '{}',
  });
  const { dispute } = (await opened.json()) as { dispute: { id: string } };
  await stripe.drain();
  return { token, ended, created, dispute: dispute.id };
}

test('a dispute of what was spent suspends: 403 for new work, rows kept; won, it starts by itself', async () => {
  const { token, ended, created, dispute } = await disputed();
  const me = await rig.me(token);
  expect(me.credits.balance).toBe(0);
  expect(me.suspended).toEqual({
    since: expect.stringMatching(/^\d{4}-.*Z$/),
    reason: expect.stringMatching(/\w/),
  });
  const refused = (answer: Response) => expectProblem(answer, 403, 'account_suspended');
  const post = (path: string, body?: object) => rig.api(path, { method: 'POST', token, body });
  await refused(await post('/v1/jobs', { filename: 'leads.csv' }));
  await refused(await rig.upload(token, created, companies(5)));
  expect(await rig.readJob(token, created)).toMatchObject({
    status: 'awaiting_credits',
    rows: { total: 5 },
  });
  await refused(await post(`/v1/jobs/${created}/start`));
  await refused(await post(`/v1/jobs/${ended}/retry`));

  await stripeLocal(stripe, `disputes/${dispute}`, { status: 'won' });
  await stripe.drain();
  expect(await rig.ended(token, created)).toMatchObject({
    status: 'completed',
    rows: { succeeded: 5 },
  });
  expect(await rig.me(token)).toMatchObject({ suspended: null, credits: { balance: 485 } });
});

test('grace runs out without an event: unlimited until then, nothing after', async () => {
  const { token, me, subscription, customer } = await subscribe(rig, 'unlimited');
  await stripeLocal(stripe, `customers/${customer}`, { card: 'decline' });
  await stripeLocal(stripe, `renew/${subscription}`);
  await stripe.drain();
  expect(await rig.me(token)).toMatchObject({
    credits: { unlimited: true },
    subscription: { status: 'past_due' },
  });
  const { id } = await rig.startJob(token, companies(3));
  expect(await rig.ended(token, id)).toMatchObject({ credits: { charged: 0, held: 0 } });

  const daysPass = (days: number) =>
    rig.database.pool.query(
      'update subscriptions set failing_since = failing_since - make_interval(days => $2) where user_id = $1',
      [me.id, days],
    );
  await daysPass(6);
  expect((await rig.me(token)).credits.unlimited).toBe(true);
  await daysPass(2);
  expect((await rig.me(token)).credits.unlimited).toBe(false);
  const waiting = await uploaded(token, 20, 402);
  await daysPass(-8);
  await rig.json(`/v1/jobs/${waiting}/start`, { method: 'POST', token });
  expect(await rig.ended(token, waiting)).toMatchObject({ credits: { charged: 0 } });
});

test('who pays first and signs up later has the plan; sign-up stands first', async () => {
  const sub = someone();
  type Plans = { plans: { key: string; priceId: string }[] };
  const { plans } = await rig.json<Plans>('/v1/billing/plans');
  const session = await stripePost<{ url: string }>(rig, 'checkout/sessions', {
    mode: 'subscription',
    client_reference_id: sub,
    'metadata[user_id]': sub,
    'subscription_data[metadata][user_id]': sub,
    'line_items[0][price]': plans.find(({ key }) => key === 'starter')?.priceId ?? '',
    'line_items[0][quantity]': '1',
    success_url: 'https://elsewhere.example/',
  });
  await pay(session.url);
  await stripe.drain();
  const { token } = await rig.user(sub);
  const me = await waitFor(async () => {
    const found = await rig.me(token);
    return found.credits.plan > 0 && found;
  });
  expect(me.credits).toMatchObject({ balance: 1000, plan: 1000, bonus: 0 });
  await waitFor(async () => (await rig.me(token)).subscription?.plan === 'starter');
});

describe('free credits a month', () => {
  const monthPasses = (userId: string) =>
    free.database.pool.query(
      `update users set signed_up_at = signed_up_at - interval '32 days',
          allowance_due_at = allowance_due_at - interval '32 days' where id = $1`,
      [userId],
    );
  const bonusOf = async (token: string) => (await free.me(token)).credits.bonus;

  test('come with sign-up and each month, and replace those of the month before', async () => {
    const { token, me } = await free.user(someone());
    expect(me.credits).toMatchObject({ balance: 50, bonus: 50 });
    expect(await bonusOf(token)).toBe(50);
    await monthPasses(me.id);
    expect(await bonusOf(token)).toBe(50);
    await monthPasses(me.id);
    await everyMinute(free);
    const kinds = (await free.entries(token)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'allowance')).toHaveLength(3);
    expect(await bonusOf(token)).toBe(50);
  });

  test('stay away while there is a plan', async () => {
    const { token, me } = await subscribe(free, 'starter');
    const before = me.credits;
    await monthPasses(me.id);
    expect((await free.me(token)).credits).toMatchObject({
      balance: before.balance,
      bonus: before.bonus,
    });
  });
});
