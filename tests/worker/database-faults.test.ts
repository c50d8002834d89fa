import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { event, packSession } from '../support/stripe-events.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { companies } from '../support/worker-csv.ts';
import { ownProxy } from '../support/worker-database.ts';
import { expectProblem } from '../support/worker-problem.ts';
import { checkout, pay, stripeObject } from '../support/worker-shop.ts';
import { endedInTime, minutesPass, undisturbed } from '../support/worker-time.ts';

const proxy = await ownProxy();
const rig = await startRig({
  stripe: true,
  qstash: { parallelism: 3 },
  env: { NEON_PROXY_URL: proxy.url },
});
const stripe = rig.stripe ?? expect.unreachable();
const { pool } = rig.database;

afterEach(() => {
  for (const { faults } of [proxy, rig.qstash, rig.providers]) faults.clear();
});

afterAll(async () => {
  await assertBooksHold(pool);
  await rig.close();
  await proxy.stop();
});

describe('while the database is down', () => {
  const down: [string, () => unknown, () => unknown][] = [
    ['cuts every connection', () => proxy.faults.add({ kind: 'drop' }), () => proxy.faults.clear()],
    [
      'answers 500',
      () => proxy.faults.add({ kind: 'status', status: 500, body: { message: 'internal secret' } }),
      () => proxy.faults.clear(),
    ],
    [
      'shuts down',
      () =>
        proxy.faults.add({
          kind: 'status',
          status: 400,
          body: { message: 'terminating connection due to administrator command', code: '57P01' },
        }),
      () => proxy.faults.clear(),
    ],
    ['is gone', () => proxy.stop(), () => proxy.start()],
  ];

  test.each(down)(
    'and %s: users come again, Stripe and QStash too, /readyz names it',
    async (_, fail, heal) => {
      const { token, me } = await rig.user(someone());
      const { id } = await rig.createJob(token);
      const sale = event(
        'checkout.session.completed',
        packSession({ userId: me.id, pack: 'small' }),
      );
      const message = JSON.stringify({ jobId: id, run: 1, chunk: 0 });
      await fail();
      const users = [
        await rig.api('/v1/me', { token }),
        await rig.api('/v1/me', { token: await rig.token(someone(), null) }),
        await rig.api('/v1/credits/entries', { token }),
        await rig.api('/v1/billing/plans'),
        await rig.api('/v1/billing/subscription', { token }),
        await rig.api('/v1/billing/checkout', { method: 'POST', token, body: { plan: 'starter' } }),
        await rig.api('/v1/jobs', { token }),
        await rig.api('/v1/jobs', { method: 'POST', token, body: { filename: 'a.csv' } }),
        await rig.api(`/v1/jobs/${id}`, { token }),
        await rig.api(`/v1/jobs/${id}/events`, { token }),
        await rig.api(`/v1/jobs/${id}/output`, { token }),
        await rig.api(`/v1/jobs/${id}/start`, { method: 'POST', token }),
        await rig.upload(token, id, companies(3)),
      ];
      const webhook = await rig.postWebhook(sale);
      const queue = await rig.postQueue('/queue/chunks', message);
      const ready = await rig.api('/readyz');
      const alive = await rig.api('/healthz');
      await heal();

      for (const answer of users) {
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect((await expectProblem(answer, 503, 'service_unavailable'))['part']).toBe('database');
      }
      expect(webhook.headers.get('retry-after')).toBeNull();
      await expectProblem(webhook, 500, 'internal');
      expect(queue.status).toBeGreaterThanOrEqual(500);
      expect(queue.headers.get('upstash-nonretryable-error')).toBeNull();
      const problem = await expectProblem(ready, 503, 'service_unavailable');
      expect(problem.detail).toContain('database');
      expect(problem['parts']).toEqual({ database: 'down', redis: 'ok', queue: 'ok' });
      expect(alive.status).toBe(200);

      expect((await rig.me(token)).credits.balance).toBe(500);
      expect(await (await rig.postWebhook(sale)).json()).toMatchObject({ status: 'completed' });
      expect((await rig.me(token)).credits.balance).toBe(1000);
      expect((await rig.api('/readyz')).status).toBe(200);
      expect((await rig.upload(token, id, companies(3))).status).toBe(202);
      expect((await rig.ended(token, id)).rows.succeeded).toBe(3);
    },
  );

  test('a job that is running goes on when it is back', async () => {
    const { token } = await rig.user(someone());
    rig.providers.faults.add({ kind: 'latency', ms: 300 });
    const { id } = await rig.startJob(token, companies(30));
    proxy.faults.add({ kind: 'drop' });
    const before = rig.qstash.state().attempts;
    await waitFor(() => rig.qstash.state().attempts > before + 2);
    proxy.faults.clear();
    expect(await endedInTime(rig, token, id)).toMatchObject({ rows: { done: 30, succeeded: 30 } });
    expect(await rig.output(token, id)).toBe(await undisturbed(rig, companies(30)));
  });
});

describe('an answer of the database that is lost after the commit', () => {
  test('a purchase: Stripe sends its webhooks again, and it is granted once', async () => {
    const { token } = await rig.user(someone());
    const { url } = await checkout(rig, token, { pack: 'small', quantity: 2 });
    proxy.faults.add({ kind: 'drop', when: 'after', times: 1 });
    await pay(url);
    await stripe.drain();
    expect((await rig.me(token)).credits).toMatchObject({ balance: 1500, purchased: 1000 });
    expect(await rig.entries(token)).toHaveLength(2);
    // Whichever of the purchase's webhooks lost its answer: it came again, and no other.
    const answers = await fetch(`${stripe.url}/_local/events`);
    type Told = { events: { deliveries: { attempts: { status: number }[] }[] }[] };
    const { events } = (await answers.json()) as Told;
    const retried = events
      .flatMap(({ deliveries }) => deliveries)
      .map(({ attempts }) => attempts.map(({ status }) => status))
      .filter((statuses) => statuses.length > 1);
    expect(retried).toContainEqual([500, 200]);
  });

  test('a sign-up: the next call finds the user, with the credits granted once', async () => {
    const token = await rig.token(someone(), null);
    proxy.faults.add({ kind: 'drop', when: 'after', times: 1 });
    await expectProblem(await rig.api('/v1/me', { token }), 503, 'service_unavailable');
    expect((await rig.me(token)).credits.balance).toBe(500);
    expect(await rig.entries(token)).toHaveLength(1);
  });

  test('a created job: the same Idempotency-Key finds it', async () => {
    const { token } = await rig.user(someone());
    const create = () =>
      rig.api('/v1/jobs', {
        method: 'POST',
        token,
        body: { filename: 'a.csv' },
        headers: { 'idempotency-key': 'once' },
      });
    await (await create()).text();
    await pool.query("delete from jobs where idempotency_key = 'once'");
    proxy.faults.add({ kind: 'drop', when: 'after', times: 1 });
    await expectProblem(await create(), 503, 'service_unavailable');
    expect((await create()).headers.get('idempotency-replayed')).toBe('true');
    expect((await rig.json<{ items: unknown[] }>('/v1/jobs', { token })).items).toHaveLength(1);
  });
});

describe('any single statement of an upload that fails', () => {
  const csv = companies(20);
  // Begin, append, start and the record of what was dispatched; a fifth that does not come.
  const cases = [1, 2, 3, 4, 5].flatMap((nth) => [
    [nth, 'before'] as const,
    [nth, 'after'] as const,
  ]);

  test.each(cases)(
    'number %i, cut %s it ran: the caller can go on, and pays once',
    async (nth, when) => {
      const { token } = await rig.user(someone());
      const { id } = await rig.createJob(token);
      await rig.readJob(token, id);
      proxy.faults.arm(nth, when);
      const answer = await rig.upload(token, id, csv);
      await answer.text();
      // One that has not struck by now would strike the test's own reading.
      proxy.faults.arm(0, 'before');
      const { status } = await rig.readJob(token, id);
      if (answer.status !== 202) {
        expect(answer.status).toBe(503);
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        // What a caller does who is told to come again.
        if (status !== 'running') expect((await rig.upload(token, id, csv)).status).toBe(202);
      }
      expect(await endedInTime(rig, token, id)).toMatchObject({
        status: 'completed',
        rows: { total: 20, done: 20, succeeded: 20 },
        credits: { held: 0, charged: 20 },
      });
      expect((await rig.me(token)).credits).toMatchObject({ balance: 480, held: 0 });
      expect(await rig.output(token, id)).toBe(await undisturbed(rig, csv));
    },
  );
});

describe('a statement of a delivery that fails', () => {
  const csv = companies(6);
  // The lease fails: QStash comes again. The commit fails: it is tried again, for the rows are paid for.
  test.each([
    [1, 'before', 503],
    [1, 'after', 503],
    [2, 'before', 200],
    [2, 'after', 200],
  ] as const)(
    'number %i, cut %s it ran: each row is worked into the result once',
    async (nth, when, status) => {
      const { token } = await rig.user(someone());
      const { id } = await rig.createJob(token);
      rig.qstash.faults.add({ on: 'message', kind: 'status' });
      expect((await rig.upload(token, id, csv)).status).toBe(202);
      const deliver = () =>
        rig.postQueue('/queue/chunks', JSON.stringify({ jobId: id, run: 1, chunk: 0 }));
      // Nothing else may speak to the database now: what earlier jobs left in the queue stays there.
      rig.qstash.faults.add({ on: 'delivery', kind: 'status', status: 503 });
      await waitFor(() => rig.qstash.state().inFlight === 0);
      proxy.faults.arm(nth, when);
      expect((await deliver()).status).toBe(status);
      rig.qstash.faults.clear();
      const early = await deliver();
      if (early.status !== 200) {
        // Somebody may still be working on it, for all that the database knows.
        await expectProblem(early, 503, 'busy');
        expect(early.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      }
      await minutesPass(rig, id);
      expect((await deliver()).status).toBe(200);
      expect(await (await deliver()).json()).toEqual({ outcome: 'gone' });
      expect(await rig.readJob(token, id)).toMatchObject({
        status: 'completed',
        rows: { total: 6, done: 6, succeeded: 6 },
        credits: { held: 0, charged: 6, released: 0 },
      });
      expect(await rig.output(token, id)).toBe(await undisturbed(rig, csv));
    },
  );
});

test('after all of this no event of Stripe waits for anybody', async () => {
  const { rows } = await pool.query(
    "select event_id, status, error from stripe_events where status not in ('completed', 'skipped')",
  );
  expect(rows).toEqual([]);
  const { data } = await stripeObject<{ data: { paid: boolean }[] }>(stripe, 'charges?limit=100');
  expect(data.map(({ paid }) => paid)).toEqual([true]);
});
