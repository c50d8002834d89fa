import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { event, packSession } from '../support/stripe-events.ts';
import { rigOrigin, someone, startRig } from '../support/worker.ts';
import { type Job, waitFor } from '../support/worker-client.ts';
import { companies, parseCsv } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';
import {
  buy,
  checkout,
  pay,
  readEvents,
  stripeLocal,
  stripeObject,
} from '../support/worker-shop.ts';

const rig = await startRig({ stripe: true });
const stripe = rig.stripe ?? expect.unreachable();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

type Plans = {
  plans: { key: string; credits: number | 'unlimited'; priceId: string; amount: number }[];
  packs: { key: string; credits: number; priceId: string; amount: number }[];
};
type Session = {
  mode: string;
  customer: string;
  client_reference_id: string;
  metadata: Record<string, string>;
  success_url: string;
  cancel_url: string;
  amount_total: number;
  subscription: string | null;
};
const session = (id: string) => stripeObject<Session>(stripe, `checkout/sessions/${id}`);

describe('signing up', () => {
  test('30 first calls that race make one user with 500 credits', async () => {
    const sub = someone();
    const token = await rig.token(sub, `${sub}@people.example`);
    const all = await Promise.all(Array.from({ length: 30 }, () => rig.me(token)));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    for (const { credits, externalId, email, subscription } of all) {
      expect({ externalId, email, subscription }).toEqual({
        externalId: sub,
        email: `${sub}@people.example`,
        subscription: null,
      });
      expect(credits).toEqual({
        balance: 500,
        plan: 0,
        bonus: 500,
        purchased: 0,
        held: 0,
        unlimited: false,
        resetsAt: null,
        resetsLots: [],
      });
    }
    const [entry, ...others] = await rig.entries(token);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      amount: 500,
      balanceAfter: 500,
      lots: { plan: 0, bonus: 500, purchased: 0 },
      jobId: null,
    });
    expect(new Date(entry?.at ?? '').toISOString()).toBe(entry?.at);
  });

  test.each<[string, unknown, string]>([
    ['a UUID', '6f1b6d86-7f5e-4f8a-9d67-0d8f2a1f9c55', '6f1b6d86-7f5e-4f8a-9d67-0d8f2a1f9c55'],
    ['an integer', 4711, '4711'],
    ['any string', "auth0|ünïcode 'quoted' 名前", "auth0|ünïcode 'quoted' 名前"],
  ])('sub may be %s', async (_, sub, externalId) => {
    const token = await rig.token(someone(), null, { sub });
    expect(await rig.me(token)).toMatchObject({ externalId, email: null });
    expect((await rig.me(token)).credits.balance).toBe(500);
  });

  test('the ledger comes in pages, newest first, and refuses what is no page', async () => {
    const { token } = await rig.user(someone());
    await buy(rig, token, { pack: 'small', quantity: 1 });
    await buy(rig, token, { pack: 'small', quantity: 2 });
    type Page = { items: { amount: number }[]; nextCursor: string | null };
    const page = (query: string) => rig.json<Page>(`/v1/credits/entries?${query}`, { token });
    const first = await page('limit=2');
    expect(first.items.map(({ amount }) => amount)).toEqual([1000, 500]);
    const second = await page(`limit=2&cursor=${first.nextCursor}`);
    expect(second).toMatchObject({ items: [{ amount: 500 }], nextCursor: null });
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=x', 'cursor=-1'])
      await expectProblem(
        await rig.api(`/v1/credits/entries?${query}`, { token }),
        422,
        'invalid_request',
      );
  });
});

describe('buying', () => {
  test('what is on sale is what Stripe has, for anybody to see', async () => {
    const { plans, packs } = await rig.json<Plans>('/v1/billing/plans');
    expect(plans.map(({ key, credits }) => [key, credits])).toEqual([
      ['starter', 1000],
      ['growth', 5000],
      ['scale', 25_000],
      ['unlimited', 'unlimited'],
      ['growth_yearly', 5000],
    ]);
    expect(packs.map(({ key, credits }) => [key, credits])).toEqual([
      ['small', 500],
      ['medium', 2500],
      ['large', 10_000],
    ]);
    for (const { priceId, amount } of [...plans, ...packs])
      expect(await stripeObject(stripe, `prices/${priceId}`)).toMatchObject({
        unit_amount: amount,
        currency: 'usd',
        active: true,
      });
  });

  test('a plan: who buys stands everywhere in the session, and its credits replace the others', async () => {
    const { token, me } = await rig.user(someone());
    const { id, url } = await checkout(rig, token, { plan: 'growth' });
    expect(await session(id)).toMatchObject({
      mode: 'subscription',
      client_reference_id: me.id,
      metadata: { user_id: me.id },
      success_url: `${rigOrigin}/billing/success?session_id={CHECKOUT_SESSION_ID}`,
    });
    expect((await rig.me(token)).credits.balance).toBe(500);
    await pay(url);
    await stripe.drain();
    const after = await rig.me(token);
    expect(after.credits).toMatchObject({ balance: 5000, plan: 5000, bonus: 0, purchased: 0 });
    expect(after.subscription).toMatchObject({
      plan: 'growth',
      status: 'active',
      interval: 'month',
      cancelAt: null,
      trialEnd: null,
    });
    const { subscription, customer } = await session(id);
    expect(await stripeObject(stripe, `subscriptions/${subscription}`)).toMatchObject({
      metadata: { user_id: me.id },
    });
    expect(await stripeObject(stripe, `customers/${customer}`)).toMatchObject({ email: me.email });
    type Told = { subscription: { currentPeriodStart: string; currentPeriodEnd: string } };
    const told = await rig.json<Told>('/v1/billing/subscription', { token });
    expect(told.subscription).toEqual(after.subscription);
    const { currentPeriodStart, currentPeriodEnd } = told.subscription;
    const days = (Date.parse(currentPeriodEnd) - Date.parse(currentPeriodStart)) / 86_400_000;
    expect(days).toBeGreaterThanOrEqual(28);
    expect(days).toBeLessThanOrEqual(31);
  });

  test('a second plan beside the first: 409, and no session is opened', async () => {
    const { token } = await rig.user(someone());
    await buy(rig, token, { plan: 'starter' });
    const sessions = () => stripeObject<{ data: unknown[] }>(stripe, 'checkout/sessions?limit=100');
    const before = (await sessions()).data.length;
    const body = { plan: 'growth' };
    const answer = await rig.api('/v1/billing/checkout', { method: 'POST', token, body });
    await expectProblem(answer, 409, 'subscription_exists');
    expect((await sessions()).data.length).toBe(before);
    const { credits } = await buy(rig, token, { pack: 'small', quantity: 3 });
    expect(credits).toMatchObject({ balance: 2500, plan: 1000, purchased: 1500 });
  });

  test('packs: quantity times their credits and their price, on top of what is there', async () => {
    const { token, me } = await rig.user(someone());
    const { id, url } = await checkout(rig, token, { pack: 'medium', quantity: 3 });
    expect(await session(id)).toMatchObject({
      mode: 'payment',
      client_reference_id: me.id,
      metadata: { user_id: me.id, pack: 'medium', quantity: '3' },
      amount_total: 3 * 5900,
    });
    await pay(url);
    await stripe.drain();
    expect((await rig.me(token)).credits).toMatchObject({
      balance: 8000,
      bonus: 500,
      purchased: 7500,
    });
    const [newest] = await rig.entries(token);
    expect(newest).toMatchObject({ amount: 7500, balanceAfter: 8000, lots: { purchased: 7500 } });
  });

  test('a declined card grants nothing; a slow bank grants when it has paid', async () => {
    const { token } = await rig.user(someone());
    const page = await checkout(rig, token, { pack: 'small', quantity: 1 });
    await pay(page.url, 'decline');
    await stripe.drain();
    expect((await rig.me(token)).credits.balance).toBe(500);
    await pay(page.url, 'async');
    await stripe.drain();
    expect((await rig.me(token)).credits.balance).toBe(500);
    await stripeLocal(stripe, `checkout/${page.id}/settle`, { outcome: 'succeeded' });
    await stripe.drain();
    expect((await rig.me(token)).credits).toMatchObject({ balance: 1000, purchased: 500 });
  });

  test('the same Idempotency-Key opens the same page', async () => {
    const { token } = await rig.user(someone());
    const open = (key: string) =>
      rig.json<{ id: string }>('/v1/billing/checkout', {
        method: 'POST',
        token,
        body: { pack: 'small' },
        headers: { 'idempotency-key': key },
      });
    const [first, again, other] = [await open('one'), await open('one'), await open('two')];
    expect(again).toEqual(first);
    expect(other.id).not.toBe(first.id);
  });

  test('one Stripe customer a person, however many pages are opened at once', async () => {
    const { token } = await rig.user(someone());
    const pages = await Promise.all(
      Array.from({ length: 8 }, () => checkout(rig, token, { pack: 'small' })),
    );
    const customers = await Promise.all(pages.map(async ({ id }) => (await session(id)).customer));
    expect(new Set(customers).size).toBe(1);
  });

  test('Stripe sends people back to the frontend only', async () => {
    const { token } = await rig.user(someone());
    const post = (body: object) => rig.api('/v1/billing/checkout', { method: 'POST', token, body });
    const ours = { successUrl: `${rigOrigin}/ok?x=1`, cancelUrl: 'https://other.rig.example/no' };
    const { id } = await checkout(rig, token, { plan: 'starter', ...ours });
    expect(await session(id)).toMatchObject({
      success_url: ours.successUrl,
      cancel_url: ours.cancelUrl,
    });
    const foreign = [
      'https://evil.example/',
      `${rigOrigin}.evil.example/`,
      `${rigOrigin}@evil.example/`,
      `http://${new URL(rigOrigin).host}/`,
      `${rigOrigin}:8443/`,
      'javascript:alert(1)',
    ];
    for (const url of foreign)
      for (const field of ['successUrl', 'cancelUrl'])
        await expectProblem(
          await post({ plan: 'starter', [field]: url }),
          422,
          'redirect_not_allowed',
        );
  });

  test.each<[object, string]>([
    [{ plan: 'platinum' }, 'unknown_plan'],
    [{ plan: 'small' }, 'unknown_plan'],
    [{ pack: 'starter' }, 'unknown_pack'],
    [{ pack: 'small', quantity: 0 }, 'invalid_request'],
    [{ pack: 'small', quantity: -1 }, 'invalid_request'],
    [{ pack: 'small', quantity: 1.5 }, 'invalid_request'],
    [{ pack: 'small', quantity: 1_000_000 }, 'invalid_request'],
    [{ plan: 'starter', pack: 'small' }, 'invalid_request'],
  ])('%j is not for sale: 422 %s', async (body, code) => {
    const { token } = await rig.user(someone());
    await expectProblem(
      await rig.api('/v1/billing/checkout', { method: 'POST', token, body }),
      422,
      code,
    );
  });
});

describe('paying before signing up', () => {
  const paid = async (email: string) => {
    const sale = event('checkout.session.completed', packSession({ email, pack: 'small' }));
    expect(await (await rig.postWebhook(sale)).json()).toMatchObject({ status: 'failed' });
    return sale.id;
  };
  const statusOf = async (id: string) =>
    (await rig.database.pool.query('select status from stripe_events where event_id = $1', [id]))
      .rows[0].status as string;

  test('whoever signs up with the e-mail, verified, has what was paid, once', async () => {
    const email = `${someone()}@people.example`;
    const id = await paid(email);
    const { token } = await rig.user(someone(), email.toUpperCase());
    await waitFor(async () => (await statusOf(id)) === 'completed');
    expect((await rig.me(token)).credits).toMatchObject({ balance: 1000, purchased: 500 });
  });

  test('whoever only claims to have that e-mail gets none of it', async () => {
    const email = `${someone()}@people.example`;
    const id = await paid(email);
    const thief = await rig.token(someone(), email, { email_verified: false });
    await rig.me(thief);
    await rig.database.pool.query(
      'update stripe_events set next_attempt_at = now() where event_id = $1',
      [id],
    );
    await rig.worker.scheduled('* * * * *');
    expect((await rig.me(thief)).credits).toMatchObject({ balance: 500, purchased: 0 });
    const owner = await rig.user(someone(), email);
    await waitFor(async () => (await statusOf(id)) === 'completed');
    expect((await rig.me(owner.token)).credits).toMatchObject({ balance: 1000, purchased: 500 });
  });
});

test('the whole story: plan, job, events, result; and all webhooks again change nothing', async () => {
  const { token } = await rig.user(someone());
  await buy(rig, token, { plan: 'starter' });
  const { job, upload } = await rig.json<{ job: Job; upload: { method: string; url: string } }>(
    '/v1/jobs',
    { method: 'POST', token, body: { filename: 'leads.csv' } },
  );
  expect(job).toMatchObject({ status: 'created', rows: { total: 0 }, progress: 0 });
  const csv = companies(30).replace('Company 7,', 'Company 7 FAIL_SEARCH,');
  const sent = await rig.api(upload.url, { method: upload.method, token, body: csv });
  expect(sent.status).toBe(202);
  expect(await sent.json()).toMatchObject({
    job: { id: job.id, status: 'running', rows: { total: 30 }, credits: { held: 30 } },
  });

  const stream = await rig.api(`/v1/jobs/${job.id}/events`, { token });
  expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream\b/);
  const events = await readEvents(stream);
  const jobs = events.map(({ data }) => data as Job);
  expect(new Set(events.slice(0, -1).map(({ event }) => event))).toEqual(new Set(['progress']));
  expect(events.at(-1)?.event).toBe('done');
  const done = jobs.map(({ rows }) => rows.done);
  expect(done).toEqual(done.toSorted((a, b) => a - b));

  const end = await rig.readJob(token, job.id);
  expect(end).toMatchObject(jobs.at(-1) ?? expect.unreachable());
  expect(end).toMatchObject({
    status: 'completed',
    rows: { total: 30, done: 30, succeeded: 29, failed: 1 },
    credits: { held: 0, charged: 29, released: 1 },
    progress: 1,
    error: null,
  });
  const records = parseCsv(await rig.output(token, job.id));
  expect(records.slice(1).map(([company]) => company)).toEqual(
    Array.from({ length: 30 }, (_, i) => `Company ${i}${i === 7 ? ' FAIL_SEARCH' : ''}`),
  );

  const ledger = await rig.entries(token);
  const { credits, subscription } = await rig.me(token);
  expect(credits).toMatchObject({ balance: 971, plan: 971, held: 0 });
  const { deliveries } = await stripeLocal<{ deliveries: number }>(stripe, 'redeliver-all');
  expect(deliveries).toBeGreaterThan(4);
  await stripe.drain();
  expect(await rig.entries(token)).toEqual(ledger);
  expect(await rig.me(token)).toMatchObject({ credits, subscription });
  const { rows } = await rig.database.pool.query(
    "select event_id, error from stripe_events where status not in ('completed', 'skipped')",
  );
  expect(rows).toEqual([]);
});
