import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { emptyBooks } from '../support/stored-books.ts';
import { event, invoice, packSession, subscription } from '../support/stripe-events.ts';

/** Signed by Stripe and odd all the same: each is stored, and none keeps another from being stored. */
let database: TestDatabase;
let ctx: Ctx;
let userId = '';
beforeAll(async () => {
  database = await createDatabase();
  ctx = testCtx(database);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await emptyBooks(database.pool);
  await database.pool.query(`
    insert into stripe_prices (price_id, product_id, kind, key, name, credits, trial_credits, interval, amount_cents, currency, listed)
    values ('price_starter', 'p1', 'plan', 'starter', 'Starter', 1000, 0, 'month', 1900, 'usd', true),
           ('price_small', 'p4', 'pack', 'small', 'Small', 500, 0, null, 1500, 'usd', true)`);
  userId = (await ensureUser(ctx, { externalId: 'u', email: null, emailVerified: false })).user.id;
});

const send = (sent: ReturnType<typeof event>) => applyEvent(ctx, readEvent(sent) as StripeEvent);
const pack = () =>
  send(event('checkout.session.completed', packSession({ userId, pack: 'small', quantity: 1 })));

const price = (fields: Record<string, unknown>) => ({
  id: 'price_odd',
  object: 'price',
  active: true,
  created: 1_790_000_000,
  currency: 'usd',
  product: 'prod_1',
  unit_amount: 500,
  recurring: { interval: 'month' },
  metadata: { rowloom_kind: 'plan', rowloom_key: 'odd', rowloom_credits: '10' },
  ...fields,
});

describe('what Stripe sends once', () => {
  test.each(['week', 'day', 'fortnight'])(
    'a price of ours by the %s does not stop the sales',
    async (interval) => {
      await send(event('price.created', price({ recurring: { interval } })));
      expect(await pack()).toMatchObject({ status: 'completed' });
    },
  );

  test('a quantity beyond counting is stored as unreadable, and closes nobody out', async () => {
    const sale = { userId, customer: 'cus_1', subscription: 'sub_1', price: 'price_starter' };
    for (const quantity of [3_000_000_000, 9_007_199_254_740_991]) {
      const state = subscription(sale) as { items: { data: object[] } };
      state.items.data = [{ ...state.items.data[0], quantity }];
      expect
        .soft(await send(event('customer.subscription.created', state)).catch(String))
        .toMatchObject({ status: 'failed', code: 'unreadable' });
      const bill = invoice(sale) as { lines: { data: object[] } };
      bill.lines.data = [{ ...bill.lines.data[0], quantity }];
      expect
        .soft(await send(event('invoice.paid', bill)).catch(String))
        .toMatchObject({ status: 'failed', code: 'unreadable' });
    }
    expect(await pack()).toMatchObject({ status: 'completed' });
    await assertBooksHold(database.pool);
  });

  test('a NUL in the name of a field', async () => {
    const session = packSession({ userId, pack: 'small', quantity: 1 });
    const metadata = { ...(session['metadata'] as object), 'od\0d': 'x', 'lone\ud800': 'y' };
    expect(await send(event('checkout.session.completed', { ...session, metadata }))).toMatchObject(
      { status: 'completed' },
    );
  });

  test.each([
    ['id', (text: string) => subscription({ userId, subscription: text, price: 'price_starter' })],
    [
      'customer',
      (text: string) =>
        subscription({ userId, subscription: 'sub_1', customer: text, price: 'price_starter' }),
    ],
  ])('a subscription with an endless %s', async (_name, made) => {
    let text = '';
    while (text.length < 9000) text += Math.random().toString(36);
    const sent = await send(event('customer.subscription.updated', made(text))).catch(String);
    expect(sent).toMatchObject({ status: 'failed', code: 'unreadable' });
  });
});

describe('a pack whose session has an invoice of its own', () => {
  const sold = (nr: number) =>
    packSession(
      { userId, pack: 'small' },
      {
        id: `cs_${nr}`,
        payment_intent: { id: `pi_${nr}`, latest_charge: null },
        invoice: `in_${nr}`,
        amount_total: 1500,
      },
    );
  const purchased = async () =>
    (await database.pool.query('select credits_purchased as left from users')).rows[0];

  test('is refunded, also where the payment of the invoice was told first', async () => {
    const payment = { type: 'payment_intent', payment_intent: 'pi_1' };
    const told = { id: 'inpay_1', object: 'invoice_payment', invoice: 'in_1', payment };
    await send(event('invoice_payment.paid', told));
    await send(event('checkout.session.completed', sold(1)));
    const refund = { id: 're_1', object: 'refund', amount: 1500, status: 'succeeded' };
    await send(event('refund.created', { ...refund, payment_intent: 'pi_1', charge: 'ch_1' }));
    expect(await purchased()).toEqual({ left: 0 });
    await assertBooksHold(database.pool);
  });

  test('is given back by a credit note', async () => {
    await send(event('checkout.session.completed', sold(2)));
    const note = { id: 'cn_1', object: 'credit_note', invoice: 'in_2', status: 'issued' };
    const amounts = { amount: 1500, post_payment_amount: 1500, refunds: [] };
    await send(event('credit_note.created', { ...note, ...amounts }));
    expect(await purchased()).toEqual({ left: 0 });
    await assertBooksHold(database.pool);
  });
});
