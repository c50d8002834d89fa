import { describe, expect, test } from 'vitest';
import { listPlans } from '../../functions/billing/list-plans.ts';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import { settleDueUsers } from '../../functions/ledger/due.ts';
import { readStanding } from '../../functions/ledger/standing.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { retryDueEvents } from '../../functions/stripe/retry-events.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { eachScene } from '../support/each-scene.ts';
import { type StripeFixture, fixtureUser } from '../support/stripe-fixture.ts';
import { event, invoice, packSession, subscription } from '../support/stripe-events.ts';

let fixture: StripeFixture;
eachScene((opened) => ({ fixture } = opened));

const send = (sent: ReturnType<typeof event>) => fixture.deliver(readEvent(sent) as StripeEvent);
const user = async () => (await fixture.books()).user;
const spend = (amount: number, by: string) =>
  adjustCredits(fixture.ctx, {
    user: fixtureUser,
    amount: -amount,
    reason: 'spent',
    idempotencyKey: by,
  });
const day = 86_400;
const start = 1_790_000_000;

const plan = (price: string, fields: Record<string, unknown> = {}) =>
  invoice(
    {
      userId: fixtureUser,
      customer: 'cus_1',
      subscription: 'sub_1',
      price,
      periodStart: start,
      periodEnd: start + 365 * day,
    },
    fields,
  );

describe('an annual plan that grants monthly', () => {
  test('grants each month once, and ends with its year', async () => {
    const { yearly } = fixture.shop.prices;
    await fixture.database.pool.query(
      'update stripe_prices set grants_monthly = true, credits = 100 where price_id = $1',
      [yearly.id],
    );
    fixture.nowMs = start * 1000;
    await send(event('invoice.paid', plan(yearly.id), { created: start }));
    let settled = 0;
    for (let days = 0; days <= 400; days += 5) {
      fixture.nowMs = (start + days * day) * 1000;
      const due = await Promise.all([1, 2].map(() => settleDueUsers(fixture.ctx)));
      if (due.every(({ worked }) => worked === 0)) continue;
      settled += 1;
      await spend(30, `day ${days}`);
    }
    expect(settled).toBe(11);
    expect(await user()).toMatchObject({ credits_plan: 70 });
    const { rows } = await fixture.database.pool.query(
      "select count(*)::int as months from credit_entries where kind = 'plan_month'",
    );
    expect(rows).toEqual([{ months: 11 }]);
    expect((await readStanding(fixture.ctx, fixtureUser)).plan).toMatchObject({ plan: 'yearly' });
  });

  test('grants no more once it is cancelled', async () => {
    const { yearly } = fixture.shop.prices;
    await fixture.database.pool.query(
      'update stripe_prices set grants_monthly = true where price_id = $1',
      [yearly.id],
    );
    await send(event('invoice.paid', plan(yearly.id), { created: start }));
    const of = { userId: fixtureUser, customer: 'cus_1', subscription: 'sub_1', price: yearly.id };
    await send(
      event('customer.subscription.deleted', subscription(of, { status: 'canceled' }), {
        created: start + 9,
      }),
    );
    fixture.nowMs = (start + 40 * day) * 1000;
    const before = (await user())['credits_plan'];
    await settleDueUsers(fixture.ctx);
    expect((await user())['credits_plan']).toBe(before);
    expect((await readStanding(fixture.ctx, fixtureUser)).plan).toBeNull();
  });
});

describe('money that goes back', () => {
  const sale = { userId: fixtureUser, pack: 'pack', quantity: 2 };
  const paidSession = () => packSession(sale, { amount_total: 1800, payment_intent: 'pi_1' });
  const charge = (refunded: number) => ({
    id: 'ch_1',
    object: 'charge',
    amount: 1800,
    amount_refunded: refunded,
    payment_intent: 'pi_1',
    refunds: null,
  });

  test('a charge that Stripe has forgotten counts by its total, and is not counted twice', async () => {
    await send(event('checkout.session.completed', paidSession(), { created: start }));
    expect((await send(event('charge.refunded', charge(600), { created: start + 1 }))).status).toBe(
      'completed',
    );
    expect(await user()).toMatchObject({ credits_purchased: 400 });
    await send(event('charge.refunded', charge(600), { created: start + 2 }));
    await send(event('charge.refunded', charge(1800), { created: start + 3 }));
    expect(await user()).toMatchObject({ credits_purchased: 0, credits_bonus: 500 });
    const named = {
      id: 're_1',
      amount: 600,
      status: 'succeeded',
      payment_intent: 'pi_1',
      charge: 'ch_1',
    };
    await send(event('refund.created', named, { created: start + 4 }));
    expect(await user()).toMatchObject({ credits_purchased: 0, credits_bonus: 500 });
  });

  test('before the credits came: it waits for them', async () => {
    const refund = {
      id: 're_1',
      amount: 900,
      status: 'succeeded',
      payment_intent: 'pi_1',
      charge: 'ch_1',
    };
    expect(await send(event('refund.created', refund, { created: start + 1 }))).toMatchObject({
      status: 'failed',
      code: 'unknown_payment',
    });
    const paid = await send(event('checkout.session.completed', paidSession(), { created: start }));
    expect(paid).toMatchObject({ status: 'completed', eventsDue: true });
    expect(await retryDueEvents(fixture.ctx)).toEqual({ tried: 1, completed: 1 });
    expect(await user()).toMatchObject({ credits_purchased: 300 });
  });

  test('what was spent cannot be taken, is on record, and is not given back either', async () => {
    await send(event('checkout.session.completed', paidSession(), { created: start }));
    await spend(1000, 'job');
    const dispute = {
      id: 'dp_1',
      amount: 1800,
      status: 'needs_response',
      payment_intent: 'pi_1',
      charge: 'ch_1',
    };
    await send(event('charge.dispute.created', dispute, { created: start + 1 }));
    expect(await user()).toMatchObject({ credits_balance: 0, credits_shortfall: 500 });
    await send(
      event('charge.dispute.closed', { ...dispute, status: 'won' }, { created: start + 2 }),
    );
    expect(await user()).toMatchObject({ credits_balance: 100, credits_shortfall: 0 });
  });

  test('a dispute takes what its payment bought, and nothing of other lots', async () => {
    await send(event('checkout.session.completed', paidSession(), { created: start }));
    await send(event('invoice.paid', plan(fixture.shop.prices.starter.id), { created: start + 1 }));
    const dispute = {
      id: 'dp_1',
      amount: 1800,
      status: 'needs_response',
      payment_intent: 'pi_1',
      charge: 'ch_1',
    };
    await send(event('charge.dispute.created', dispute, { created: start + 2 }));
    expect(await user()).toMatchObject({ credits_plan: 1000, credits_shortfall: 0 });
  });

  test.each(['warning_needs_response', 'warning_closed'])(
    'an inquiry (%s) takes nothing',
    async (status) => {
      await send(event('checkout.session.completed', paidSession(), { created: start }));
      const inquiry = { id: 'dp_1', amount: 1800, status, payment_intent: 'pi_1', charge: 'ch_1' };
      await send(event('charge.dispute.created', inquiry, { created: start + 1 }));
      expect((await fixture.books()).facts.filter(({ kind }) => kind === 'reversal')).toEqual([]);
      expect(await user()).toMatchObject({ credits_purchased: 600 });
    },
  );
});

describe('the catalogue', () => {
  const price = (id: string, fields: Record<string, unknown> = {}) => ({
    id,
    object: 'price',
    created: Number(id.slice(-1)),
    product: 'prod_new',
    active: true,
    unit_amount: 4200,
    currency: 'usd',
    nickname: 'New',
    recurring: { interval: 'month' },
    metadata: {
      rowloom_kind: 'plan',
      rowloom_key: 'new',
      rowloom_credits: '777',
      rowloom_listed: 'true',
    },
    ...fields,
  });
  const onSale = async () =>
    (await listPlans(fixture.ctx)).plans
      .filter(({ key }) => key === 'new')
      .map(({ priceId }) => priceId);

  test.each([['as they came to be'], ['the other way round']])(
    'a new price replaces the old one, %s',
    async (order) => {
      const events = [
        event('price.created', price('price_1'), { created: start }),
        event('price.created', price('price_2'), { created: start + 10 }),
        event('price.updated', price('price_1', { active: false }), { created: start + 11 }),
      ];
      for (const each of order.startsWith('as') ? events : events.toReversed()) await send(each);
      expect(await onSale()).toEqual(['price_2']);
      await send(event('price.deleted', price('price_2'), { created: start + 20 }));
      expect(await onSale()).toEqual([]);
    },
  );

  test('a price that comes later heals the invoice that waited for it', async () => {
    const paid = await send(event('invoice.paid', plan('price_1'), { created: start }));
    expect(paid).toMatchObject({ status: 'failed', code: 'unknown_price' });
    expect((await send(event('price.created', price('price_1')))).eventsDue).toBe(true);
    await retryDueEvents(fixture.ctx);
    expect(await user()).toMatchObject({ credits_plan: 777 });
  });
});

test('two updates of one second that Stripe knows nothing of have one order all the same', async () => {
  const of = {
    userId: fixtureUser,
    customer: 'cus_1',
    subscription: 'sub_unknown',
    price: fixture.shop.prices.starter.id,
  };
  const updates = ['active', 'past_due'].map((status) =>
    event('customer.subscription.updated', subscription(of, { status }), { created: start }),
  );
  const told = [];
  for (const order of [updates, updates.toReversed()]) {
    await fixture.reset();
    for (const update of order) expect((await send(update)).status).toBe('completed');
    const { subscriptions } = await fixture.books();
    told.push(subscriptions);
  }
  expect(told[0]).toEqual(told[1]);
});

test('a customer that is deleted is nobody’s any more', async () => {
  await send(
    event('customer.created', {
      id: 'cus_9',
      object: 'customer',
      metadata: { user_id: fixtureUser },
    }),
  );
  const customer = async () =>
    (await fixture.database.pool.query('select stripe_customer_id as id from users')).rows;
  expect(await customer()).toEqual([{ id: 'cus_9' }]);
  await send(
    event('customer.deleted', { id: 'cus_9', object: 'customer', deleted: true, metadata: {} }),
  );
  expect(await customer()).toEqual([{ id: null }]);
});

test('an event that breaks us does not hold up those behind it', async () => {
  const sales = ['one', 'two'].map((name) =>
    event('checkout.session.completed', packSession({ userId: name, pack: 'pack' }), {
      id: `evt_${name}`,
    }),
  );
  for (const sale of sales) await send(sale);
  await fixture.database.pool.query("insert into users (external_id) values ('one'), ('two')");
  await fixture.database.pool.query('update stripe_events set next_attempt_at = now()');
  const db = aroundCalls(fixture.ctx.db, async ({ args }, next) => {
    if ((args['p'] as { event?: { id: string } } | undefined)?.event?.id === 'evt_one')
      throw new TypeError('broken');
    return next();
  });
  expect(await retryDueEvents({ ...fixture.ctx, db })).toEqual({
    tried: 2,
    completed: 1,
  });
});
