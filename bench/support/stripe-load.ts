import { createHmac } from 'node:crypto';
import type { Pool } from 'pg';
import { callStatement, callThrough } from '../../db/call.ts';
import { functionsSchema } from '../../db/functions.generated.ts';
import type { Ctx } from '../../functions/context.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import { refoldUser } from '../../functions/ledger/refold.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { event, invoice, packSession } from '../../tests/support/stripe-events.ts';
import { requestBytes } from './http-client.ts';

export type User = { id: string; customer: string; subscription: string };
export type Prices = { plan: string; pack: string };
type StripeEvent = ReturnType<typeof event>;

const month = 30 * 86_400;
const firstPeriod = 1_790_000_000;

/** Users who are customers already, with their sign-up credits. */
export async function makeUsers(pool: Pool, count: number): Promise<User[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select ${functionsSchema}.user_ensure(jsonb_build_object('externalId', 'bench-' || n,
         'email', 'bench' || n || '@example.com', 'emailVerified', true, 'signupCredits', 500))
         -> 'user' ->> 'id' as id
       from generate_series(1, $1) n`,
    [count],
  );
  // The sign-up credits come with a fold.
  const call = callThrough(async (text, params) => (await pool.query(text, params)).rows);
  const ctx = { db: { call }, now: () => new Date() } as unknown as Ctx;
  for (const { id: userId } of rows) await refoldUser(ctx, { userId });
  const users = rows.map(({ id }, n) => ({
    id,
    customer: `cus_bench${n}`,
    subscription: `sub_bench${n}`,
  }));
  await pool.query(
    `select ${functionsSchema}.customer_put(customer, id, false)
       from unnest($1::uuid[], $2::text[]) given (id, customer)`,
    [users.map(({ id }) => id), users.map(({ customer }) => customer)],
  );
  return users;
}

/** A plan's price and a pack's key, of what is on sale. */
export async function pricesOf(pool: Pool): Promise<Prices> {
  const { rows } = await pool.query<{ plan: string; pack: string }>(
    `select
       (select price_id from stripe_prices join prices_on_sale using (price_id, kind, key)
          where kind = 'plan' and credits is not null
          order by position limit 1) as plan,
       (select key from stripe_prices join prices_on_sale using (price_id, kind, key)
          where kind = 'pack' order by position limit 1) as pack`,
  );
  const [prices] = rows;
  if (!prices?.plan || !prices.pack) throw new Error('There is no plan or no pack on sale.');
  return prices;
}

/** Makes events that all have work to do: by turns a renewal's paid invoice and a pack that was paid. */
export class Sales {
  made = 0;
  packs = 0;
  readonly #users: User[];
  readonly #prices: Prices;

  constructor(users: User[], prices: Prices) {
    this.#users = users;
    this.#prices = prices;
  }

  make(count: number): StripeEvent[] {
    return Array.from({ length: count }, () => this.#next());
  }

  #next(): StripeEvent {
    const at = this.made;
    this.made += 1;
    const pair = Math.floor(at / 2);
    // Never the same user twice in a short time: the events would only wait for each other's lock.
    const shift = at % 2 === 0 ? 0 : Math.floor(this.#users.length / 2);
    const user = this.#users[(pair + shift) % this.#users.length];
    if (!user) throw new Error('There are no users.');
    const who = { userId: user.id, customer: user.customer };
    // Each at its own time, within its user's period: what is late would need a fold.
    const created = firstPeriod + Math.floor((pair * month) / this.#users.length) + (at % 2);
    if (at % 2 === 1) {
      this.packs += 1;
      const session = packSession({ ...who, pack: this.#prices.pack, quantity: 1 });
      return event('checkout.session.completed', session, { created });
    }
    const period = firstPeriod + Math.floor(pair / this.#users.length) * month;
    const sale = {
      ...who,
      subscription: user.subscription,
      price: this.#prices.plan,
      periodStart: period,
    };
    const fields = {
      billing_reason: 'subscription_cycle',
      status_transitions: { paid_at: created },
    };
    return event('invoice.paid', invoice(sale, fields), { created });
  }
}

/** Deliveries as Stripe makes them, signed now. */
export function deliveries(events: StripeEvent[], url: URL, secret: string): Uint8Array[] {
  const time = Math.floor(Date.now() / 1000);
  return events.map((made) => {
    const body = JSON.stringify(made);
    const mac = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'stripe-signature': `t=${time},v1=${mac}`,
    };
    return requestBytes('POST', url, headers, body);
  });
}

export type Statement = { text: string; params: string[] };

/** The statement that the Worker's own code makes of an event. */
async function statementOf(made: StripeEvent, catalogue: unknown): Promise<Statement> {
  const statements: Statement[] = [];
  const done = {
    status: 'completed',
    code: null,
    userId: null,
    eventsDue: false,
    jobsAwait: false,
  };
  const call = (name: string, args: Record<string, unknown>): Promise<unknown> => {
    if (name === 'catalogue_read') return Promise.resolve(catalogue);
    const { text, params } = callStatement(name, args);
    statements.push({ text, params: params.map(String) });
    return Promise.resolve({ outcome: 'stored', ...done });
  };
  const config = { creditRenewal: 'reset-all', pastDueGraceDays: 7, stripe: { secretKey: '' } };
  const ctx = { config, db: { call }, log: () => undefined, now: () => new Date() };
  const read = readEvent(made);
  if (read) await applyEvent(ctx as unknown as Ctx, read);
  const [statement] = statements;
  if (!statement || statements.length > 1)
    throw new Error(`An event takes ${statements.length} statements; this benchmark knows one.`);
  return statement;
}

/** The statements of events, which differ in their parameters alone. */
export async function statementsOf(pool: Pool, events: StripeEvent[]) {
  const { rows } = await pool.query<{ catalogue: unknown }>(
    `select ${functionsSchema}.catalogue_read() as catalogue`,
  );
  const statements = await Promise.all(events.map((made) => statementOf(made, rows[0]?.catalogue)));
  return { text: statements[0]?.text ?? '', params: statements.map(({ params }) => params) };
}

/** The same statements as calls of Neon's HTTP interface, as the Worker's driver writes them. */
export function neonCalls(
  statements: { text: string; params: string[][] },
  endpoint: URL,
  databaseUrl: string,
): Uint8Array[] {
  const headers = {
    'content-type': 'application/json',
    'neon-connection-string': databaseUrl,
    'neon-raw-text-output': 'true',
    'neon-array-mode': 'true',
  };
  return statements.params.map((params) =>
    requestBytes('POST', endpoint, headers, JSON.stringify({ query: statements.text, params })),
  );
}
