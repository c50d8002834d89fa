import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { DomainError } from '../../functions/errors.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { eventStats } from '../../functions/stripe/event-stats.ts';
import {
  listEvents,
  readStoredEvent,
  type EventStatus,
} from '../../functions/stripe/list-events.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { retryEvent, retryEvents } from '../../functions/stripe/retry-events.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { absentStripe } from '../support/absent-stripe.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { listPrices } from '../support/worker-prices.ts';
import { event, packSession } from '../support/stripe-events.ts';

let database: TestDatabase;
let ctx: ReturnType<typeof testCtx>;
const used: TestDatabase[] = [];

beforeEach(async () => {
  database = await createDatabase();
  used.push(database);
  ctx = { ...testCtx(database), stripe: absentStripe() };
});
afterAll(async () => {
  for (const each of used) {
    await assertBooksHold(each.pool);
    await each.drop();
  }
});

const send = (sent: ReturnType<typeof event>) => applyEvent(ctx, readEvent(sent) as StripeEvent);

const signUp = async (externalId = 'u-1') =>
  (
    await ensureUser(ctx, {
      externalId,
      email: `${externalId}@example.com`,
      emailVerified: true,
    })
  ).user;

const packBought = (id: string, userId: string, created = 1_790_000_000) =>
  event('checkout.session.completed', packSession({ userId, pack: 'small' }, { id: `cs_${id}` }), {
    id: `evt_${id}`,
    created,
  });

type Known = {
  id: string;
  type: string;
  status: EventStatus;
  /** How long ago it was received, and how long it took. */
  agoSeconds: number;
  tookMs?: number;
};

/** Rows as they would stand after a while, without the events' effects. */
async function store(rows: Known[]): Promise<void> {
  await database.pool.query(
    `insert into stripe_events (event_id, type, status, attempts, error_code, payload, stripe_created_at,
       received_at, processed_at, next_attempt_at)
     select id, type, status, 1, case when status = 'failed' then 'unknown_user' end, '{}',
         date_trunc('second', received), received, received + took_ms * interval '1 millisecond',
         case when status = 'failed' then now() + interval '6 hours' end
       from jsonb_to_recordset($1) as r (id text, type text, status text, ago_seconds numeric, took_ms integer),
         lateral (select now() - ago_seconds * interval '1 second') t (received)`,
    [
      JSON.stringify(
        rows.map(({ agoSeconds, tookMs, ...rest }) => ({
          ...rest,
          ago_seconds: agoSeconds,
          took_ms: tookMs ?? null,
        })),
      ),
    ],
  );
}

const statusOf = async (id: string) =>
  (
    await database.pool.query<{ status: string; attempts: number; payload: unknown }>(
      'select status, attempts, payload from stripe_events where event_id = $1',
      [id],
    )
  ).rows[0];

describe('the list', () => {
  test('goes from page to page without a gap, newest first, also where receipts are equal', async () => {
    const kinds: EventStatus[] = ['completed', 'skipped', 'failed'];
    await store(
      Array.from({ length: 23 }, (_, i) => ({
        id: `evt_${String(i).padStart(2, '0')}`,
        type: 'invoice.paid',
        status: kinds[i % 3] as EventStatus,
        // Microseconds apart, four to a moment.
        agoSeconds: 100 + Math.floor(i / 4) * 0.000_001,
        ...(i % 3 !== 2 && { tookMs: 5 }),
      })),
    );
    const expected = (
      await database.pool.query<{ event_id: string }>(
        'select event_id from stripe_events order by received_at desc, event_id desc',
      )
    ).rows.map((row) => row.event_id);
    const pages = async (status?: EventStatus) => {
      const seen: string[] = [];
      const sizes: number[] = [];
      let cursor: { receivedUs: string; eventId: string } | undefined;
      for (let page = 0; page < 10; page += 1) {
        const { items, nextCursor } = await listEvents(ctx, { status, limit: 5, cursor });
        seen.push(...items.map((item) => item.eventId));
        sizes.push(items.length);
        if (nextCursor === null) return { seen, sizes };
        const [receivedUs = '', eventId = ''] = nextCursor.split('~');
        cursor = { receivedUs, eventId };
      }
      throw new Error('The pages do not end.');
    };
    expect(await pages()).toEqual({ seen: expected, sizes: [5, 5, 5, 5, 3] });
    expect((await pages('failed')).seen).toEqual(
      expected.filter((id) => Number(id.slice(4)) % 3 === 2),
    );
    expect(await pages('pending')).toEqual({ seen: [], sizes: [0] });
  });

  test('shows everything about an event but its payload, which the event alone shows', async () => {
    const user = await signUp();
    await listPrices(database.pool);
    const good = packBought('good', user.id);
    const bad = packBought('bad', 'nobody');
    await send(good);
    await send(bad);
    const { items } = await listEvents(ctx, { limit: 10 });
    expect(items.map((item) => [item.eventId, item.status, item.userId, item.errorCode])).toEqual([
      ['evt_bad', 'failed', null, 'unknown_user'],
      ['evt_good', 'completed', user.id, null],
    ]);
    expect(items[0]).toMatchObject({
      type: 'checkout.session.completed',
      attempts: 1,
      error: 'No account has this user id, Stripe customer or e-mail address.',
      stripeCreatedAt: '2026-09-21T14:13:20.000Z',
      processedAt: null,
    });
    expect(items[0]?.nextAttemptAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    for (const item of items) expect(Object.keys(item)).not.toContain('payload');
    expect((await readStoredEvent(ctx, { eventId: 'evt_bad' })).payload).toEqual(bad);
    await expect(readStoredEvent(ctx, { eventId: 'evt_none' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('the numbers', () => {
  test('are right on known rows', async () => {
    const took = (type: string, status: EventStatus, times: number[]): Known[] =>
      times.map((tookMs, i) => ({
        id: `evt_${type}_${status}_${i}`,
        type,
        status,
        agoSeconds: 60 + i,
        tookMs,
      }));
    await store([
      ...took('invoice.paid', 'completed', [10, 20, 30, 40]),
      ...took('invoice.paid', 'skipped', [100]),
      { id: 'evt_f1', type: 'invoice.paid', status: 'failed', agoSeconds: 120 },
      { id: 'evt_p1', type: 'invoice.paid', status: 'pending', agoSeconds: 10 },
      ...took('refund.created', 'completed', [7]),
      { id: 'evt_f2', type: 'refund.failed', status: 'failed', agoSeconds: 3500 },
      { id: 'evt_old', type: 'invoice.paid', status: 'failed', agoSeconds: 7200 },
      { id: 'evt_done', type: 'invoice.paid', status: 'completed', agoSeconds: 9000, tookMs: 9000 },
    ]);
    const stats = await eventStats(ctx, { hours: 1 });
    expect(stats).toMatchObject({
      hours: 1,
      total: 9,
      byStatus: { completed: 5, skipped: 1, failed: 2, pending: 1, dismissed: 0 },
    });
    expect(stats.types).toEqual([
      {
        type: 'invoice.paid',
        count: 7,
        completed: 4,
        skipped: 1,
        failed: 1,
        pending: 1,
        dismissed: 0,
        // 5 of the 6 that came to an end; the pending one has not.
        successRate: 0.8333,
        p50Ms: 30,
        // percentile_cont over 10, 20, 30, 40, 100: 40 + 0.8 × 60.
        p95Ms: 88,
      },
      {
        type: 'refund.created',
        count: 1,
        completed: 1,
        skipped: 0,
        failed: 0,
        pending: 0,
        dismissed: 0,
        successRate: 1,
        p50Ms: 7,
        p95Ms: 7,
      },
      {
        type: 'refund.failed',
        count: 1,
        completed: 0,
        skipped: 0,
        failed: 1,
        pending: 0,
        dismissed: 0,
        successRate: 0,
        p50Ms: null,
        p95Ms: null,
      },
    ]);
    expect(stats.oldestUnprocessed).toMatchObject({ eventId: 'evt_old', type: 'invoice.paid' });
    expect(stats.oldestUnprocessed?.ageSeconds).toBeGreaterThanOrEqual(7200);
    expect(stats.oldestUnprocessed?.ageSeconds).toBeLessThan(7230);
    const { total, types } = await eventStats(ctx, { hours: 24 });
    expect([total, types[0]?.count]).toEqual([11, 9]);
  });

  test('of an empty inbox are zeros', async () => {
    expect(await eventStats(ctx, { hours: 24 })).toEqual({
      hours: 24,
      total: 0,
      byStatus: { completed: 0, skipped: 0, failed: 0, pending: 0, dismissed: 0 },
      types: [],
      oldestUnprocessed: null,
    });
  });
});

describe('retrying one', () => {
  test('applies a failed event at once when its cause is gone, once', async () => {
    const user = await signUp();
    await send(packBought('early', user.id));
    expect(await statusOf('evt_early')).toMatchObject({ status: 'failed' });
    expect(await retryEvent(ctx, { eventId: 'evt_early' })).toMatchObject({
      status: 'failed',
      attempts: 2,
      errorCode: 'unknown_price',
    });
    await listPrices(database.pool);
    expect(await retryEvent(ctx, { eventId: 'evt_early' })).toMatchObject({
      eventId: 'evt_early',
      status: 'completed',
      attempts: 3,
      errorCode: null,
      nextAttemptAt: null,
      userId: user.id,
    });
    const before = await statusOf('evt_early');
    expect(await retryEvent(ctx, { eventId: 'evt_early' })).toMatchObject({ status: 'duplicate' });
    expect(await statusOf('evt_early')).toEqual(before);
    const { rows } = await database.pool.query(
      "select amount from credit_entries where kind = 'pack'",
    );
    expect(rows).toEqual([{ amount: 500 }]);
  });

  test('applies a pending event, leaves a skipped one, and knows no other', async () => {
    const user = await signUp();
    await listPrices(database.pool);
    const waiting = packBought('waiting', user.id);
    await store([
      { id: 'evt_waiting', type: waiting.type, status: 'pending', agoSeconds: 60 },
      { id: 'evt_skipped', type: 'charge.captured', status: 'skipped', agoSeconds: 60, tookMs: 1 },
    ]);
    await database.pool.query(
      "update stripe_events set payload = $1 where event_id = 'evt_waiting'",
      [JSON.stringify(waiting)],
    );
    expect((await retryEvent(ctx, { eventId: 'evt_waiting' })).status).toBe('completed');
    expect((await retryEvent(ctx, { eventId: 'evt_skipped' })).status).toBe('duplicate');
    await expect(retryEvent(ctx, { eventId: 'evt_none' })).rejects.toMatchObject({
      code: 'not_found',
    });
    const { rows } = await database.pool.query('select credits_balance from users');
    expect(rows).toEqual([{ credits_balance: 1000 }]);
  });

  test('of twenty at once, grants once', async () => {
    const user = await signUp();
    await send(packBought('raced', user.id));
    await listPrices(database.pool);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => retryEvent(ctx, { eventId: 'evt_raced' })),
    );
    const statuses = outcomes.map((outcome) => outcome.status).sort();
    // The others met it while it was being tried, or after.
    expect(statuses.filter((status) => status === 'completed')).toHaveLength(1);
    expect(new Set(statuses)).not.toContain('failed');
    const { rows } = await database.pool.query('select credits_purchased from users');
    expect(rows).toEqual([{ credits_purchased: 500 }]);
  });
});

describe('retrying all', () => {
  /** Six sales before the catalogue, which comes then: three to a user, three to nobody. */
  async function failedOnes() {
    const user = await signUp();
    for (let i = 0; i < 6; i += 1) {
      await send(packBought(`${i}`, i % 2 === 0 ? user.id : 'nobody', 1_790_000_000 + i));
      // Far in the future, so that only an operator gets at them.
      await database.pool.query(
        "update stripe_events set next_attempt_at = now() + interval '5 hours' where event_id = $1",
        [`evt_${i}`],
      );
    }
    await listPrices(database.pool);
    return user;
  }

  test('a poison event holds up none of the good ones', async () => {
    await failedOnes();
    // One whose payload is nothing, one that breaks the call itself, each older than the rest.
    await store([
      { id: 'evt_empty', type: 'refund.created', status: 'failed', agoSeconds: 9e7 },
      { id: 'evt_throws', type: 'refund.created', status: 'failed', agoSeconds: 9.1e7 },
    ]);
    const db = aroundCalls(ctx.db, async ({ args }, next) => {
      if ((args['p_event'] as { id?: string } | undefined)?.id === 'evt_throws')
        throw new TypeError('poison');
      return next();
    });
    expect(await retryEvents({ ...ctx, db }, { limit: 500 })).toEqual({
      tried: 8,
      completed: 3,
      failed: 5,
      remaining: 5,
    });
    expect(await statusOf('evt_empty')).toMatchObject({ status: 'failed', attempts: 2 });
    const { rows } = await database.pool.query(
      "select source_id from credit_entries where kind = 'pack' order by id",
    );
    expect(rows.map((row: { source_id: string }) => row.source_id)).toEqual([
      'cs_0',
      'cs_2',
      'cs_4',
    ]);
    expect(await retryEvents(ctx, { limit: 500 })).toEqual({
      tried: 5,
      completed: 0,
      failed: 5,
      remaining: 5,
    });
    expect(JSON.stringify(ctx.lines)).not.toContain('@');
  });

  test('is bounded, and calls that follow reach what stands behind those that cannot succeed', async () => {
    await failedOnes();
    await store(
      Array.from({ length: 4 }, (_, i) => ({
        id: `evt_poison_${i}`,
        type: 'refund.created',
        status: 'failed',
        agoSeconds: 9e7,
      })),
    );
    const runs = [];
    for (let i = 0; i < 3; i += 1) runs.push(await retryEvents(ctx, { limit: 4 }));
    expect(runs).toEqual([
      { tried: 4, completed: 0, failed: 4, remaining: 10 },
      { tried: 4, completed: 2, failed: 2, remaining: 8 },
      { tried: 4, completed: 1, failed: 3, remaining: 7 },
    ]);
  });

  test('takes more than one batch, and stops when time is up', async () => {
    const user = await signUp();
    for (let i = 0; i < 60; i += 1) await send(packBought(`b${i}`, user.id, 1_790_000_000 + i));
    await listPrices(database.pool);
    let reads = 0;
    const slow = { ...ctx, now: () => new Date((reads += 1) * 1_000) };
    const first = await retryEvents(slow, { limit: 500 });
    const { tried } = first;
    expect(first).toEqual({ tried, completed: tried, failed: 0, remaining: 60 - tried });
    expect(tried).toBeGreaterThan(0);
    expect(tried).toBeLessThan(25);
    const rest = { tried: 60 - tried, completed: 60 - tried, failed: 0, remaining: 0 };
    expect(await retryEvents(ctx, { limit: 500 })).toEqual(rest);
    const { rows } = await database.pool.query('select credits_purchased from users');
    expect(rows).toEqual([{ credits_purchased: 30_000 }]);
  });

  test('gives up when the database does not answer, and loses nothing', async () => {
    await failedOnes();
    let calls = 0;
    const call = () => {
      calls += 1;
      return Promise.reject(new DomainError('service_unavailable'));
    };
    await expect(
      retryEvents({ ...ctx, db: { ...ctx.db, call } }, { limit: 500 }),
    ).rejects.toMatchObject({ code: 'service_unavailable' });
    // Three events, then giving back those that were not tried.
    expect(calls).toBe(4);
    // The lease gives them back by itself.
    expect((await retryEvents(ctx, { limit: 500 })).tried).toBe(0);
    await database.pool.query('update stripe_events set next_attempt_at = now()');
    expect((await retryEvents(ctx, { limit: 500 })).completed).toBe(3);
  });
});
