import { beforeEach, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { dismissEvent } from '../../functions/stripe/dismiss-event.ts';
import { readStoredEvent } from '../../functions/stripe/list-events.ts';
import { purgePayloads } from '../../functions/stripe/purge-payloads.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { retryDueEvents, retryEvent, retryEvents } from '../../functions/stripe/retry-events.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { eachInbox } from '../support/each-inbox.ts';
import { sweepOn } from '../../functions/sweeps/sweeps.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { testCtx } from '../support/ctx.ts';
import type { TestDatabase } from '../support/database.ts';
import { event, packSession } from '../support/stripe-events.ts';

let database: TestDatabase;
let ctx: Ctx;
eachInbox((opened) => ({ database, ctx } = opened));
beforeEach(() => database.pool.query('delete from watermarks'));

const sql = (text: string, params: unknown[] = []) => database.pool.query(text, params);
const send = (sent: ReturnType<typeof event>, by = ctx) =>
  applyEvent(by, readEvent(sent) as StripeEvent);
/** A sale to a user who may sign up later. */
const sale = (id: string, userId = 'late') =>
  event('checkout.session.completed', packSession({ userId, pack: 'small' }, { id: `cs_${id}` }), {
    id: `evt_${id}`,
  });
const signUp = (externalId = 'late') =>
  ensureUser(ctx, { externalId, email: null, emailVerified: false });
const row = async (id: string) =>
  (await sql('select * from stripe_events where event_id = $1', [id])).rows[0];
const purchased = async () =>
  (await sql('select coalesce(sum(credits_purchased), 0)::int as n from users')).rows[0]
    .n as number;
const makeDue = () =>
  sql("update stripe_events set next_attempt_at = now() where status in ('failed', 'pending')");

describe('a wait', () => {
  test('always says for what', async () => {
    const objects: [string, object][] = [
      ['refund.created', { id: 're_1', object: 'refund' }],
      ['invoice.paid', { id: 'in_1', object: 'invoice', lines: 7 }],
      ['customer.subscription.updated', { object: 'subscription' }],
      [
        'charge.dispute.created',
        { id: 'dp_1', amount: 1, status: 'needs_response', charge: 'ch_9' },
      ],
      ['checkout.session.completed', packSession({ userId: 'u', pack: 'none' }, { id: 'cs_1' })],
      ['checkout.session.completed', packSession({ userId: 'u', pack: 'small' }, { id: 'cs_2' })],
      ['price.created', { id: 'price_9', metadata: { rowloom_kind: 'plan', rowloom_key: 'x' } }],
    ];
    for (const [type, object] of objects) await send(event(type, object));
    const { rows } = await sql('select type, status, object_id, waiting_for from stripe_events');
    expect(rows).toHaveLength(objects.length);
    for (const { type, status, object_id: id, waiting_for: waits } of rows) {
      expect.soft(status, type).toBe('failed');
      expect.soft(waits, type).not.toHaveLength(0);
      if (id !== null) expect.soft(waits, type).toContain(id);
    }
    expect(rows.map((each) => each.object_id)).toEqual(
      objects.map(([, object]) => (object as { id?: string }).id ?? null),
    );
  });

  test('ends when the books learn of its object otherwise', async () => {
    await send(sale('one'));
    await signUp();
    // Nobody tried the first one yet; another event about the session comes.
    await sql('update stripe_events set next_attempt_at = null');
    const other = { ...sale('one'), id: 'evt_other' };
    expect(await send(other)).toMatchObject({ status: 'completed', eventsDue: true });
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
    expect(await purchased()).toBe(500);
  });

  test('grows, and ends after three days: then what it waits for wakes it', async () => {
    await send(sale('one'));
    for (const minutes of [2, 4, 8, 16, 32, 64, 128, 256, 360, 360]) {
      await makeDue();
      expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 0 });
      const { next_attempt_at: next } = await row('evt_one');
      expect(Math.round((next.getTime() - Date.now()) / 60_000)).toBe(minutes);
    }
    await sql(
      "update stripe_events set received_at = now() - interval '67 hours', next_attempt_at = now()",
    );
    await retryDueEvents(ctx);
    expect(await row('evt_one')).toMatchObject({ status: 'failed', next_attempt_at: null });
    expect(await readStoredEvent(ctx, { eventId: 'evt_one' })).toMatchObject({
      nextAttemptAt: null,
      waitingFor: expect.arrayContaining(['late', 'cs_one']) as string[],
    });
    expect(await retryDueEvents(ctx)).toEqual({ tried: 0, completed: 0 });
    expect((await signUp()).eventsDue).toBe(1);
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
  });

  test('that ends while the event is being tried makes it due again at once', async () => {
    await send(sale('one'));
    await makeDue();
    // The user signs up after the try has looked for them, before it is stored as failed.
    const db = aroundCalls(ctx.db, async ({ args }, next) => {
      const isVerdict = 'verdict' in ((args['p'] as object | undefined) ?? {});
      if (isVerdict) await signUp();
      return next();
    });
    await retryDueEvents({ ...ctx, db });
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
    expect(await purchased()).toBe(500);
  });
});

test('a sweep goes on until nothing is due, also behind events that fail each time', async () => {
  for (let i = 0; i < 70; i += 1) await send(sale(`${i}`));
  await signUp();
  // Received long before the others, as the first page has them.
  const broken = Array.from({ length: 20 }, (_, i) => `evt_${i}`);
  await sql(
    "update stripe_events set next_attempt_at = now() - interval '1 day' where event_id = any($1)",
    [broken],
  );
  const db = aroundCalls(ctx.db, ({ name, args }, next) => {
    const { event: told } = (args['p'] ?? {}) as { event?: { id: string } };
    if (name === 'stripe_event_post' && broken.includes(told?.id ?? '')) throw new Error('broken');
    return next();
  });
  const swept = await sweepOn({ ...ctx, db }, { name: 'stripe_events' });
  expect(swept).toEqual({ name: 'stripe_events', worked: 70, isHandedOver: false });
  const { rows } = await sql(
    'select status, count(*)::int as n from stripe_events group by 1 order by 1',
  );
  expect(rows).toEqual([
    { status: 'completed', n: 50 },
    { status: 'failed', n: 20 },
  ]);
});

describe('two runs side by side', () => {
  test('never take the same event', async () => {
    for (let i = 0; i < 30; i += 1) await send(sale(`${i}`));
    await signUp();
    const tries: string[] = [];
    const counted = aroundCalls(ctx.db, ({ name, args }, next) => {
      const { event: told } = (args['p'] ?? {}) as { event?: { id: string } };
      if (name === 'stripe_event_post' && told) tries.push(told.id);
      return next();
    });
    const by = { ...ctx, db: counted };
    const runs = await Promise.all([
      retryDueEvents(by),
      retryDueEvents(by),
      retryEvents(by, { limit: 500 }),
      retryEvents(by, { limit: 500 }),
    ]);
    expect(runs.reduce((sum, { tried }) => sum + tried, 0)).toBe(30);
    expect(new Set(tries).size).toBe(30);
    const { rows } = await sql('select distinct status, attempts from stripe_events');
    expect(rows).toEqual([{ status: 'completed', attempts: 2 }]);
    expect(await purchased()).toBe(15_000);
  });

  test('one that is killed loses nothing: its events are due when the lease ends', async () => {
    for (let i = 0; i < 3; i += 1) await send(sale(`${i}`));
    await signUp();
    const never = new Promise<never>(() => undefined);
    const db = aroundCalls(ctx.db, ({ name }, next) =>
      name.startsWith('stripe') ? never : next(),
    );
    void retryDueEvents({ ...ctx, db });
    await expect.poll(async () => (await row('evt_2')).status).toBe('pending');
    expect(await retryDueEvents(ctx)).toEqual({ tried: 0, completed: 0 });
    expect(await retryEvent(ctx, { eventId: 'evt_1' })).toMatchObject({ status: 'pending' });
    const { rows } = await sql(
      "select next_attempt_at - now() < interval '6 minutes' as soon from stripe_events",
    );
    expect(rows).toEqual(Array.from({ length: 3 }, () => ({ soon: true })));
    await makeDue();
    expect(await retryDueEvents(ctx)).toEqual({ tried: 3, completed: 3 });
    expect(await purchased()).toBe(1500);
  });

  test('an account that stays busy holds up no other event', async () => {
    await send(sale('busy'));
    await send(sale('other'));
    await signUp();
    const db = aroundCalls(ctx.db, async ({ name, args }, next) => {
      const { event: told } = (args['p'] ?? {}) as { event?: { id: string } };
      if (name === 'stripe_event_post' && told?.id === 'evt_busy') {
        const refused = await ctx.db.rows(
          "do $x$ begin raise 'books_behind' using errcode = 'RL001'; end $x$",
        );
        return refused;
      }
      return next();
    });
    expect(await retryDueEvents({ ...ctx, db })).toEqual({ tried: 2, completed: 1 });
    expect(await row('evt_busy')).toMatchObject({ status: 'failed', error_code: 'busy' });
    await makeDue();
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
  });
});

describe('while Stripe is away', () => {
  const away = () => testCtx(database);

  test('what waits is put off with its own reason, and nothing is lost', async () => {
    await send(sale('one'));
    await signUp();
    expect(await retryDueEvents(away())).toEqual({ tried: 1, completed: 0 });
    expect(await readStoredEvent(ctx, { eventId: 'evt_one' })).toMatchObject({
      status: 'failed',
      errorCode: 'unknown_user',
      attempts: 2,
      waitingFor: expect.arrayContaining(['stripe', 'late', 'cs_one']) as string[],
      nextAttemptAt: expect.any(String) as string,
    });
    await makeDue();
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
    expect(await purchased()).toBe(500);
  });

  test('a run stops after three, and gives back what it did not try', async () => {
    for (let i = 0; i < 6; i += 1) await send(sale(`${i}`));
    await signUp();
    expect(await retryDueEvents(away())).toEqual({ tried: 3, completed: 0 });
    const { rows } = await sql(
      'select attempts, count(*)::int as n from stripe_events group by 1 order by 1',
    );
    expect(rows).toEqual([
      { attempts: 1, n: 3 },
      { attempts: 2, n: 3 },
    ]);
    await expect(retryEvents(away(), { limit: 10 })).rejects.toMatchObject({
      code: 'payment_provider_unavailable',
    });
    expect(await retryEvents(ctx, { limit: 10 })).toMatchObject({ completed: 6, remaining: 0 });
  });
});

describe('the payloads of events', () => {
  const days = (number: number) =>
    sql(`update stripe_events set received_at = received_at - interval '${number} days'`);
  /** One run announces what the next one removes. */
  const purgeTwice = async () =>
    (await purgePayloads(ctx)).purged + (await purgePayloads(ctx)).purged;
  const kept = async () =>
    (
      await sql('select event_id from stripe_events where payload is not null order by event_id')
    ).rows.map((each) => each.event_id as string);

  test('go 30 days after receipt, those of open events when these end', async () => {
    await signUp('ada');
    await send(sale('done', 'ada'));
    await send(sale('open'));
    await send(sale('closed', 'nobody'));
    await send(event('customer.created', { id: 'cus_1' }, { id: 'evt_skipped' }));
    await days(29);
    expect(await purgeTwice()).toBe(0);
    await days(2);
    await send(sale('fresh', 'ada'));
    expect(await purgeTwice()).toBe(2);
    expect(await kept()).toEqual(['evt_closed', 'evt_fresh', 'evt_open']);
    expect(await readStoredEvent(ctx, { eventId: 'evt_done' })).toMatchObject({
      status: 'completed',
      payload: null,
      payloadRemoved: true,
    });
    // A late duplicate is still one, and one that was open is applied and then gone at once.
    expect((await send(sale('done', 'ada'))).status).toBe('duplicate');
    await signUp();
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
    await dismissEvent(ctx, { eventId: 'evt_closed', reason: 'nobody' });
    expect(await kept()).toEqual(['evt_fresh']);
    expect(await purchased()).toBe(1500);
  });

  test('are removed in batches that go on where the last one stopped, however long ago', async () => {
    await signUp('ada');
    for (let i = 0; i < 7; i += 1) await send(sale(`${i}`, 'ada'));
    // Received in the same microsecond, they go together.
    await sql(
      "update stripe_events set received_at = now() - interval '40 days' where event_id < 'evt_3'",
    );
    await sql(
      "update stripe_events set received_at = now() - interval '35 days' where event_id >= 'evt_3'",
    );
    const purge = () => ctx.db.call('payloads_purge', { p_days: 30, p_limit: 2 });
    expect([await purge(), await purge(), await purge(), await purge()]).toEqual([0, 3, 4, 0]);
    expect(await kept()).toEqual([]);
  });

  test('of an event that ends between two runs is not left behind', async () => {
    await send(sale('open', 'nobody'));
    await days(31);
    await purgePayloads(ctx);
    await signUp('nobody');
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
    await purgePayloads(ctx);
    expect(await kept()).toEqual([]);
  });
});
