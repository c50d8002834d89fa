import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import { readStanding } from '../../functions/ledger/standing.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { retryDueEvents } from '../../functions/stripe/retry-events.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { absentStripe } from '../support/absent-stripe.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  event,
  invoice,
  olderInvoice,
  packSession,
  planSession,
  subscription,
  type Sale,
} from '../support/stripe-events.ts';

let database: TestDatabase;
let ctx: Ctx & { lines: Record<string, unknown>[] };
const used: TestDatabase[] = [];

beforeEach(async () => {
  database = await createDatabase();
  used.push(database);
  ctx = { ...testCtx(database), stripe: absentStripe() };
  await database.pool.query(`
    insert into stripe_prices (price_id, product_id, kind, key, name, credits, trial_credits, interval, amount_cents, currency, listed)
    values ('price_starter', 'p1', 'plan', 'starter', 'Starter', 1000, 0, 'month', 1900, 'usd', true),
           ('price_growth', 'p2', 'plan', 'growth', 'Growth', 5000, 100, 'month', 7900, 'usd', true),
           ('price_unlimited', 'p3', 'plan', 'unlimited', 'Unlimited', null, 0, 'month', 99900, 'usd', true),
           ('price_small', 'p4', 'pack', 'small', 'Small', 500, 0, null, 1500, 'usd', true)`);
});
afterAll(async () => {
  for (const each of used) {
    await assertBooksHold(each.pool);
    await each.drop();
  }
});

const signUp = async (externalId = 'u-1', email = `${externalId}@example.com`) =>
  (await ensureUser(ctx, { externalId, email, emailVerified: true })).user;

const send = (sent: ReturnType<typeof event>) => applyEvent(ctx, readEvent(sent) as StripeEvent);

async function balance(externalId = 'u-1') {
  const { rows } = await database.pool.query<Record<string, number>>(
    `select credits_balance as balance, credits_plan as plan, credits_bonus as bonus, credits_purchased as purchased
       from users where external_id = $1`,
    [externalId],
  );
  return rows[0];
}

const stored = async (eventId: string) =>
  (
    await database.pool.query<Record<string, unknown>>(
      'select status, attempts, error_code, error, next_attempt_at from stripe_events where event_id = $1',
      [eventId],
    )
  ).rows[0];

const month = 30 * 86_400;
const start = 1_790_000_000;
const sale = (userId?: string): Sale => ({
  userId,
  customer: 'cus_1',
  subscription: 'sub_1',
  price: 'price_starter',
  periodStart: start,
});

/** What Stripe sends for a first subscription, in the order it was once seen. */
const firstSubscription = (userId: string) => {
  const of = sale(userId);
  const paid = invoice(of);
  return [
    event('customer.subscription.created', subscription(of, { status: 'incomplete' }), {
      created: start,
    }),
    event('customer.subscription.updated', subscription(of), { created: start }),
    event('invoice.paid', paid, { created: start }),
    event('invoice.payment_succeeded', paid, { created: start }),
    event('checkout.session.completed', planSession(of), { created: start }),
  ];
};

const permutations = <T>(items: T[]): T[][] =>
  items.length <= 1
    ? [items]
    : items.flatMap((item, i) =>
        permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]),
      );

describe('a first subscription', () => {
  test('sets the balance to the plan, once, under every event that says so', async () => {
    const user = await signUp();
    for (const each of firstSubscription(user.id))
      expect((await send(each)).status).toBe('completed');
    expect(await balance()).toEqual({ balance: 1000, plan: 1000, bonus: 0, purchased: 0 });
    const { rows } = await database.pool.query(
      'select kind, amount from credit_entries order by id',
    );
    expect(rows).toEqual([
      { kind: 'signup', amount: 500 },
      { kind: 'plan_grant', amount: 500 },
    ]);
  });

  test('ends the same in all 120 orders, with each event sent twice', async () => {
    const outcomes = new Set<string>();
    let n = 0;
    for (const order of permutations([0, 1, 2, 3, 4])) {
      n += 1;
      const user = await signUp(`p-${n}`);
      const story = firstSubscription(user.id).map((each) => {
        const text = JSON.stringify(each)
          .replaceAll('sub_1', `sub_${n}`)
          .replaceAll('cus_1', `cus_${n}`);
        return JSON.parse(text) as ReturnType<typeof event>;
      });
      for (const i of [...order, ...order]) await send(story[i] as ReturnType<typeof event>);
      const { rows } = await database.pool.query<Record<string, unknown>>(
        `select s.status, s.plan, u.credits_plan, u.credits_balance, u.stripe_customer_id = $2 as linked,
           (select count(*)::int from credit_entries e where e.user_id = u.id) as entries
         from users u join subscriptions s on s.user_id = u.id where u.id = $1`,
        [user.id, `cus_${n}`],
      );
      outcomes.add(JSON.stringify(rows));
    }
    expect(n).toBe(120);
    expect([...outcomes].map((text) => JSON.parse(text) as unknown)).toEqual([
      [
        {
          status: 'active',
          plan: 'starter',
          credits_plan: 1000,
          credits_balance: 1000,
          linked: true,
          entries: 2,
        },
      ],
    ]);
  }, 60_000);

  test('reads the shapes from before "basil" as well', async () => {
    const user = await signUp();
    expect((await send(event('invoice.paid', olderInvoice(sale(user.id))))).status).toBe(
      'completed',
    );
    expect(await balance()).toMatchObject({ plan: 1000 });
  });

  test('an unlimited plan grants no number', async () => {
    const user = await signUp();
    await send(event('invoice.paid', invoice({ ...sale(user.id), price: 'price_unlimited' })));
    expect((await readStanding(ctx, user.id)).plan).toMatchObject({ credits: null });
    expect(await balance()).toMatchObject({ balance: 500 });
  });
});

describe('a renewal', () => {
  test('resets to the plan; unused credits lapse', async () => {
    const user = await signUp();
    for (const each of firstSubscription(user.id)) await send(each);
    await send(
      event('checkout.session.completed', packSession({ userId: user.id, pack: 'small' })),
    );
    const renewed = invoice(
      { ...sale(user.id), periodStart: start + month },
      { billing_reason: 'subscription_cycle' },
    );
    await send(event('invoice.paid', renewed, { created: Math.ceil(Date.now() / 1000) + 5 }));
    expect(await balance()).toEqual({ balance: 1000, plan: 1000, bonus: 0, purchased: 0 });
  });

  test('keep-purchased leaves packs alone', async () => {
    ctx = testCtx(database, { CREDIT_RENEWAL: 'keep-purchased' });
    const user = await signUp();
    await send(
      event('checkout.session.completed', packSession({ userId: user.id, pack: 'small' })),
    );
    for (const each of firstSubscription(user.id)) await send(each);
    expect(await balance()).toEqual({ balance: 1500, plan: 1000, bonus: 0, purchased: 500 });
  });

  test('a late invoice of an older period does not reset the newer one', async () => {
    const user = await signUp();
    const second = invoice(
      { ...sale(user.id), periodStart: start + month },
      { billing_reason: 'subscription_cycle' },
    );
    await send(event('invoice.paid', second));
    await adjustCredits(ctx, { user: user.id, amount: -300, reason: 'spent' });
    expect((await send(event('invoice.paid', invoice(sale(user.id))))).status).toBe('completed');
    expect(await balance()).toMatchObject({ plan: 700 });
  });
});

describe('a pack', () => {
  test('adds its credits times the quantity, once, under any event id', async () => {
    const user = await signUp();
    const session = packSession({ userId: user.id, pack: 'small', quantity: 3 });
    expect((await send(event('checkout.session.completed', session))).status).toBe('completed');
    expect((await send(event('checkout.session.completed', session))).status).toBe('completed');
    expect((await send(event('checkout.session.async_payment_succeeded', session))).status).toBe(
      'completed',
    );
    expect(await balance()).toEqual({ balance: 2000, plan: 0, bonus: 500, purchased: 1500 });
  });

  test('is granted when the money comes, not when the session completes', async () => {
    const user = await signUp();
    const session = packSession({ userId: user.id, pack: 'small' }, { payment_status: 'unpaid' });
    expect((await send(event('checkout.session.completed', session))).status).toBe('skipped');
    expect(await balance()).toMatchObject({ purchased: 0 });
    await send(
      event('checkout.session.async_payment_succeeded', { ...session, payment_status: 'paid' }),
    );
    expect(await balance()).toMatchObject({ purchased: 500 });
  });

  test('fifty at once all count', async () => {
    const user = await signUp();
    const sessions = Array.from({ length: 50 }, () =>
      packSession({ userId: user.id, pack: 'small' }),
    );
    await Promise.all(
      sessions.flatMap((session) => [
        send(event('checkout.session.completed', session)),
        send(event('checkout.session.completed', session)),
      ]),
    );
    expect(await balance()).toMatchObject({ purchased: 25_000 });
  });
});

describe('nothing is granted on', () => {
  test.each(['open', 'void', 'draft', 'uncollectible'])('an invoice that is %s', async (status) => {
    const user = await signUp();
    const sent = await send(event('invoice.paid', invoice(sale(user.id), { status })));
    expect(sent.status).not.toBe('failed');
    expect(await balance()).toMatchObject({ balance: 500 });
  });

  test('a trial without trial credits, which takes nothing either', async () => {
    const user = await signUp();
    const trial = invoice(sale(user.id), { total: 0, subtotal: 0, amount_paid: 0 });
    for (const line of (trial['lines'] as { data: { amount: number }[] }).data) line.amount = 0;
    expect((await send(event('invoice.paid', trial))).status).toBe('completed');
    expect(await balance()).toMatchObject({ balance: 500, plan: 0 });
  });

  test('events of other kinds, which are kept all the same', async () => {
    const other = event('customer.tax_id.created', { id: 'txi_1' });
    expect((await send(other)).status).toBe('skipped');
    expect(await stored(other.id)).toMatchObject({ status: 'skipped', attempts: 1 });
  });

  test('an event that has been handled', async () => {
    const user = await signUp();
    const paid = event('invoice.paid', invoice(sale(user.id)));
    const statuses = await Promise.all(Array.from({ length: 8 }, () => send(paid)));
    expect(statuses.map(({ status }) => status).toSorted()).toEqual([
      'completed',
      ...Array<string>(7).fill('duplicate'),
    ]);
  });
});

describe('what cannot be applied is kept, says why, and heals', () => {
  test('payment before sign-up', async () => {
    const paid = event(
      'checkout.session.completed',
      packSession({ email: 'New@Example.com', pack: 'small' }),
    );
    expect(await send(paid)).toMatchObject({ status: 'failed', code: 'unknown_user' });
    expect(await stored(paid.id)).toMatchObject({
      status: 'failed',
      error_code: 'unknown_user',
      attempts: 1,
    });
    expect(await retryDueEvents(ctx)).toEqual({ tried: 0, completed: 0 });
    await signUp('late', 'new@example.com');
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
    expect(await balance('late')).toMatchObject({ purchased: 500 });
    expect(await stored(paid.id)).toMatchObject({
      status: 'completed',
      attempts: 2,
      error_code: null,
      next_attempt_at: null,
    });
  });

  test('an unknown price, until it is in the catalogue', async () => {
    const user = await signUp();
    const paid = event('invoice.paid', invoice({ ...sale(user.id), price: 'price_new' }));
    expect(await send(paid)).toMatchObject({ status: 'failed', code: 'unknown_price' });
    expect((await stored(paid.id))?.['error']).toMatch(/price_new.*stripe:setup/);
    expect(await balance()).toMatchObject({ balance: 500 });
    await database.pool.query(
      `insert into stripe_prices (price_id, product_id, kind, key, name, credits, interval, amount_cents, currency)
         values ('price_new', 'p', 'plan', 'new', 'New', 70, 'month', 1, 'usd')`,
    );
    await database.pool.query('update stripe_events set next_attempt_at = now()');
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
    expect(await balance()).toMatchObject({ balance: 70 });
  });

  test.each([
    ['no pack', {}],
    ['a placeholder for a pack', { pack: 'undefined' }],
    ['a quantity that is none', { pack: 'small', quantity: '-3' }],
  ])('a session with %s', async (_, metadata) => {
    const user = await signUp();
    const session = packSession(
      { userId: user.id },
      { metadata: { user_id: user.id, ...metadata }, line_items: { data: [] } },
    );
    expect(await send(event('checkout.session.completed', session))).toMatchObject({
      status: 'failed',
      code: 'missing_metadata',
    });
    expect(await balance()).toMatchObject({ balance: 500 });
  });

  test('a payload of an unexpected shape', async () => {
    expect(
      await applyEvent(
        ctx,
        readEvent({ id: 'evt_x', type: 'invoice.paid', created: 1, data: null }) as StripeEvent,
      ),
    ).toMatchObject({ status: 'failed', code: 'unreadable' });
    const odd = event('customer.subscription.updated', { id: 'sub_x', items: 7 });
    expect(await send(odd)).toMatchObject({ status: 'failed', code: 'unreadable' });
  });

  test('a failed event does not hold up others, and is tried ever later', async () => {
    const lost = event(
      'checkout.session.completed',
      packSession({ email: 'nobody@example.com', pack: 'small' }),
    );
    await send(lost);
    for (const minutes of [2, 4, 8]) {
      await database.pool.query('update stripe_events set next_attempt_at = now()');
      await retryDueEvents(ctx);
      const next = (await stored(lost.id))?.['next_attempt_at'] as Date;
      expect(Math.round((next.getTime() - Date.now()) / 60_000)).toBe(minutes);
    }
  });
});

describe('the user of an event', () => {
  test.each([
    ['our id', (id: string) => ({ userId: id })],
    ['the external id', () => ({ userId: 'u-1' })],
    ['the customer', () => ({ customer: 'cus_known' })],
    ['the e-mail in another case', () => ({ email: 'U-1@EXAMPLE.com' })],
    ['the e-mail behind a placeholder', () => ({ userId: 'undefined', email: 'u-1@example.com' })],
    ['the customer behind <email>', () => ({ userId: '<email>', customer: 'cus_known' })],
  ])('is found by %s', async (_, of) => {
    const user = await signUp();
    await signUp('someone-else');
    await database.pool.query("update users set stripe_customer_id = 'cus_known' where id = $1", [
      user.id,
    ]);
    const session = packSession({ pack: 'small', ...of(user.id) });
    expect((await send(event('checkout.session.completed', session))).status).toBe('completed');
    expect(await balance()).toMatchObject({ purchased: 500 });
  });

  test('is nobody when two accounts share the e-mail', async () => {
    await ensureUser(ctx, { externalId: 'a', email: 'two@example.com', emailVerified: true });
    await ensureUser(ctx, { externalId: 'b', email: 'two@example.com', emailVerified: true });
    const session = packSession({ email: 'two@example.com', pack: 'small' });
    expect(await send(event('checkout.session.completed', session))).toMatchObject({
      status: 'failed',
      code: 'ambiguous_user',
    });
  });
});

describe('a subscription', () => {
  test('that has ended stays ended, and entitles to nothing', async () => {
    const user = await signUp();
    for (const each of firstSubscription(user.id)) await send(each);
    const ended = subscription(sale(user.id), { status: 'canceled', ended_at: start + 100 });
    await send(event('customer.subscription.deleted', ended, { created: start + 100 }));
    await send(
      event('customer.subscription.updated', subscription(sale(user.id)), { created: start + 100 }),
    );
    const { rows } = await database.pool.query(
      'select s.status, u.credits_balance from subscriptions s join users u on u.id = s.user_id',
    );
    expect(rows).toEqual([{ status: 'canceled', credits_balance: 1000 }]);
  });

  test('cancelled at the period end says when', async () => {
    const user = await signUp();
    for (const each of firstSubscription(user.id)) await send(each);
    const cancelled = subscription(sale(user.id), { cancel_at_period_end: true });
    await send(event('customer.subscription.updated', cancelled, { created: start + 5 }));
    const { rows } = await database.pool.query(
      'select status, cancel_at = current_period_end as at_end from subscriptions',
    );
    expect(rows).toEqual([{ status: 'active', at_end: true }]);
  });
});

test('a log line about a failed event holds no address', async () => {
  await send(
    event(
      'checkout.session.completed',
      packSession({ email: 'secret@example.com', pack: 'small' }),
    ),
  );
  expect(ctx.lines).toEqual([
    expect.objectContaining({
      event: 'stripe_event_failed',
      type: 'checkout.session.completed',
      code: 'unknown_user',
    }),
  ]);
  expect(JSON.stringify(ctx.lines)).not.toContain('secret');
});

test('characters that Postgres cannot store do not lose an event', async () => {
  const user = await signUp();
  const session = packSession({ userId: user.id, pack: 'small' });
  const odd = event('checkout.session.completed', { ...session, note: 'a\0b \ud800 c' });
  expect((await send(odd)).status).toBe('completed');
  expect(await balance()).toMatchObject({ purchased: 500 });
});

test('a sign-up makes due what waited for it, and nothing else', async () => {
  const waits = (email: string) =>
    send(event('checkout.session.completed', packSession({ email, pack: 'small' })));
  await waits('One@example.com');
  await waits('two@example.com');
  const { eventsDue } = await ensureUser(ctx, {
    externalId: 'one',
    email: 'one@example.com',
    emailVerified: true,
  });
  expect(eventsDue).toBe(1);
  expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
});
