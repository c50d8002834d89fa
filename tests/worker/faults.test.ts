import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { startWorker } from '../../local/worker-host.ts';
import { wrongExchange } from '../local/qstash/description.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { rigSecrets, someone, startRig } from '../support/worker.ts';
import { companies } from '../support/worker-csv.ts';
import { expectNoLeak, expectProblem } from '../support/worker-problem.ts';
import { checkout, pay, untilDone } from '../support/worker-shop.ts';
import { endedInTime, everyMinute, minutesPass, undisturbed } from '../support/worker-time.ts';

const rig = await startRig({ stripe: true, qstash: { parallelism: 3 } });
const stripe = rig.stripe ?? expect.unreachable();

const asked: string[] = [];
const exchanges: Promise<string[]>[] = [];
rig.qstash.observe((request, response) => {
  const [, version, resource] = new URL(request.url).pathname.split('/');
  asked.push(`${request.method} /${version}/${resource}`);
  exchanges.push(wrongExchange(request, response));
});

afterEach(() => {
  for (const { faults } of [rig.qstash, rig.redis, rig.providers, stripe]) faults.clear();
});

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

test('Redis down: everything still works, and /readyz names it', async () => {
  rig.redis.faults.add({ kind: 'drop' });
  const { token } = await rig.user(someone());
  const problem = await expectProblem(await rig.api('/readyz'), 503, 'service_unavailable');
  expect(problem.detail).toContain('redis');
  expect(problem['parts']).toEqual({ database: 'ok', redis: 'down', queue: 'ok' });
  const { url } = await checkout(rig, token, { plan: 'starter' });
  await pay(url);
  await stripe.drain();
  expect((await rig.me(token)).credits.balance).toBe(1000);
  const { id } = await rig.startJob(token, companies(10));
  expect(await rig.ended(token, id)).toMatchObject({ rows: { succeeded: 10 } });
});

test.each<[string, Parameters<typeof stripe.faults.add>[0]]>([
  [
    'breaks',
    { kind: 'status', status: 500, body: { error: { type: 'api_error', message: 'secret' } } },
  ],
  ['answers a page', { kind: 'status', status: 502, body: '<html>Bad gateway</html>' }],
  [
    'is busy',
    { kind: 'status', status: 429, body: { error: { type: 'rate_limit', message: 'secret' } } },
  ],
  ['hangs up', { kind: 'drop' }],
])('Stripe %s: 503, come again; nothing is half bought, all else works', async (_, fault) => {
  const { token } = await rig.user(someone());
  const buy = () =>
    rig.api('/v1/billing/checkout', { method: 'POST', token, body: { plan: 'starter' } });
  stripe.faults.add(fault);
  const refusal = await buy();
  expect(refusal.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  const problem = await expectProblem(refusal, 503, 'payment_provider_unavailable');
  expect(problem.detail).not.toContain('secret');
  expect((await rig.api('/v1/billing/subscription', { token })).status).toBe(200);
  expect((await rig.api('/readyz')).status).toBe(200);
  stripe.faults.clear();
  expect((await buy()).status).toBe(201);
});

test("Stripe refuses: 502 without Stripe's words", async () => {
  const { token } = await rig.user(someone());
  const body = { error: { type: 'invalid_request_error', message: 'No such price: secret' } };
  stripe.faults.add({ kind: 'status', status: 400, body });
  const answer = await rig.api('/v1/billing/checkout', {
    method: 'POST',
    token,
    body: { plan: 'starter' },
  });
  const problem = await expectProblem(answer, 502, 'payment_provider_refused');
  expect(problem.detail).not.toContain('secret');
});

describe('QStash', () => {
  test('down at the upload: 202, and the watchdog publishes later', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    rig.qstash.faults.add({ kind: 'status', status: 503 });
    expect((await rig.upload(token, id, companies(20))).status).toBe(202);
    const ready = await expectProblem(await rig.api('/readyz'), 503, 'service_unavailable');
    expect(ready['parts']).toEqual({ database: 'ok', redis: 'ok', queue: 'down' });
    await everyMinute(rig);
    expect(await rig.readJob(token, id)).toMatchObject({ status: 'running', rows: { done: 0 } });
    rig.qstash.faults.clear();
    await minutesPass(rig, id);
    await everyMinute(rig);
    expect(await rig.ended(token, id)).toMatchObject({
      rows: { succeeded: 20 },
      credits: { charged: 20, held: 0 },
    });
  });

  test('busy at first: the batch is published as it was', async () => {
    const { token } = await rig.user(someone());
    const body = { error: 'busy' };
    rig.qstash.faults.add({ kind: 'status', status: 503, body, match: 'POST /v2/batch', times: 1 });
    const { id } = await rig.startJob(token, companies(20));
    expect(await rig.ended(token, id)).toMatchObject({
      rows: { succeeded: 20 },
      credits: { charged: 20, held: 0 },
    });
  });

  test('takes a batch but for one message: it is published again', async () => {
    const { token } = await rig.user(someone());
    rig.qstash.faults.add({ on: 'message', kind: 'status', match: '#2 ', times: 1 });
    const { id } = await rig.startJob(token, companies(20));
    expect(await rig.ended(token, id)).toMatchObject({ rows: { succeeded: 20 } });
  });

  test('goes on to refuse a message: the next look of the watchdog publishes it', async () => {
    const { token } = await rig.user(someone());
    rig.qstash.faults.add({ on: 'message', kind: 'status', match: '-1-1-first ' });
    const { id } = await rig.startJob(token, companies(20));
    await rig.qstash.drain(10_000);
    rig.qstash.faults.clear();
    expect(await rig.readJob(token, id)).toMatchObject({ status: 'running', rows: { done: 14 } });
    // Two minutes without a sign of life are not needed.
    await rig.database.pool.query(
      "update jobs set dispatched_at = dispatched_at - interval '21 seconds' where id = $1",
      [id],
    );
    await everyMinute(rig);
    expect(await rig.ended(token, id)).toMatchObject({ rows: { succeeded: 20 } });
    expect(rig.lines.join('\n')).not.toContain('revive_failed');
  });

  test('loses messages for good: the watchdog publishes them again', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    // None arrives; then somebody empties the queue, and nobody ever hears of them again.
    rig.qstash.faults.add({ on: 'delivery', kind: 'drop' });
    expect((await rig.upload(token, id, companies(20))).status).toBe(202);
    const headers = { authorization: `Bearer ${rigSecrets.QSTASH_TOKEN}` };
    await fetch(`${rig.qstash.url}/v2/messages`, { method: 'DELETE', headers });
    await rig.qstash.drain(10_000);
    rig.qstash.faults.clear();
    expect(await rig.readJob(token, id)).toMatchObject({ status: 'running', rows: { done: 0 } });
    await minutesPass(rig, id);
    await Promise.all([everyMinute(rig), everyMinute(rig)]);
    expect(await rig.ended(token, id)).toMatchObject({ rows: { succeeded: 20 } });
  });

  // Chunks of six, so that the failing row is in one of seven.
  const csv = companies(40).replace('Company 3,', 'Company 3 FAIL_SEARCH,');

  test.each<[string, Parameters<typeof rig.qstash.faults.add>[0][]]>([
    ['duplicated', [{ on: 'delivery', kind: 'duplicate' }]],
    ['reordered', [{ on: 'delivery', kind: 'reorder', times: 4 }]],
    ['lost on their way', [{ on: 'delivery', kind: 'drop', times: 4 }]],
    ['worked, but the answer is lost', [{ on: 'delivery', kind: 'drop', when: 'after', times: 4 }]],
    [
      'all of it at once',
      [
        { on: 'delivery', kind: 'duplicate', times: 3 },
        { on: 'delivery', kind: 'reorder', times: 2 },
        { on: 'delivery', kind: 'drop', times: 2 },
        { on: 'delivery', kind: 'drop', when: 'after', times: 4 },
      ],
    ],
  ])('deliveries are %s: the same output for the same credits', async (_, faults) => {
    const { token } = await rig.user(someone());
    for (const fault of faults) rig.qstash.faults.add(fault);
    const { id } = await rig.startJob(token, csv);
    expect(await rig.ended(token, id)).toMatchObject({
      status: 'completed',
      rows: { total: 40, done: 40, succeeded: 39, failed: 1 },
      credits: { held: 0, charged: 39, released: 1 },
    });
    rig.qstash.faults.clear();
    expect(await rig.output(token, id)).toBe(await undisturbed(rig, csv));
    expect((await rig.me(token)).credits.balance).toBe(461);
  });

  test('gives up on chunks: their rows become error rows and cost nothing', async () => {
    const { token } = await rig.user(someone());
    rig.qstash.faults.add({ on: 'delivery', kind: 'status', status: 502, match: '/queue/chunks' });
    const { id } = await rig.startJob(token, companies(14));
    expect(await rig.ended(token, id)).toMatchObject({
      status: 'failed',
      error: 'Could not be processed (last answer: 502)',
      rows: { total: 14, done: 14, succeeded: 0, failed: 14 },
      credits: { held: 0, charged: 0, released: 14 },
    });
    expect((await rig.me(token)).credits.balance).toBe(500);
    const output = await rig.output(token, id);
    expect(output.match(/,error,Could not be processed/g)).toHaveLength(14);
  });
});

test('everything said to QStash, and all that it answers, is as Upstash describes it', async () => {
  const { token } = await rig.user(someone());
  rig.qstash.faults.add({ on: 'delivery', kind: 'drop' });
  const { id } = await rig.startJob(token, companies(20));
  await rig.json(`/v1/jobs/${id}/cancel`, { method: 'POST', token });
  rig.qstash.faults.clear();
  await rig.worker.scheduled('17 3 * * *');
  expect((await rig.api('/readyz')).status).toBe(200);
  await rig.qstash.drain(10_000);
  expect((await Promise.all(exchanges)).flat()).toEqual([]);
  expect(new Set(asked)).toEqual(
    new Set([
      'GET /v2/keys',
      'POST /v2/batch',
      'DELETE /v2/messages',
      'POST /v2/publish',
      'POST /v2/flowControl',
    ]),
  );
});

test('the Worker is killed in the middle of a job: every row is there once', async () => {
  const csv = companies(60);
  const { token } = await rig.user(someone());
  rig.providers.faults.add({ kind: 'latency', ms: 150 });
  const { id } = await rig.startJob(token, csv);
  await untilDone(rig, token, id, 1);
  await rig.worker.restart();
  rig.providers.faults.clear();
  const { rows } = await rig.readJob(token, id);
  expect(rows.done).toBeLessThan(60);
  expect(await endedInTime(rig, token, id)).toMatchObject({
    rows: { total: 60, done: 60, succeeded: 60 },
    credits: { charged: 60, held: 0 },
  });
  expect(await rig.output(token, id)).toBe(await undisturbed(rig, csv));
  expect((await rig.me(token)).credits.balance).toBe(440);
});

describe('a Worker with a wrong configuration', () => {
  const start = async (env: Record<string, string | undefined>) => {
    const lines: string[] = [];
    const all = Object.entries({ ...rig.env, ...env });
    const given = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
    const worker = await startWorker({
      env: Object.fromEntries(given),
      log: (line) => lines.push(line),
    });
    const read = async (path: string, method = 'GET') => {
      const answer = await fetch(worker.url + path, { method });
      const problem = await expectProblem(answer, 500, 'misconfigured');
      return problem['problems'] as { name: string; problem: string }[];
    };
    return { worker, lines, read };
  };

  test('answers nothing but every problem by name, never with a value', async () => {
    const { worker, lines, read } = await start({
      DATABASE_URL: undefined,
      SIGNUP_CREDITS: 'banana',
      CREDIT_RENEWAL: 'sometimes',
      QSTASH_URL: 'hunter2',
      AUTH_JWT_SECRET: 'short',
      ALLOWED_ORIGINS: 'https://a.example/path',
      STRIPE_SECRET_KEY: '',
    });
    const wrong = [
      'ALLOWED_ORIGINS',
      'AUTH_JWT_SECRET',
      'CREDIT_RENEWAL',
      'DATABASE_URL',
      'QSTASH_URL',
      'SIGNUP_CREDITS',
      'STRIPE_SECRET_KEY',
    ];
    try {
      const calls = [
        ['/v1/me'],
        ['/healthz'],
        ['/readyz'],
        ['/webhooks/stripe', 'POST'],
        ['/queue/chunks', 'POST'],
      ];
      for (const [path = '', method] of calls) {
        const problems = await read(path, method);
        expect(problems.map(({ name }) => name).toSorted()).toEqual(wrong);
        for (const { problem } of problems) expect(problem).toMatch(/^is /);
      }
      const told = [...lines, JSON.stringify(await read('/'))].join('\n');
      for (const name of wrong) expect(told).toContain(name);
      for (const value of [
        'banana',
        'sometimes',
        'hunter2',
        'short"',
        'a.example',
        ...Object.values(rigSecrets),
      ])
        expect(told).not.toContain(value);
      expectNoLeak(told);
      await expect(worker.scheduled('* * * * *')).rejects.toThrow();
    } finally {
      await worker.close();
    }
  });

  test('lists every problem at once, those of several settings together too', async () => {
    const { worker, read } = await start({
      STRIPE_WEBHOOK_SECRET: undefined,
      AUTH_JWKS_URL: undefined,
      AUTH_JWT_SECRET: undefined,
    });
    try {
      const names = (await read('/v1/me')).map(({ name }) => name);
      expect(names.toSorted()).toEqual(['AUTH_JWKS_URL', 'STRIPE_WEBHOOK_SECRET']);
    } finally {
      await worker.close();
    }
  });
});
