import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { expectCleanAudit, send } from '../support/books.ts';
import { absentStripe } from '../support/absent-stripe.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { packSession } from '../support/stripe-events.ts';
import { listPrices } from '../support/worker-prices.ts';

let database: TestDatabase;
let ctx: ReturnType<typeof testCtx>;
let app: ReturnType<typeof createApp>;
let userId: string;

/** An external id as some sign-in services make them. */
const externalId = 'auth0|Zoë/7 +1';

beforeAll(async () => {
  database = await createDatabase();
  ctx = { ...testCtx(database), stripe: absentStripe() };
  app = createApp(ctx);
  const identity = { externalId, email: 'zoe@example.com', emailVerified: true };
  userId = (await ensureUser(ctx, identity)).user.id;
});
afterAll(async () => {
  await expectCleanAudit(ctx);
  await database.drop();
});

type Json = Record<string, unknown>;

async function request(
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; token?: string | null } = {},
) {
  const token = options.token === undefined ? ctx.config.adminToken : options.token;
  const execution = {
    waitUntil: () => undefined,
    passThroughOnException: () => undefined,
    props: {},
  };
  const answer = await app.request(
    path,
    {
      method,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(options.body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body !== undefined && {
        body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body),
      }),
    },
    {},
    execution,
  );
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Json };
}

const credits = (body: unknown, headers: Record<string, string> = {}, id = userId) =>
  request('POST', `/v1/admin/users/${encodeURIComponent(id)}/credits`, { body, headers });

describe('every admin route', () => {
  const routes = [
    ['GET', '/v1/admin/webhooks'],
    ['GET', '/v1/admin/webhooks/stats'],
    ['GET', '/v1/admin/webhooks/evt_1'],
    ['POST', '/v1/admin/webhooks/evt_1/retry'],
    ['POST', '/v1/admin/webhooks/retry'],
    ['POST', '/v1/admin/users/u/credits'],
    ['GET', '/v1/admin/users/u/credits/explain'],
    ['POST', '/v1/admin/users/u/refold'],
    ['POST', '/v1/admin/users/u/suspension'],
    ['GET', '/v1/admin/audit'],
    ['GET', '/v1/admin/usage'],
    ['GET', '/v1/admin/jobs/00000000-0000-4000-8000-000000000000/usage'],
    ['GET', '/v1/admin/no-such-thing'],
  ] as const;

  test.each(routes)('%s %s wants the operator token', async (method, path) => {
    for (const token of [null, 'wrong', `${ctx.config.adminToken}x`, '']) {
      const { status, json, headers } = await request(method, path, { token });
      expect([status, json['code']]).toEqual([401, 'unauthorized']);
      expect(headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  test('stands in the API description, for operators', async () => {
    const { json } = await request('GET', '/openapi.json');
    const paths = json['paths'] as Record<string, Record<string, { security?: unknown }>>;
    for (const [method, path] of [
      ['get', '/v1/admin/webhooks'],
      ['get', '/v1/admin/webhooks/stats'],
      ['get', '/v1/admin/webhooks/{eventId}'],
      ['post', '/v1/admin/webhooks/{eventId}/retry'],
      ['post', '/v1/admin/webhooks/{eventId}/dismiss'],
      ['post', '/v1/admin/webhooks/retry'],
      ['post', '/v1/admin/users/{id}/credits'],
      ['get', '/v1/admin/users/{id}/credits/explain'],
      ['post', '/v1/admin/users/{id}/refold'],
      ['post', '/v1/admin/users/{id}/suspension'],
      ['get', '/v1/admin/audit'],
    ] as const)
      expect(paths[path]?.[method]?.security, path).toEqual([{ admin: [] }]);
  });
});

describe('the inbox over HTTP', () => {
  test('is listed, measured and retried', async () => {
    for (let i = 0; i < 3; i += 1) {
      const session = packSession({ userId, pack: 'small' });
      await send(ctx, 'checkout.session.completed', session, { id: `evt_${i}` });
    }
    const first = await request('GET', '/v1/admin/webhooks?status=failed&limit=2');
    expect(first.status).toBe(200);
    expect((first.json['items'] as Json[]).map((item) => item['eventId'])).toEqual([
      'evt_2',
      'evt_1',
    ]);
    const second = await request(
      'GET',
      `/v1/admin/webhooks?status=failed&limit=2&cursor=${first.json['nextCursor'] as string}`,
    );
    expect(second.json).toMatchObject({ items: [{ eventId: 'evt_0' }], nextCursor: null });

    await listPrices(database.pool);
    const one = await request('POST', '/v1/admin/webhooks/evt_1/retry');
    expect(one).toMatchObject({ status: 200, json: { eventId: 'evt_1', status: 'completed' } });
    const again = await request('POST', '/v1/admin/webhooks/evt_1/retry');
    expect(again).toMatchObject({ status: 200, json: { eventId: 'evt_1', status: 'duplicate' } });
    const all = await request('POST', '/v1/admin/webhooks/retry');
    expect(all).toMatchObject({
      status: 200,
      json: { tried: 2, completed: 2, failed: 0, remaining: 0 },
    });
    const stats = await request('GET', '/v1/admin/webhooks/stats');
    expect(stats.json).toMatchObject({
      hours: 24,
      total: 3,
      byStatus: { completed: 3, skipped: 0, failed: 0, pending: 0, dismissed: 0 },
      types: [{ type: 'checkout.session.completed', count: 3, successRate: 1 }],
      oldestUnprocessed: null,
    });
    const detail = await request('GET', '/v1/admin/webhooks/evt_0');
    expect(detail.json).toMatchObject({
      status: 'completed',
      payload: { id: 'evt_0' },
      payloadRemoved: false,
      waitingFor: [],
    });
  });

  test('an event that failed is dismissed with a reason, for good', async () => {
    const session = packSession({ userId: 'nobody', pack: 'small' }, { id: 'cs_lost' });
    const told = { id: 'evt_lost', created: 1_790_000_000 };
    await send(ctx, 'checkout.session.completed', session, told);
    const dismiss = (id: string, body: unknown) =>
      request('POST', `/v1/admin/webhooks/${id}/dismiss`, { body });
    for (const body of [{}, { reason: '' }, { reason: ' ' }, { reason: 'x'.repeat(501) }, null]) {
      const { status, json } = await dismiss('evt_lost', body);
      expect([status, json['code']]).toEqual([422, 'invalid_request']);
    }
    const view = {
      eventId: 'evt_lost',
      status: 'dismissed',
      dismissedReason: 'a test of ours',
      errorCode: 'unknown_user',
      nextAttemptAt: null,
      waitingFor: [],
      objectId: 'cs_lost',
    };
    expect(await dismiss('evt_lost', { reason: 'a test of ours' })).toMatchObject({
      status: 200,
      json: view,
    });
    expect(await dismiss('evt_lost', { reason: 'once more' })).toMatchObject({
      status: 200,
      json: view,
    });
    expect(await dismiss('evt_0', { reason: 'no' })).toMatchObject({
      status: 409,
      json: { code: 'event_settled' },
    });
    expect(await dismiss('evt_none', { reason: 'no' })).toMatchObject({ status: 404 });

    // Neither a retry nor a redelivery brings it back.
    const again = await send(ctx, 'checkout.session.completed', session, told);
    expect(again).toBe('duplicate');
    const retried = await request('POST', '/v1/admin/webhooks/evt_lost/retry');
    expect(retried.json).toMatchObject({ status: 'duplicate', dismissedReason: 'a test of ours' });
    expect((await request('POST', '/v1/admin/webhooks/retry')).json).toMatchObject({ tried: 0 });
    const listed = await request('GET', '/v1/admin/webhooks?status=dismissed');
    expect(listed.json['items']).toMatchObject([view]);
    expect((await request('GET', '/v1/admin/webhooks/stats')).json).toMatchObject({
      byStatus: { dismissed: 1, failed: 0 },
    });
  });

  test.each([
    '?status=lost',
    '?limit=0',
    '?limit=101',
    '?cursor=x',
    '?cursor=1',
    '/stats?hours=0',
    '/stats?hours=1.5',
    '/stats?hours=100000',
  ])('refuses %s', async (query) => {
    const { status, json } = await request('GET', `/v1/admin/webhooks${query}`);
    expect([status, json['code']]).toEqual([422, 'invalid_request']);
  });

  test('does not know an event that never came', async () => {
    for (const [method, path] of [
      ['GET', '/v1/admin/webhooks/evt_none'],
      ['POST', '/v1/admin/webhooks/evt_none/retry'],
      ['POST', '/v1/admin/webhooks/evt%00none/retry'],
    ] as const) {
      const { status, json } = await request(method, path);
      expect([status, json['code']]).toEqual([404, 'not_found']);
    }
  });
});

describe('credits over HTTP', () => {
  const balance = async () =>
    (
      await database.pool.query<{ credits_balance: number }>(
        'select credits_balance::int from users where id = $1',
        [userId],
      )
    ).rows[0]?.credits_balance as number;

  test('are adjusted under our id and the external one, once per key', async () => {
    const before = await balance();
    const key = { 'idempotency-key': 'ticket-1' };
    const body = { amount: 40, reason: 'for zoe@example.com' };
    const first = await credits(body, key);
    expect(first).toMatchObject({
      status: 201,
      json: { entry: { kind: 'adjustment', amount: 40 }, balance: before + 40 },
    });
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const again = await credits(body, key, externalId);
    expect(again.status).toBe(201);
    expect(again.json).toEqual(first.json);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const other = await credits({ ...body, amount: 41 }, key);
    expect([other.status, other.json['code']]).toEqual([422, 'idempotency_key_reused']);
    expect(await balance()).toBe(before + 40);
    expect(JSON.stringify(ctx.lines)).not.toContain('zoe@');
  });

  test('cannot be taken below zero; the refusal says the balance', async () => {
    const before = await balance();
    const { status, json } = await credits({ amount: -before - 1, reason: 'r' });
    expect([status, json['code'], json['balance'], json['requested']]).toEqual([
      409,
      'balance_too_low',
      before,
      before + 1,
    ]);
    expect(await balance()).toBe(before);
  });

  test.each([
    [{ amount: 0, reason: 'r' }],
    [{ amount: 1.5, reason: 'r' }],
    [{ amount: '1', reason: 'r' }],
    [{ amount: 1_000_000_001, reason: 'r' }],
    [{ amount: 1 }],
    [{ amount: 1, reason: '' }],
    [{ amount: 1, reason: '   ' }],
    [{ amount: 1, reason: 'x'.repeat(501) }],
    [{ amount: 1, reason: 'a\0b' }],
    [{ amount: 1, reason: 'r', note: 'x' }],
  ])('refuse %j', async (body) => {
    const before = await balance();
    const { status, json } = await credits(body);
    expect([status, json['code']]).toEqual([422, 'invalid_request']);
    expect(await balance()).toBe(before);
  });

  test('refuse what is not JSON, a bad key and an unknown user', async () => {
    const bad = await credits('{');
    expect([bad.status, bad.json['code']]).toEqual([400, 'invalid_json']);
    const key = await credits({ amount: 1, reason: 'r' }, { 'idempotency-key': 'a b' });
    expect([key.status, key.json['code']]).toEqual([422, 'invalid_request']);
    for (const id of ['nobody', '00000000-0000-4000-8000-000000000000', 'no\0body']) {
      const { status, json } = await credits({ amount: 1, reason: 'r' }, {}, id);
      expect([status, json['code']]).toEqual([404, 'not_found']);
    }
  });

  test('are explained, page by page', async () => {
    const path = `/v1/admin/users/${encodeURIComponent(externalId)}/credits/explain`;
    const first = await request('GET', `${path}?limit=2`);
    const now = await balance();
    expect(first).toMatchObject({
      status: 200,
      json: { userId, balance: now, sum: now, agrees: true },
    });
    const second = await request(
      'GET',
      `${path}?limit=500&cursor=${first.json['nextCursor'] as string}`,
    );
    const entries = [first, second].flatMap(({ json }) => json['entries'] as { amount: number }[]);
    expect(entries).toHaveLength(5);
    const steps = [first, second].flatMap(({ json }) => json['timeline'] as Json[]);
    expect(steps.map(({ kind }) => kind)).toEqual(['adjustment', 'pack', 'pack', 'pack', 'signup']);
    expect(entries.reduce((sum, { amount }) => sum + amount, 0)).toBe(now);
    expect(second.json['nextCursor']).toBeNull();
    for (const query of ['limit=501', 'limit=0', 'cursor=x']) {
      const { status, json } = await request('GET', `${path}?${query}`);
      expect([status, json['code']]).toEqual([422, 'invalid_request']);
    }
    const nobody = await request('GET', '/v1/admin/users/nobody/credits/explain');
    expect([nobody.status, nobody.json['code']]).toEqual([404, 'not_found']);
  });
});

const postTo = (
  name: string,
  body: unknown,
  headers: Record<string, string> = {},
  id = externalId,
) => request('POST', `/v1/admin/users/${encodeURIComponent(id)}/${name}`, { body, headers });

describe('a suspension over HTTP', () => {
  test('is set and lifted, once per key', async () => {
    const key = { 'idempotency-key': 'case-1' };
    const body = { action: 'suspend', reason: 'a stolen card' };
    const first = await postTo('suspension', body, key);
    expect(first).toMatchObject({
      status: 200,
      json: { suspended: { since: expect.any(String) as string, reason: 'a stolen card' } },
    });
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const again = await postTo('suspension', body, key, userId);
    expect([again.status, again.json]).toEqual([200, first.json]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const explained = await request('GET', `/v1/admin/users/${userId}/credits/explain?limit=1`);
    expect(explained.json).toMatchObject({
      suspended: first.json['suspended'],
      timeline: [{ says: 'An operator suspended the account: "a stolen card".' }],
    });
    const other = await postTo('suspension', { ...body, action: 'lift' }, key);
    expect([other.status, other.json['code']]).toEqual([422, 'idempotency_key_reused']);
    const lifted = await postTo('suspension', { action: 'lift', reason: 'it was not' });
    expect([lifted.status, lifted.json]).toEqual([200, { suspended: null }]);
  });

  test.each([
    [{ action: 'suspend' }],
    [{ action: 'suspend', reason: '  ' }],
    [{ action: 'forget', reason: 'r' }],
    [{ reason: 'r' }],
    [{ action: 'lift', reason: 'r', until: 'x' }],
  ])('refuses %j', async (body) => {
    const { status, json } = await postTo('suspension', body);
    expect([status, json['code']]).toEqual([422, 'invalid_request']);
  });

  test('of nobody is not found', async () => {
    const { status, json } = await postTo('suspension', { action: 'lift', reason: 'r' }, {}, 'x');
    expect([status, json['code']]).toEqual([404, 'not_found']);
  });
});

describe('the books over HTTP', () => {
  test('are audited and refolded', async () => {
    const bend = (by: number) =>
      database.pool.query('update users set credits_shortfall = credits_shortfall + $1', [by]);
    await bend(3);
    const audited = await request('GET', '/v1/admin/audit?limit=1');
    expect(audited).toMatchObject({
      status: 200,
      json: {
        checked: 1,
        differences: [
          {
            userId,
            kinds: ['totals'],
            details: [{ kind: 'totals', key: 'shortfall', stored: 3, folded: 0 }],
          },
        ],
        nextCursor: userId,
      },
    });
    const rest = await request('GET', `/v1/admin/audit?cursor=${userId}`);
    expect(rest.json).toEqual({ checked: 0, differences: [], nextCursor: null });
    const dry = await postTo('refold', { dryRun: true });
    expect(dry).toMatchObject({ status: 200, json: { posted: false, differs: ['totals'] } });
    const done = await postTo('refold', {});
    expect(done).toMatchObject({ status: 200, json: { posted: true, lots: [], entries: [] } });
    const again = await postTo('refold', {}, {}, userId);
    expect(again).toMatchObject({ status: 200, json: { posted: false, differs: [] } });
    expect((await request('GET', '/v1/admin/audit')).json['differences']).toEqual([]);
  });

  test('refuse what does not fit', async () => {
    for (const query of ['limit=0', 'limit=1001', 'cursor=x']) {
      const { status, json } = await request('GET', `/v1/admin/audit?${query}`);
      expect([status, json['code']]).toEqual([422, 'invalid_request']);
    }
    const body = await postTo('refold', { dryRun: 'yes' });
    expect([body.status, body.json['code']]).toEqual([422, 'invalid_request']);
    const nobody = await postTo('refold', {}, {}, 'nobody');
    expect([nobody.status, nobody.json['code']]).toEqual([404, 'not_found']);
  });
});
