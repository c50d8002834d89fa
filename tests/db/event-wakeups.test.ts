import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { released } from '../../db/call.ts';
import { decide, readEvent, type StripeEvent } from '../../functions/webhooks/decide.pure.ts';
import { audit } from '../support/audit.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { event, packSession, subscription } from '../support/stripe-events.ts';

let database: TestDatabase;
let clients: [pg.Client, pg.Client];
const user = '11111111-1111-4111-8111-111111111111';

beforeAll(async () => {
  database = await createDatabase();
  await database.pool.query(`
    insert into users (id, external_id) values ('${user}', 'u-1');
    insert into stripe_prices (price_id, product_id, kind, key, name, credits, interval, amount_cents, currency)
      values ('price_starter', 'p1', 'plan', 'starter', 'Starter', 1000, 'month', 1900, 'usd'),
             ('price_small', 'p4', 'pack', 'small', 'Small', 500, null, 1500, 'usd')`);
  const connect = () => new pg.Client({ connectionString: database.url });
  clients = [connect(), connect()];
  await Promise.all(clients.map((client) => client.connect()));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await audit(database.pool);
  await database.drop();
});

async function apply(client: pg.Client, sent: ReturnType<typeof event>): Promise<string> {
  const read = readEvent(sent) as StripeEvent;
  const { rows } = await client.query<{ outcome: { status: string } }>(
    released('select rowloom.stripe_event_apply($1, $2, $3) as outcome'),
    [JSON.stringify(read), JSON.stringify(decide(read)), '{"creditRenewal":"reset-all"}'],
  );
  return rows[0]?.outcome.status ?? 'none';
}

const linking = (customer: string) =>
  event(
    'checkout.session.completed',
    packSession({ userId: user, customer, pack: 'small', quantity: 1 }),
  );
const needing = (customer: string) =>
  event(
    'customer.subscription.updated',
    subscription({ customer, subscription: `sub_${customer}`, price: 'price_starter' }),
  );

/** Whether the event is done, or will be tried again at once. */
async function isCaredFor(id: string): Promise<boolean> {
  const { rows } = await database.pool.query<{ cared: boolean }>(
    `select status = 'completed' or next_attempt_at <= clock_timestamp() as cared
       from stripe_events where event_id = $1`,
    [id],
  );
  return rows[0]?.cared ?? false;
}

test('an event that fails while another one brings what it waits for is not forgotten', async () => {
  const [first, second] = clients;
  const waiting = needing('cus_race');
  await first.query('begin');
  await apply(first, linking('cus_race'));
  // The second cannot see the link yet, and the first has already looked for whom to wake.
  const failing = apply(second, waiting);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await first.query('commit');
  await failing;
  expect(await isCaredFor(waiting.id)).toBe(true);
});

test('one that is tried again meanwhile neither blocks the other nor is forgotten', async () => {
  const [first, second] = clients;
  await database.pool.query('update users set stripe_customer_id = null');
  const waiting = needing('cus_again');
  expect(await apply(second, waiting)).toBe('failed');
  await first.query('begin');
  await second.query('begin');
  await second.query('select 1 from stripe_events where event_id = $1 for update', [waiting.id]);
  await apply(first, linking('cus_again'));
  const again = apply(second, waiting);
  await first.query('commit');
  await again;
  await second.query('commit');
  expect(await isCaredFor(waiting.id)).toBe(true);
});
