import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { createStripe } from '../../functions/clients/stripe.ts';
import { createCtx, type Ctx } from '../../functions/context.ts';
import { parseEnv } from '../../functions/env.ts';
import { auditStep } from '../../functions/ledger/audit-books.ts';
import { closeNotice } from '../../functions/notices/close-notice.ts';
import { listNotices } from '../../functions/notices/list-notices.ts';
import type { Notice } from '../../functions/notices/notice.pure.ts';
import { noticeRefusedKey } from '../../functions/notices/refused-key.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { retryDueEvents } from '../../functions/stripe/retry-events.ts';
import { reconcile } from '../../functions/stripe/reconcile.ts';
import { testEnv } from '../support/ctx.ts';
import { event } from '../support/stripe-events.ts';
import { fixtureUser, StripeFixture } from '../support/stripe-fixture.ts';

const nowhere = 'http://127.0.0.1:9';

let fixture: StripeFixture;
beforeAll(async () => {
  fixture = await StripeFixture.open();
});
beforeEach(() => fixture.reset());
afterAll(() => fixture.close());

const raise = (notice: Partial<Notice> = {}, user: string | null = null) =>
  fixture.ctx.db.rows('select rowloom.notices_raise($1, $2)', [
    user,
    JSON.stringify([
      {
        kind: 'fraud_warning',
        subject: { type: 'charge', id: 'ch_1' },
        detail: 'A warning.',
        ...notice,
      },
    ]),
  ]);
const open = async () => (await listNotices(fixture.ctx, { state: 'open', limit: 100 })).items;
const close = (id: string, reason = 'seen') => closeNotice(fixture.ctx, { id, reason });
const closeAll = async () => {
  for (const { id } of await open()) await close(id);
};

test('raising one does not read all that there are', async () => {
  const client = await fixture.database.pool.connect();
  try {
    await client.query(`insert into notices (kind, subject_type, subject_id, detail)
      select 'reconcile_difference', 'invoice', 'in_' || n, 'It differs.' from generate_series(1, 2000) n`);
    await client.query('analyze notices');
    await client.query('begin');
    const notice = {
      kind: 'fraud_warning',
      subject: { type: 'charge', id: 'ch_1' },
      detail: 'So.',
    };
    await client.query('select rowloom.notices_raise(null, $1)', [JSON.stringify([notice])]);
    const { rows } = await client.query<{ read: string }>(
      "select seq_tup_read as read from pg_stat_xact_user_tables where relname = 'notices'",
    );
    await client.query('commit');
    expect(Number(rows[0]?.read)).toBe(0);
    expect(await open()).toHaveLength(100);
  } finally {
    client.release();
  }
});

describe('the routes', () => {
  const call = async (path: string, body?: unknown, token = fixture.ctx.config.adminToken) => {
    const answer = await createApp(fixture.ctx).request(`/v1/admin/notices${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  };

  test('list what is open, newest first, page by page', async () => {
    for (const id of ['ch_1', 'ch_2', 'ch_3']) await raise({ subject: { type: 'charge', id } });
    await raise({ subject: { type: 'charge', id: 'ch_4' } }, fixtureUser);
    const subjects = [];
    let next: unknown = '';
    for (let pages = 0; next !== null && pages < 4; pages += 1) {
      const { status, json } = await call(
        `?limit=2${next === '' ? '' : `&cursor=${next as string}`}`,
      );
      expect(status).toBe(200);
      subjects.push(...(json['items'] as { subject: { id: string } }[]).map((n) => n.subject.id));
      next = json['nextCursor'];
    }
    expect(subjects).toEqual(['ch_4', 'ch_3', 'ch_2', 'ch_1']);
    const { json } = await call('?limit=1');
    expect(json['items']).toEqual([
      {
        id: expect.stringMatching(/^\d+$/),
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        kind: 'fraud_warning',
        userId: fixtureUser,
        subject: { type: 'charge', id: 'ch_4' },
        detail: 'A warning.',
      },
    ]);
  });

  test('close one for good, with the first reason', async () => {
    await raise();
    const [notice] = await open();
    const first = await call(`/${notice?.id}/close`, { reason: 'refunded' });
    expect(first).toEqual({
      status: 200,
      json: { ...notice, closed: { at: expect.stringMatching(/Z$/), reason: 'refunded' } },
    });
    expect(await call(`/${notice?.id}/close`, { reason: 'again' })).toEqual(first);
    expect((await call('?state=open')).json['items']).toEqual([]);
    expect((await call('?state=closed')).json['items']).toEqual([first.json]);
  });

  test.each<[string, unknown, number]>([
    ['/999999/close', { reason: 'x' }, 404],
    ['/x/close', { reason: 'x' }, 404],
    ['/1/close', { reason: ' ' }, 422],
    ['/1/close', {}, 422],
    ['?state=all', undefined, 422],
    ['?cursor=x', undefined, 422],
    ['?limit=0', undefined, 422],
  ])('refuse %s %j with %i', async (path, body, status) => {
    expect((await call(path, body)).status).toBe(status);
  });

  test('are for operators', async () => {
    expect((await call('', undefined, 'nobody')).status).toBe(401);
    expect((await call('/1/close', { reason: 'x' }, 'nobody')).status).toBe(401);
  });
});

describe('a notice', () => {
  test('is raised once while it is open, and again with other words or a cause that is there', async () => {
    for (let i = 0; i < 3; i += 1) await raise();
    await raise({ detail: 'Other words.' });
    expect(await open()).toHaveLength(1);
    await closeAll();
    await raise();
    expect(await open()).toEqual([]);
    await raise({ isAgain: true });
    expect(await open()).toMatchObject([{ detail: 'A warning.' }]);
    await closeAll();
    await raise({ detail: 'Other words.' });
    expect(await open()).toMatchObject([{ detail: 'Other words.' }]);
  });

  test('raised by many at once is one', async () => {
    await Promise.all(Array.from({ length: 12 }, () => raise()));
    expect(await open()).toHaveLength(1);
  });

  test('raised anew while it is being closed is not lost with it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const subject = { type: 'charge', id: `ch_race_${round}` };
      await raise({ subject });
      const [first] = await open();
      const client = await fixture.database.pool.connect();
      try {
        await client.query('begin');
        await client.query(
          `update notices set closed_at = now(), closed_reason = 'seen' where id = $1`,
          [first?.id],
        );
        // The closer commits only while the other one is on its way.
        const raised = raise({ subject, detail: 'It got worse.' });
        await new Promise((resolve) => {
          setTimeout(resolve, round % 4);
        });
        await client.query('commit');
        await raised;
      } finally {
        client.release();
      }
      expect(await open()).toMatchObject([{ subject, detail: 'It got worse.' }]);
      await closeAll();
    }
  });
});

describe('an early fraud warning', () => {
  const warn = (charge: unknown, intent?: string) =>
    event('radar.early_fraud_warning.created', {
      id: 'issfr_1',
      object: 'radar.early_fraud_warning',
      actionable: true,
      charge,
      fraud_type: 'made_with_lost_card',
      ...(intent !== undefined && { payment_intent: intent }),
    });
  test('is about whoever got what the charge bought, in whichever order the two come', async () => {
    const intent = await fixture.buyPacks(2);
    const { latest_charge } = await fixture.stripe.paymentIntents.retrieve(intent);
    const charge = latest_charge as string;
    await fixture.shop.local(`/charges/${charge}/fraud-warning`, {});
    const events = await fixture.events();
    expect(events.map(({ type }) => type)).toContain('radar.early_fraud_warning.created');
    for (const order of [events, events.toReversed()]) {
      await fixture.reset();
      for (const each of [...order, ...order]) await fixture.deliver(each);
      await fixture.settle();
      expect(await open()).toMatchObject([
        { kind: 'fraud_warning', userId: fixtureUser, subject: { type: 'charge', id: charge } },
      ]);
      expect((await fixture.books()).user).toMatchObject({ credits_purchased: 600 });
    }
  });

  test('about a payment that is not ours is skipped; one of an unknown payment waits', async () => {
    const cup = await fixture.stripe.prices.create({
      currency: 'usd',
      unit_amount: 500,
      product_data: { name: 'A cup' },
    });
    const session = await fixture.shop.checkout(cup.id, { mode: 'payment' });
    await fixture.shop.press(session.url, { action: 'pay', email: 'bob@example.com' });
    const paid = await fixture.stripe.checkout.sessions.retrieve(session.id, {
      expand: ['payment_intent'],
    });
    const intent = paid.payment_intent as { id: string; latest_charge: string };
    const ours = warn(intent.latest_charge, intent.id);
    const send = (one: unknown) => fixture.deliver(readEvent(one) as StripeEvent);
    expect(await send(ours)).toMatchObject({ status: 'skipped' });
    expect(await send(warn('ch_unknown'))).toMatchObject({
      status: 'failed',
      code: 'unknown_payment',
    });
    expect(await open()).toEqual([]);
  });
});

test('an invoice that Stripe cannot finalize is told to whoever can mend it', async () => {
  await fixture.shop.local('/tax/settings', { status: 'active', tax_behavior: 'exclusive' });
  const { customer } = await fixture.subscribe(fixture.shop.prices.starter.id, {
    automatic_tax: { enabled: true },
  });
  await fixture.shop.local(`/customers/${customer}/finalization`, {
    fails: 'requires_location_inputs',
  });
  await fixture.shop.advance(32 * 86_400);
  for (const each of await fixture.events()) await fixture.deliver(each);
  const refused = (await open()).filter(({ kind }) => kind === 'provider_refused');
  expect(refused).toMatchObject([
    {
      userId: fixtureUser,
      subject: { type: 'invoice' },
      detail: expect.stringContaining("The customer's location isn't recognized."),
    },
  ]);
});

describe('a key that Stripe refuses', () => {
  const withKey = (key: string): Ctx => {
    const env = testEnv(fixture.database.url, fixture.database.neonProxyUrl);
    return createCtx(
      parseEnv({ ...env, STRIPE_SECRET_KEY: key, STRIPE_API_BASE: fixture.shop.standIn.url }),
      noticeRefusedKey,
    );
  };

  test('is told once by whatever asks, until it is closed', async () => {
    const ctx = withKey('sk_test_revoked');
    await expect(reconcile(ctx, { dryRun: true })).rejects.toThrow();
    await expect(reconcile(ctx, { dryRun: true })).rejects.toThrow();
    const [notice, ...more] = await open();
    expect(more).toEqual([]);
    expect(notice).toMatchObject({
      kind: 'provider_refused',
      userId: null,
      subject: { type: 'provider', id: 'stripe' },
    });
    expect(notice?.detail).not.toContain('sk_test');
    await closeAll();
    await retryDueEvents(ctx);
    expect(await open()).toEqual([]);
    await expect(reconcile(ctx, { dryRun: true })).rejects.toThrow();
    expect(await open()).toHaveLength(1);
  });

  test('is told by no other failure', async () => {
    const ctx = withKey(fixture.shop.standIn.secretKey);
    const onRefused = vi.fn(() => Promise.resolve());
    await expect(ctx.stripe.prices.retrieve('price_none')).rejects.toThrow();
    await expect(
      createStripe({
        secretKey: 'sk_test_x',
        apiBase: nowhere,
        retryDelayMs: 1,
        onRefused,
      }).prices.list(),
    ).rejects.toThrow();
    expect(onRefused).not.toHaveBeenCalled();
    expect(await open()).toEqual([]);
  });
});

describe('books that are not what their facts come to', () => {
  const audit = async () => {
    const qstash = { publishJSON: () => Promise.resolve({}) };
    await auditStep({ ...fixture.ctx, qstash } as unknown as Ctx, { run: 'r', cursor: null });
  };
  const bend = (text: string) =>
    fixture.database.pool.query(
      `do $b$ begin set local session_replication_role = replica; ${text}; end $b$`,
    );

  test('are noticed; again while a refold would mend them', async () => {
    await audit();
    expect(await open()).toEqual([]);
    await bend('update credit_lots set remaining = remaining - 1');
    await audit();
    await audit();
    const [notice, ...more] = await open();
    expect(more).toEqual([]);
    expect(notice).toMatchObject({
      kind: 'audit_difference',
      userId: fixtureUser,
      subject: { type: 'user', id: fixtureUser },
      detail: expect.stringMatching(/: lots, movements\. .*refold/),
    });
    await closeAll();
    await audit();
    expect(await open()).toMatchObject([{ detail: notice?.detail }]);
  });

  test('that nothing mends are noticed again only with other words', async () => {
    const [entry] = (
      await fixture.database.pool.query<{ id: string }>('select id from credit_entries limit 1')
    ).rows;
    await bend(`update credit_entries set movements = '{}' where id = ${entry?.id}`);
    await audit();
    const [notice] = await open();
    expect(notice?.detail).toMatch(/: entries, movements\. Look at: /);
    expect(notice?.detail).not.toContain('refold');
    await closeAll();
    await audit();
    expect(await open()).toEqual([]);
    await bend(`update credit_facts set body = body || '{"differs": true}' where kind = 'signup'`);
    await audit();
    expect(await open()).toMatchObject([
      { detail: expect.stringMatching(/: entries, fact, movements\. /) },
    ]);
  });
});
