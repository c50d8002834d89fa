import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listPlans } from '../../functions/billing/list-plans.ts';
import { grantDueMonths } from '../../functions/billing/grant-due-months.ts';
import { readEvent, type StripeEvent } from '../../functions/webhooks/decide.pure.ts';
import { retryDueEvents } from '../../functions/webhooks/retry-due.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { audit } from '../support/audit.ts';
import { Lab, labUser } from '../support/lab.ts';
import { event, invoice, packSession, subscription } from '../support/stripe-events.ts';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.reset();
});
afterEach(async () => {
  await audit(lab.database.pool, { holds: false });
  await lab.close();
});

const send = (sent: ReturnType<typeof event>) => lab.deliver(readEvent(sent) as StripeEvent);
const user = async () => (await lab.snapshot()).user;
const day = 86_400;
const start = 1_790_000_000;

const plan = (price: string, fields: Record<string, unknown> = {}) =>
  invoice(
    {
      userId: labUser,
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
    const { yearly } = lab.shop.prices;
    await lab.database.pool.query(
      'update stripe_prices set grants_monthly = true, credits = 100 where price_id = $1',
      [yearly.id],
    );
    await send(event('invoice.paid', plan(yearly.id), { created: start }));
    const months: number[] = [];
    for (let days = 0; days <= 400; days += 5) {
      const now = new Date((start + days * day) * 1000);
      const granted = await Promise.all(
        [1, 2].map(() => grantDueMonths({ ...lab.ctx, now: () => now })),
      );
      months.push(...granted);
      if (granted.some((count) => count > 0))
        await lab.database.pool.query(
          "select rowloom.ledger_post($1, 'TAKE_BACK', 30, 'admin', $2, 'test', 'spent')",
          [labUser, `spent:${days}`],
        );
    }
    expect(months.reduce((sum, count) => sum + count, 0)).toBe(11);
    expect(await user()).toMatchObject({ credits_plan: 70, tier: 'yearly' });
  });

  test('grants no more once it is cancelled', async () => {
    const { yearly } = lab.shop.prices;
    await lab.database.pool.query(
      'update stripe_prices set grants_monthly = true where price_id = $1',
      [yearly.id],
    );
    await send(event('invoice.paid', plan(yearly.id), { created: start }));
    const of = { userId: labUser, customer: 'cus_1', subscription: 'sub_1', price: yearly.id };
    await send(
      event('customer.subscription.deleted', subscription(of, { status: 'canceled' }), {
        created: start + 9,
      }),
    );
    expect(
      await grantDueMonths({ ...lab.ctx, now: () => new Date((start + 40 * day) * 1000) }),
    ).toBe(0);
  });
});

describe('money that goes back', () => {
  const sale = { userId: labUser, pack: 'pack', quantity: 2 };
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
    expect(await retryDueEvents(lab.ctx)).toEqual({ tried: 1, completed: 1 });
    expect(await user()).toMatchObject({ credits_purchased: 300 });
  });

  test('what was spent cannot be taken, is on record, and is not given back either', async () => {
    await send(event('checkout.session.completed', paidSession(), { created: start }));
    await lab.database.pool.query(
      "select rowloom.ledger_post($1, 'TAKE_BACK', 1000, 'admin', 'spent', 'test', 'spent')",
      [labUser],
    );
    const dispute = {
      id: 'dp_1',
      amount: 1800,
      status: 'needs_response',
      payment_intent: 'pi_1',
      charge: 'ch_1',
    };
    await send(event('charge.dispute.created', dispute, { created: start + 1 }));
    expect(await lab.snapshot()).toMatchObject({
      user: { credits_balance: 0 },
      claims: [{ claimed: 600, shortfall: 500 }],
    });
    await send(
      event('charge.dispute.closed', { ...dispute, status: 'won' }, { created: start + 2 }),
    );
    expect(await lab.snapshot()).toMatchObject({
      user: { credits_balance: 100 },
      claims: [{ claimed: 0, shortfall: 0 }],
    });
  });

  test('bonus credits that came after a reset and were taken come back whole', async () => {
    await send(event('checkout.session.completed', paidSession(), { created: start }));
    await send(event('invoice.paid', plan(lab.shop.prices.starter.id), { created: start + 1 }));
    const post = (rule: string, amount: number, key: string) =>
      lab.database.pool.query(
        `select rowloom.ledger_post($1, $2, $3, $4, $5, 'test', 'x', p_lot_kind => 'bonus')`,
        [labUser, rule, amount, rule === 'ADD' ? 'admin' : 'hold', key],
      );
    await post('ADD', 500, 'gift');
    await post('HOLD', 1000, 'hold:x');
    const dispute = {
      id: 'dp_1',
      amount: 1800,
      status: 'needs_response',
      payment_intent: 'pi_1',
      charge: 'ch_1',
    };
    await send(event('charge.dispute.created', dispute, { created: start + 2 }));
    expect(await user()).toMatchObject({ credits_bonus: 0 });
    await send(
      event('charge.dispute.closed', { ...dispute, status: 'won' }, { created: start + 3 }),
    );
    expect(await user()).toMatchObject({ credits_bonus: 500 });
  });

  test.each(['warning_needs_response', 'warning_closed'])(
    'an inquiry (%s) takes nothing',
    async (status) => {
      await send(event('checkout.session.completed', paidSession(), { created: start }));
      const inquiry = { id: 'dp_1', amount: 1800, status, payment_intent: 'pi_1', charge: 'ch_1' };
      await send(event('charge.dispute.created', inquiry, { created: start + 1 }));
      expect((await lab.snapshot()).keys.filter((key) => key.startsWith('dispute'))).toEqual([]);
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
    metadata: { rowloom_kind: 'plan', rowloom_key: 'new', rowloom_credits: '777' },
    ...fields,
  });
  const onSale = async () =>
    (await listPlans(lab.ctx)).plans
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
    await retryDueEvents(lab.ctx);
    expect(await user()).toMatchObject({ credits_plan: 777, tier: 'new' });
  });
});

test('two updates of one second that Stripe knows nothing of are taken as they come', async () => {
  const of = {
    userId: labUser,
    customer: 'cus_1',
    subscription: 'sub_unknown',
    price: lab.shop.prices.starter.id,
  };
  for (const status of ['active', 'past_due'])
    expect(
      await send(
        event('customer.subscription.updated', subscription(of, { status }), { created: start }),
      ),
    ).toMatchObject({
      status: 'completed',
    });
  expect((await lab.snapshot()).subscriptions).toMatchObject([{ status: 'past_due' }]);
});

test('a customer that is deleted is nobody’s any more', async () => {
  await send(
    event('customer.created', { id: 'cus_9', object: 'customer', metadata: { user_id: labUser } }),
  );
  expect(await user()).toMatchObject({ stripe_customer_id: 'cus_9' });
  await send(
    event('customer.deleted', { id: 'cus_9', object: 'customer', deleted: true, metadata: {} }),
  );
  expect(await user()).toMatchObject({ stripe_customer_id: null });
});

test('an event that breaks us does not hold up those behind it', async () => {
  const sales = ['one', 'two'].map((name) =>
    event('checkout.session.completed', packSession({ userId: name, pack: 'pack' }), {
      id: `evt_${name}`,
    }),
  );
  for (const sale of sales) await send(sale);
  await lab.database.pool.query("insert into users (external_id) values ('one'), ('two')");
  await lab.database.pool.query('update stripe_events set next_attempt_at = now()');
  const db = aroundCalls(lab.ctx.db, async ({ args }, next) => {
    if ((args['p_event'] as { id?: string } | undefined)?.id === 'evt_one')
      throw new TypeError('broken');
    return next();
  });
  expect(await retryDueEvents({ ...lab.ctx, db })).toEqual({
    tried: 2,
    completed: 1,
  });
});
