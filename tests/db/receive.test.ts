import fc from 'fast-check';
import Stripe from 'stripe';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { DomainError } from '../../functions/errors.ts';
import { readStoredEvent } from '../../functions/stripe/list-events.ts';
import { eventTypes } from '../../functions/stripe/read-event.pure.ts';
import { receiveStripeEvent } from '../../functions/stripe/receive.ts';
import { retryEvent } from '../../functions/stripe/retry-events.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { absentStripe } from '../support/absent-stripe.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { event, invoice, packSession, subscription } from '../support/stripe-events.ts';
import { emptyBooks } from '../support/stored-books.ts';
import { listPrices } from '../support/worker-prices.ts';

/** Whatever is signed and can be stored is stored. */
let database: TestDatabase;
let ctx: Ctx;
let userId = '';
beforeAll(async () => {
  database = await createDatabase();
  ctx = { ...testCtx(database), stripe: absentStripe() };
});
afterAll(async () => {
  await assertBooksHold(database.pool);
  await database.drop();
});
beforeEach(async () => {
  await emptyBooks(database.pool);
  await listPrices(database.pool);
  userId = (await ensureUser(ctx, { externalId: 'u', email: null, emailVerified: false })).user.id;
});

const signer = new Stripe('sk_test_signer');
async function receive(sent: unknown) {
  const body = typeof sent === 'string' ? sent : JSON.stringify(sent);
  const signature = await signer.webhooks.generateTestHeaderStringAsync({
    payload: body,
    secret: ctx.config.stripe.webhookSecret,
  });
  return receiveStripeEvent(ctx, { body, signature });
}
const rows = async () => (await database.pool.query('select * from stripe_events')).rows;
const one = async () => {
  const [row, ...others] = await rows();
  expect(others).toEqual([]);
  return row;
};
const sale = () =>
  event('checkout.session.completed', packSession({ userId, pack: 'small' }), { id: 'evt_1' });

describe('the text', () => {
  test('is kept byte for byte, blanks, order, duplicate keys and large numbers with it', async () => {
    const body = `{ "type":"checkout.session.completed","id":"evt_0",
      "id":"evt_1", "created": 1790000000, "big": 90071992547409931234, "tiny": 1.50, "data": ${JSON.stringify(sale().data)} }`;
    expect(await receive(body)).toMatchObject({ eventId: 'evt_1', status: 'completed' });
    const { rows: kept } = await database.pool.query('select payload::text from stripe_events');
    expect(kept).toEqual([{ payload: body }]);
  });

  test('may begin with a byte order mark', async () => {
    expect(await receive(`\uFEFF${JSON.stringify(sale())}`)).toMatchObject({ status: 'completed' });
  });

  test('loses NUL and half surrogates alone, in keys and values', async () => {
    const sent = { ...sale(), note: 'a\0b\ud800c😀\\u0000', 'k\0ey\udfff': ['\\\0'] };
    expect(await receive(sent)).toMatchObject({ status: 'completed' });
    const { payload } = await one();
    expect(payload.note).toBe('a\uFFFDb\uFFFDc😀\\u0000');
    expect(payload['k\uFFFDey\uFFFD']).toEqual(['\\\uFFFD']);
    // Every part of it can be asked for in SQL.
    await database.pool.query("select payload::jsonb ->> 'note' from stripe_events");
  });

  test.each([501, 20_000, 120_000])(
    'nested %i deep is kept as one text, and can be tried again',
    async (depth) => {
      const deep = '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2);
      const body = JSON.stringify({ ...sale(), deep: 'HERE' }).replace('"HERE"', deep);
      expect(await receive(body)).toMatchObject({ status: 'completed' });
      expect(await readStoredEvent(ctx, { eventId: 'evt_1' })).toMatchObject({ payload: body });
      const lost = body
        .replace('evt_1', 'evt_2')
        .replaceAll(userId, 'nobody')
        .replace(/"id":"cs_\w+"/, '"id":"cs_9"');
      expect(await receive(lost)).toMatchObject({ status: 'failed', code: 'unknown_user' });
      await ensureUser(ctx, { externalId: 'nobody', email: null, emailVerified: false });
      expect(await retryEvent(ctx, { eventId: 'evt_2' })).toMatchObject({ status: 'completed' });
    },
  );
});

describe('the envelope', () => {
  test('of a thin event is skipped with that reason', async () => {
    const thin = {
      id: 'evt_thin',
      object: 'v2.core.event',
      type: 'v2.core.account.updated',
      created: '2026-11-21T12:00:00.123Z',
      livemode: false,
      related_object: { id: 'acct_1', type: 'v2.core.account', url: '/v2/core/accounts/acct_1' },
    };
    expect(await receive(thin)).toMatchObject({ status: 'skipped' });
    expect(await one()).toMatchObject({
      object_id: 'acct_1',
      stripe_created_at: new Date('2026-11-21T12:00:00Z'),
      payload: thin,
    });
  });

  test.each([undefined, null, '1790000000x', -1, 1e18, 1.5, {}])(
    'created at %j is as old as its receipt, and fails unless it is not read anyway',
    async (created) => {
      expect(await receive({ ...sale(), created })).toMatchObject({
        status: 'failed',
        code: 'unreadable',
      });
      const { stripe_created_at: at, received_at: received } = await one();
      expect(Math.abs(at - received)).toBeLessThan(5000);
      expect(await retryEvent(ctx, { eventId: 'evt_1' })).toMatchObject({ status: 'failed' });
      for (const type of ['charge.captured', 'product.deleted', '__proto__', 'constructor'])
        expect(await receive({ ...sale(), id: `evt_${type}`, type, created })).toMatchObject({
          status: 'skipped',
        });
    },
  );

  test('with an odd id is stored under one of its own, and is nobody else’s', async () => {
    const ids = [
      'evt_x',
      'evt_x\0',
      'evt_x\uFFFD',
      'evt_x\ud800',
      'evt_x\n',
      'evt_x'.padEnd(10_000, 'y'),
      'evt_x'.padEnd(10_001, 'y'),
    ];
    for (const id of ids) {
      const told = await receive({ ...sale(), id, type: 'charge.captured' });
      expect(told.status).toBe('skipped');
      // Each can be asked for over HTTP.
      expect(told.eventId).toMatch(/^[^\p{Cc}]{1,255}$/u);
      expect((await receive({ ...sale(), id, type: 'charge.captured' })).status).toBe('duplicate');
    }
    expect(await rows()).toHaveLength(ids.length);
  });

  test.each([
    '{',
    '',
    'null',
    '[]',
    '7',
    '"x"',
    '{"id":"evt_1"}',
    '{"type":"x","id":""}',
    '{"type":7,"id":"evt_1"}',
  ])('that is none (%s) is refused', async (body) => {
    await expect(receive(body || ' ')).rejects.toMatchObject({ code: 'invalid_payload' });
    expect(await rows()).toEqual([]);
  });
});

test.each([null, [], [{}], 7, 'x', true, undefined])(
  'an object that is %j fails clearly or is skipped, whatever the type',
  async (object) => {
    for (const type of [...eventTypes, 'charge.captured'])
      expect(['failed', 'skipped']).toContain(
        (await receive({ ...event(type, {}), data: { object } })).status,
      );
    for (const { status, error_code: code, waiting_for: waits } of await rows())
      if (status === 'failed') expect([code, waits.length]).toEqual(['unreadable', 1]);
  },
);

describe('numbers beyond counting', () => {
  const sold = () => ({
    userId,
    customer: 'cus_1',
    subscription: 'sub_1',
    price: 'price_plan_starter',
  });
  const nested = (object: Record<string, unknown>, list: string, fields: object) => {
    const { data } = object[list] as { data: object[] };
    return { ...object, [list]: { data: [{ ...data[0], ...fields }], has_more: false } };
  };

  test.each([2 ** 31, 2 ** 53, 2 ** 53 + 2, 1e21, 1e308, -1, 0.5])(
    '%d: a clear failure',
    async (n) => {
      const told = [
        await receive(event('invoice.paid', nested(invoice(sold()), 'lines', { quantity: n }))),
        await receive(
          event(
            'customer.subscription.updated',
            nested(subscription(sold()), 'items', { quantity: n }),
          ),
        ),
        await receive(
          event(
            'checkout.session.completed',
            packSession({ userId, pack: 'small' }, { amount_total: n < 0 || n % 1 ? n : -n }),
          ),
        ),
        await receive(
          event('refund.created', {
            id: 're_1',
            amount: n > 2 ** 52 || n < 1 ? n : -n,
            charge: 'ch_1',
          }),
        ),
      ];
      for (const { status } of told) expect(status).toBe('failed');
      const { rows: credits } = await database.pool.query('select credits_balance as n from users');
      expect(credits).toEqual([{ n: 500 }]);
    },
  );
});

test('any JSON that is signed is stored once, or is no event', async () => {
  const nasty = fc.oneof(
    fc.constantFrom(
      '\0',
      '\ud800',
      '\udc00\ud83d',
      '__proto__',
      'constructor',
      'x'.repeat(3000),
      '\\u0000',
      '\n',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const value = fc.oneof(
    { arbitrary: fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), weight: 2 },
    { arbitrary: nasty, weight: 2 },
    { arbitrary: fc.constantFrom(2 ** 31, 2 ** 53, -1, 1e300, 0.5, null), weight: 2 },
  );
  const whole = { ...invoice({ userId, price: 'price_plan_starter' }) };
  const template = fc.constantFrom<Record<string, unknown>>(
    whole,
    subscription({ userId, subscription: 'sub_1', price: 'price_plan_starter' }),
    packSession({ userId, pack: 'small' }),
    { id: 're_1', object: 'refund', amount: 5, charge: 'ch_1', status: 'succeeded' },
    { id: 'price_1', object: 'price', metadata: { rowloom_kind: 'plan', rowloom_key: 'k' } },
    { id: 'cus_1', object: 'customer', metadata: { user_id: userId } },
  );
  const object = fc.tuple(template, fc.nat(), value).map(([given, at, odd]) => ({
    ...given,
    [Object.keys(given)[at % Object.keys(given).length] ?? '']: odd,
  }));
  const envelope = fc.record(
    {
      id: fc.oneof(nasty, fc.uuid(), value),
      type: fc.oneof(
        { arbitrary: fc.constantFrom(...eventTypes), weight: 5 },
        { arbitrary: value, weight: 1 },
      ),
      created: fc.oneof(fc.integer({ min: 1_700_000_000, max: 1_800_000_000 }), value),
      data: fc.oneof(
        { arbitrary: object.map((each) => ({ object: each })), weight: 4 },
        { arbitrary: value, weight: 1 },
      ),
      api_version: value,
      account: fc.constantFrom(undefined, null),
    },
    { requiredKeys: ['type'] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof({ arbitrary: envelope, weight: 9 }, { arbitrary: value, weight: 1 }),
      async (sent) => {
        const json = JSON.parse(JSON.stringify(sent)) as { id?: unknown; type?: unknown } | null;
        const isText = (part: unknown) => typeof part === 'string' && part !== '';
        const isEvent = isText(json?.id) && isText(json?.type);
        const known = (await rows()).length;
        const told = await receive(JSON.stringify(sent)).catch((error: unknown) => error);
        if (!isEvent) {
          expect(told).toBeInstanceOf(DomainError);
          expect(told).toMatchObject({ code: 'invalid_payload' });
          expect(await rows()).toHaveLength(known);
          return;
        }
        expect(told).toHaveProperty('eventId');
        const { eventId, status } = told as Awaited<ReturnType<typeof receive>>;
        const { rows: stored } = await database.pool.query(
          'select status, error_code from stripe_events where event_id = $1',
          [eventId],
        );
        expect(stored).toHaveLength(1);
        if (status !== 'duplicate') expect(stored[0].status).toBe(status);
        // No error of ours hides behind what is stored.
        expect(stored[0].error_code).not.toBe('internal');
      },
    ),
    { numRuns: 250 },
  );
});
