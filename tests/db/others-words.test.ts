import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { retryDueEvents } from '../../functions/stripe/retry-events.ts';
import { bringUpToDate } from '../../functions/ledger/due.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { eachInbox } from '../support/each-inbox.ts';
import { aroundCalls } from '../support/around-calls.ts';
import type { TestDatabase } from '../support/database.ts';
import { emptyBooks } from '../support/stored-books.ts';
import {
  event,
  invoice,
  packSession,
  planSession,
  subscription,
} from '../support/stripe-events.ts';
import { listPrices, priceIdOf } from '../support/worker-prices.ts';

/** What others write into a Stripe account that several products share, and what arrives before its cause. */

let database: TestDatabase;
let ctx: Ctx;
eachInbox((opened) => ({ database, ctx } = opened));

const sql = (text: string, params: unknown[] = []) => database.pool.query(text, params);
const send = (type: string, object: object, id?: string) =>
  applyEvent(ctx, readEvent(event(type, object, id === undefined ? {} : { id })) as StripeEvent);
const signUp = async (externalId: string, email: string | null = null) =>
  (await ensureUser(ctx, { externalId, email, emailVerified: email !== null })).user.id;
const statusOf = async (id: string) =>
  (
    await sql(
      'select status, next_attempt_at <= now() as due from stripe_events where event_id = $1',
      [id],
    )
  ).rows[0];

describe('another shop numbers its users, as our sign-up does', () => {
  const theirs = { customer: 'cus_theirs', subscription: 'sub_theirs', price: 'price_theirs' };
  const lines = { object: 'list', data: [{ price: { id: 'price_theirs' }, quantity: 1 }] };
  const metadata = { user_id: '10' };
  const told: [string, object][] = [
    ['customer.created', { id: 'cus_theirs', object: 'customer', metadata }],
    ['customer.updated', { id: 'cus_theirs', object: 'customer', metadata }],
    ['checkout.session.completed', planSession({ ...theirs, userId: '10' }, { line_items: lines })],
    [
      'checkout.session.completed',
      packSession({ ...theirs, userId: '10' }, { line_items: lines, client_reference_id: null }),
    ],
    ['customer.subscription.created', subscription({ ...theirs, userId: '10' })],
    ['invoice.paid', invoice({ ...theirs, userId: '10' })],
    ['invoice.payment_failed', invoice({ ...theirs, userId: '10' }, { status: 'open' })],
    [
      'invoice.finalization_failed',
      invoice(
        { ...theirs, userId: '10' },
        { status: 'draft', lines: { object: 'list', data: [], has_more: true } },
      ),
    ],
  ];

  test.each([
    ['and nobody here has the number', 'ada'],
    ['and somebody here has the same', '10'],
  ])('%s: nothing is linked, nothing waits', async (_name, externalId) => {
    await signUp(externalId);
    for (const [type, object] of told)
      expect.soft(await send(type, object), type).toMatchObject({ status: 'skipped' });
    expect((await sql('select customer_id from stripe_customers')).rows).toEqual([]);
    expect((await sql('select stripe_customer_id as id from users')).rows).toEqual([{ id: null }]);
  });
});

test('the external id in the metadata of a customer of ours names its account', async () => {
  await signUp('10');
  const price = priceIdOf('plan', 'starter');
  const link = { customer: 'cus_own', subscription: 'sub_own', price };
  expect(await send('invoice.paid', invoice(link), 'evt_i')).toMatchObject({
    code: 'unknown_user',
  });
  const customer = { id: 'cus_own', object: 'customer', metadata: { user_id: '10' } };
  expect(await send('customer.updated', customer)).toMatchObject({ eventsDue: true });
  expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
  expect((await sql('select credits_plan, stripe_customer_id from users')).rows).toEqual([
    { credits_plan: 1000, stripe_customer_id: 'cus_own' },
  ]);
});

describe('a customer that is deleted', () => {
  test('was the account’s own, whenever that is heard', async () => {
    const came: unknown[] = [];
    for (const isLast of [true, false]) {
      await emptyBooks(database.pool);
      await listPrices(database.pool);
      const userId = await signUp('ada');
      const customer = { id: 'cus_own', object: 'customer', metadata: { user_id: userId } };
      const made = ['customer.created', customer] as const;
      const gone = ['customer.deleted', { ...customer, deleted: true }] as const;
      for (const [type, object] of isLast ? [made, gone] : [gone, made]) await send(type, object);
      const price = priceIdOf('plan', 'starter');
      const link = { customer: 'cus_other', subscription: 'sub_other', price };
      await send('checkout.session.completed', {
        ...planSession(link, { line_items: { data: [{ price: { id: price } }] } }),
        client_reference_id: userId,
      });
      await send('invoice.paid', invoice(link, { id: 'in_other' }));
      await bringUpToDate(ctx, userId);
      const { rows } = await sql(
        `select u.credits_plan, u.credits_bonus, u.credits_purchased, u.stripe_customer_id,
            (select array_agg(kind) from notices where closed_at is null) as notices from users u`,
      );
      came.push(rows);
    }
    expect(came[1]).toEqual(came[0]);
    expect(came[0]).toMatchObject([{ stripe_customer_id: null, notices: ['unlinked_payment'] }]);
  });
});

test('of two customers of an account, the one that is left takes the place of one that is gone', async () => {
  const userId = await signUp('ada');
  const metadata = { user_id: userId };
  for (const id of ['cus_1', 'cus_2', 'cus_3'])
    await send('customer.created', { id, object: 'customer', metadata });
  const price = priceIdOf('plan', 'starter');
  await send(
    'customer.subscription.created',
    subscription({ customer: 'cus_3', subscription: 'sub_3', price, userId }),
  );
  const linked: unknown[] = [];
  for (const id of ['cus_1', 'cus_3', 'cus_2']) {
    await send('customer.deleted', { id, object: 'customer', deleted: true, metadata });
    linked.push((await sql('select stripe_customer_id as id from users')).rows[0].id);
  }
  expect(linked).toEqual(['cus_3', 'cus_2', null]);
});

test('a long invoice of another product, failed or voided, is no subscription of the account', async () => {
  const userId = await signUp('ada');
  const customer = { id: 'cus_own', object: 'customer', metadata: { user_id: userId } };
  await send('customer.created', customer);
  const stripe = new Stripe('sk_test_lines', {
    maxNetworkRetries: 0,
    httpClient: Stripe.createFetchHttpClient(() =>
      Promise.resolve(
        Response.json({
          object: 'list',
          data: [{ id: 'il_1', object: 'line_item', amount: 1, quantity: 1 }],
          has_more: false,
        }),
      ),
    ),
  });
  const sale = { customer: 'cus_own', subscription: 'sub_theirs', price: 'price_theirs' };
  const lines = { object: 'list', data: [], has_more: true };
  for (const [type, status] of [
    ['invoice.payment_failed', 'open'],
    ['invoice.voided', 'void'],
  ] as const) {
    const sent = event(type, invoice(sale, { status, lines }));
    const told = await applyEvent({ ...ctx, stripe }, readEvent(sent) as StripeEvent);
    expect.soft(told, type).toMatchObject({ status: 'skipped' });
  }
  expect((await sql('select * from subscriptions')).rows).toEqual([]);
});

test('a customer who becomes known while somebody’s choice of theirs is told is theirs at once', async () => {
  const chosen = await signUp('ada');
  const known = await signUp('other');
  const price = priceIdOf('plan', 'starter');
  const sale = { customer: 'cus_1', subscription: 'sub_1', price };
  const session = planSession(sale, { line_items: { data: [{ price: { id: price } }] } });
  const sent = event('checkout.session.completed', { ...session, client_reference_id: chosen });
  let times = 0;
  const db = aroundCalls(ctx.db, async ({ name }, next) => {
    if (name === 'stripe_event_post_fold' && (times += 1) === 1)
      await send('customer.updated', {
        id: 'cus_1',
        object: 'customer',
        metadata: { user_id: known },
      });
    return next();
  });
  expect(await applyEvent({ ...ctx, db }, readEvent(sent) as StripeEvent)).toMatchObject({
    status: 'completed',
  });
  const { rows } = await sql("select user_id from credit_facts where key = 'customer:cus_1'");
  expect(rows).toEqual([{ user_id: known }]);
});

describe('what a payment waits for wakes it', () => {
  const asleep = () =>
    sql("update stripe_events set next_attempt_at = null where status = 'failed'");

  test('one of two accounts of an address takes another', async () => {
    const email = 'ada@example.com';
    await signUp('ada', email);
    await signUp('other', email);
    const lines = { data: [{ price: { id: priceIdOf('pack', 'small') }, quantity: 1 }] };
    const session = packSession({ email }, { line_items: lines });
    expect(await send('checkout.session.completed', session, 'evt_a')).toMatchObject({
      code: 'ambiguous_user',
    });
    await asleep();
    await signUp('other', 'other@example.com');
    expect(await statusOf('evt_a')).toMatchObject({ due: true });
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
  });

  test('the price that a link sold is known at last', async () => {
    const userId = await signUp('ada');
    await send('customer.created', {
      id: 'cus_own',
      object: 'customer',
      metadata: { user_id: userId },
    });
    const lines = { data: [{ price: { id: 'price_new' }, quantity: 1 }] };
    const session = packSession({ customer: 'cus_own' }, { line_items: lines });
    expect(await send('checkout.session.completed', session, 'evt_p')).toMatchObject({
      status: 'failed',
    });
    await asleep();
    await send('price.created', {
      id: 'price_new',
      object: 'price',
      active: true,
      created: 1_790_000_000,
      currency: 'usd',
      product: 'prod_1',
      unit_amount: 500,
      metadata: { rowloom_kind: 'pack', rowloom_key: 'new', rowloom_credits: '10' },
    });
    expect(await statusOf('evt_p')).toMatchObject({ due: true });
    expect(await retryDueEvents(ctx)).toEqual({ tried: 1, completed: 1 });
  });
});
