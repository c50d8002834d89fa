import { expect, test } from 'vitest';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { retryDueEvents, retryEvents } from '../../functions/stripe/retry-events.ts';
import { eachScene } from '../support/each-scene.ts';
import { type StripeFixture, fixtureUser } from '../support/stripe-fixture.ts';

/** What waits is tried again as Stripe has it by then: an operator may have mended it there. */
let fixture: StripeFixture;
eachScene((opened) => ({ fixture } = opened));

const day = 86_400;
const sql = async (text: string) => (await fixture.database.pool.query(text)).rows;
const statuses = () =>
  sql('select status, count(*)::int as n from stripe_events group by 1 order by 1');
const user = async () =>
  (await sql('select credits_plan as plan, credits_purchased as purchased from users'))[0];
const eventsOf = async (...types: string[]): Promise<StripeEvent[]> =>
  (await fixture.events()).filter(({ type }) => types.includes(type));

/** Somebody subscribes from outside: nothing of ours says who it is. */
const subscribeAsNobody = () => fixture.shop.subscribe(fixture.shop.prices.starter.id);

test('a subscription whose metadata an operator mended, its invoice with it', async () => {
  await sql("update users set email = 'other@example.com'");
  const { subscription } = await subscribeAsNobody();
  for (const event of await eventsOf('customer.subscription.created', 'invoice.paid'))
    expect(await fixture.deliver(event)).toMatchObject({ status: 'failed', code: 'unknown_user' });
  await fixture.stripe.subscriptions.update(subscription.id, {
    metadata: { user_id: fixtureUser },
  });
  // The event of the change itself is lost.
  await retryEvents(fixture.ctx, { limit: 10 });
  // Whichever of the two came first, the subscription makes its invoice due.
  await retryDueEvents(fixture.ctx);
  expect(await statuses()).toEqual([{ status: 'completed', n: 2 }]);
  expect(await user()).toMatchObject({ plan: 1000 });
  expect((await fixture.books()).subscriptions).toMatchObject([{ status: 'active' }]);
});

test('a customer whose metadata an operator mended', async () => {
  await sql("update users set email = 'other@example.com'");
  const { customer } = await subscribeAsNobody();
  await fixture.stripe.customers.update(customer, { metadata: { user_id: fixtureUser } });
  for (const event of await eventsOf('customer.subscription.created', 'invoice.paid'))
    expect((await fixture.deliver(event)).status).toBe('failed');
  const [told] = await eventsOf('customer.updated');
  if (!told) throw new Error('Nobody told of the customer.');
  expect(await fixture.deliver(told)).toMatchObject({ status: 'completed', eventsDue: true });
  expect(await retryDueEvents(fixture.ctx)).toEqual({ tried: 2, completed: 2 });
  expect(await user()).toMatchObject({ plan: 1000 });
  expect((await fixture.books()).subscriptions).toMatchObject([{ status: 'active' }]);
});

test('what a subscription was stays, and what it is by now is told beside it', async () => {
  const { subscription } = await fixture.subscribe(fixture.shop.prices.starter.id);
  await fixture.shop.advance(5 * day);
  await fixture.stripe.subscriptions.cancel(subscription.id);
  const events = await eventsOf('customer.subscription.created', 'invoice.paid');
  await sql('update stripe_prices set price_id = price_id || $$-later$$');
  for (const event of events) expect((await fixture.deliver(event)).status).toBe('failed');
  await sql('update stripe_prices set price_id = replace(price_id, $$-later$$, $$$$)');
  await sql('update catalogue_version set version = version + 1');
  // Its end never arrives.
  expect(await retryEvents(fixture.ctx, { limit: 10 })).toMatchObject({ tried: 2, completed: 2 });
  const { subscriptions } = await fixture.books();
  expect(subscriptions).toMatchObject([{ status: 'canceled' }]);
  const states = await sql(
    "select body ->> 'status' as status from credit_facts where kind = 'state' order by position",
  );
  expect(states.map(({ status }) => status as string)).toEqual(['incomplete', 'canceled']);
  expect(await user()).toMatchObject({ plan: 1000 });
});

test('an invoice that failed and was paid since is a plan paid for', async () => {
  await sql("update users set email = 'other@example.com'");
  const { subscription } = await subscribeAsNobody();
  const [paid] = await eventsOf('invoice.paid');
  if (!paid) throw new Error('Nothing was paid.');
  const { object } = paid.payload['data'] as { object: object };
  const payload = { ...paid.payload, data: { object: { ...object, status: 'open' } } };
  const failed = { ...paid, id: 'evt_failed', type: 'invoice.payment_failed', payload };
  expect((await fixture.deliver(failed)).status).toBe('failed');
  await fixture.stripe.subscriptions.update(subscription.id, {
    metadata: { user_id: fixtureUser },
  });
  for (const event of await eventsOf('customer.subscription.updated')) await fixture.deliver(event);
  expect(await retryDueEvents(fixture.ctx)).toMatchObject({ tried: 2, completed: 2 });
  expect(await user()).toMatchObject({ plan: 1000 });
  expect((await fixture.books()).subscriptions).toMatchObject([{ status: 'active' }]);
});

test('what Stripe does not have any more is tried as it came', async () => {
  const [sale] = await (async () => {
    await fixture.buyPacks(1);
    return eventsOf('checkout.session.completed');
  })();
  if (!sale) throw new Error('Nothing was sold.');
  const { object } = sale.payload['data'] as { object: { metadata: object } };
  const gone = { ...object, id: 'cs_gone', metadata: { ...object.metadata, user_id: 'later' } };
  const payload = {
    ...sale.payload,
    data: {
      object: { ...gone, client_reference_id: null, customer: null, customer_details: null },
    },
  };
  expect((await fixture.deliver({ ...sale, payload })).status).toBe('failed');
  await sql("update users set external_id = 'later'");
  expect(await retryEvents(fixture.ctx, { limit: 10 })).toMatchObject({ completed: 1 });
  expect(await user()).toMatchObject({ purchased: 300 });
  expect(await statuses()).toEqual([{ status: 'completed', n: 1 }]);
});
