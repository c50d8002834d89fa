import type Stripe from 'stripe';
import { callThrough } from '../../db/call.ts';
import type { Db } from '../../db/client.ts';
import { createStripe } from '../../functions/clients/stripe.ts';
import type { Ctx } from '../../functions/deps.ts';
import { deciders, readEvent, type StripeEvent } from '../../functions/webhooks/decide.pure.ts';
import { applyEvent } from '../../functions/webhooks/receive.ts';
import { retryDueEvents } from '../../functions/webhooks/retry-due.ts';
import { openShop, type Shop } from '../local/stripe-client.ts';
import { testCtx } from './ctx.ts';
import { createDatabase, type TestDatabase } from './database.ts';

export const labUser = '11111111-1111-4111-8111-111111111111';

const tables = [
  'users',
  'credit_lots',
  'stripe_events',
  'subscriptions',
  'stripe_prices',
  'stripe_grants',
  'stripe_payment_refs',
  'stripe_reversals',
  'credit_movements',
  'credit_entries',
];

/** Everything of a user that must not depend on how the events came. */
export type Snapshot = {
  keys: string[];
  lots: { kind: string; source: string; remaining: number }[];
  user: Record<string, unknown>;
  subscriptions: Record<string, unknown>[];
  claims: Record<string, unknown>[];
};

/** Straight to Postgres, for the many thousands of calls that orders take. */
const directDb = (database: TestDatabase): Pick<Db, 'call' | 'rows'> => ({
  rows: async <T>(text: string, params: unknown[] = []) =>
    (await database.pool.query(text, params)).rows as T[],
  call: callThrough(
    async (text, params) => (await database.pool.query<{ result: unknown }>(text, params)).rows,
  ),
});

/**
 * A shop at the Stripe stand-in and a user in a database: plays a story once, then delivers its events
 * in any order, as often as it likes, to a user who starts anew each time.
 */
export class Lab {
  readonly shop: Shop;
  readonly stripe: Stripe;
  readonly ctx: Ctx;
  readonly database: TestDatabase;
  #holds = 0;

  static async open(env: Record<string, string> = {}): Promise<Lab> {
    const [database, shop] = await Promise.all([createDatabase(), openShop()]);
    await shop.local('/deliveries', { paused: true });
    return new Lab(database, shop, env);
  }

  private constructor(database: TestDatabase, shop: Shop, env: Record<string, string>) {
    this.database = database;
    this.shop = shop;
    const stripe = createStripe({ secretKey: 'sk_test_shop', apiBase: shop.standIn.url });
    this.stripe = stripe;
    const ctx = testCtx(database, env);
    this.ctx = { ...ctx, stripe, db: { ...ctx.db, ...directDb(database) } };
  }

  async close(): Promise<void> {
    await this.database.drop();
    await this.shop.standIn.close();
  }

  /** The catalogue, and a user with 500 sign-up credits and no history. */
  async reset(): Promise<void> {
    const { starter, pro, yearly, pack } = this.shop.prices;
    await this.database.pool.query(`
      set session_replication_role = replica;
      ${tables.map((name) => `delete from ${name};`).join(' ')}
      set session_replication_role = origin;
      insert into stripe_prices (price_id, product_id, kind, key, name, credits, interval, amount_cents, currency)
        values ('${starter.id}', 'p', 'plan', 'starter', 'Starter', 1000, 'month', 2000, 'usd'),
               ('${pro.id}', 'p', 'plan', 'pro', 'Pro', 5000, 'month', 5000, 'usd'),
               ('${yearly.id}', 'p', 'plan', 'yearly', 'Yearly', 12000, 'year', 20000, 'usd'),
               ('${pack.id}', 'p', 'pack', 'pack', 'Pack', 300, null, 900, 'usd');
      insert into users (id, external_id, email) values ('${labUser}', 'lab', 'ada@example.com');
      select rowloom.ledger_post('${labUser}', 'ADD', 500, 'signup', 'signup:lab', 'signup', 'lab', p_lot_kind => 'bonus')`);
  }

  /** Subscribes the lab's user, as our checkout would. */
  subscribe = (price: string) =>
    this.shop.subscribe(price, {
      client_reference_id: labUser,
      metadata: { user_id: labUser },
      subscription_data: { metadata: { user_id: labUser } },
    });

  /** Buys packs for the lab's user; gives the payment intent. */
  async buyPacks(quantity: number): Promise<string> {
    const session = await this.shop.checkout(this.shop.prices.pack.id, {
      mode: 'payment',
      line_items: [{ price: this.shop.prices.pack.id, quantity }],
      client_reference_id: labUser,
      metadata: { user_id: labUser, pack: 'pack', quantity: String(quantity) },
    });
    await this.shop.press(session.url, { action: 'pay', email: 'ada@example.com' });
    const paid = await this.stripe.checkout.sessions.retrieve(session.id);
    return paid.payment_intent as string;
  }

  /** What Stripe has told so far, oldest first: the events that can change anything. */
  async events(): Promise<StripeEvent[]> {
    // Stripe's own list forgets after 30 days; stories are longer.
    const { events } = await this.shop.local<{ events: { event: unknown }[] }>('/events');
    return events
      .map((told) => readEvent(told))
      .filter((event) => event !== undefined)
      .filter(({ type }) => deciders[type] !== undefined && deciders[type].name !== 'noted');
  }

  deliver = (event: StripeEvent) => applyEvent(this.ctx, event);

  /** Holds credits as a job does, if there are as many; `back` gives half of them back. → spent */
  async spend(amount: number, back: boolean): Promise<number> {
    this.#holds += 1;
    const key = `hold:${this.#holds}`;
    const post = (rule: string, credits: number, extra: string) =>
      this.database.pool.query(
        `select rowloom.ledger_post($1, $2, $3, lower($2), $4, 'job', 'lab', ${extra})`,
        [labUser, rule, credits, rule === 'HOLD' ? key : `release:${this.#holds}`],
      );
    try {
      await post('HOLD', amount, 'p_settle => 0');
    } catch (error) {
      if ((error as Error).message === 'insufficient_credits') return 0;
      throw error;
    }
    if (back)
      await post('RELEASE', Math.floor(amount / 2), `p_ref => '${key}', p_settle => ${amount}`);
    return amount;
  }

  /** What the cron does in time: tries again what failed, until nothing gets better. */
  async settle(): Promise<void> {
    for (let runs = 0; runs < 8; runs += 1) {
      const { rowCount } = await this.database.pool.query(
        "update stripe_events set next_attempt_at = now() where status = 'failed'",
      );
      if (rowCount === 0) return;
      await retryDueEvents(this.ctx);
    }
  }

  async snapshot(): Promise<Snapshot> {
    const query = async (text: string) =>
      (await this.database.pool.query<Record<string, unknown>>(text)).rows;
    const [user] = await query(
      `select credits_balance, credits_plan, credits_bonus, credits_purchased, tier, unlimited, stripe_customer_id from users`,
    );
    return {
      keys: (await query('select business_key as k from credit_entries order by 1')).map(
        ({ k }) => k as string,
      ),
      lots: (await query(
        `select kind, source_id as source, sum(remaining)::int as remaining from credit_lots
           where remaining > 0 group by 1, 2 order by 1, 2`,
      )) as Snapshot['lots'],
      user: user ?? {},
      subscriptions: await query(
        `select stripe_subscription_id, status, plan, price_id, quantity, current_period_start, current_period_end,
           cancel_at, ended_at, granted_period_end from subscriptions order by 1`,
      ),
      claims: await query(
        'select business_key, credits, claimed, shortfall from stripe_grants order by 1',
      ),
    };
  }
}
