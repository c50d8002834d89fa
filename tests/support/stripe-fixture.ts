import type Stripe from 'stripe';
import { callThrough, released } from '../../db/call.ts';
import type { Db } from '../../db/client.ts';
import { createStripe } from '../../functions/clients/stripe.ts';
import type { Ctx } from '../../functions/context.ts';
import { bringUpToDate } from '../../functions/ledger/due.ts';
import type { Fact } from '../../functions/ledger/facts.pure.ts';
import { refoldUser } from '../../functions/ledger/refold.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { isTelling, readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { retryDueEvents } from '../../functions/stripe/retry-events.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { openShop } from '../local/stripe-client.ts';
import { testCtx } from './ctx.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { emptyBooks, readBooks, type StoredBooks } from './stored-books.ts';

/** The user whom every event of a fixture is about, signed up with 500 credits. */
export const fixtureUser = '11111111-1111-4111-8111-111111111111';
const person = { externalId: 'ada', email: 'ada@example.com', emailVerified: true };

/** The product's own way to Postgres without Neon's proxy, for the many thousands of calls of orders. */
export const directDb = (database: TestDatabase): Pick<Db, 'call' | 'rows'> => {
  const run = async <T extends object>(text: string, params: unknown[]): Promise<T[]> =>
    (await database.pool.query<T>(text, params)).rows;
  return {
    rows: async <T>(text: string, params: unknown[] = []) =>
      (await run(released(text), params)) as T[],
    call: callThrough((text, params) => run<{ result: unknown }>(text, params)),
  };
};

/** What the catalogue makes of the shop's prices: plans of 1,000, 5,000 and 12,000, packs of 300. */
export async function openFixtureShop() {
  const shop = await openShop();
  const recurring = (interval: 'month' | 'year', unit_amount: number) =>
    shop.stripe.prices.create({
      currency: 'usd',
      product: shop.product.id,
      recurring: { interval },
      unit_amount,
    });
  const growth = await recurring('month', 7900);
  const unlimited = await recurring('month', 9900);
  /** Paid by the year, 1,000 granted each month. */
  const steady = await recurring('year', 24_000);
  await shop.local('/deliveries', { paused: true });
  return { ...shop, prices: { ...shop.prices, growth, unlimited, steady } };
}
export type FixtureShop = Awaited<ReturnType<typeof openFixtureShop>>;

const catalogueOf = ({ prices }: FixtureShop) =>
  [
    { price: prices.starter, kind: 'plan', key: 'starter', credits: 1000, trialCredits: 100 },
    { price: prices.pro, kind: 'plan', key: 'pro', credits: 5000 },
    { price: prices.growth, kind: 'plan', key: 'growth', credits: 5000 },
    { price: prices.yearly, kind: 'plan', key: 'yearly', credits: 12_000 },
    { price: prices.unlimited, kind: 'plan', key: 'unlimited', credits: null },
    { price: prices.steady, kind: 'plan', key: 'steady', credits: 1000, grantsMonthly: true },
    { price: prices.pack, kind: 'pack', key: 'pack', credits: 300 },
  ].map(({ price, ...row }) => ({
    trialCredits: 0,
    grantsMonthly: false,
    ...row,
    id: price.id,
    interval: price.recurring?.interval ?? null,
    amount: price.unit_amount,
  }));

/**
 * A shop at the Stripe stand-in and a user in a database: plays a story once, then delivers its events
 * in any order, as often as it likes, to a user who starts anew each time.
 */
export class StripeFixture {
  readonly shop: FixtureShop;
  readonly stripe: Stripe;
  readonly ctx: Ctx;
  readonly database: TestDatabase;
  /** Our clock, milliseconds since 1970; the real one where it is left out. */
  nowMs: number | undefined;

  static async open(env: Record<string, string> = {}): Promise<StripeFixture> {
    const [database, shop] = await Promise.all([createDatabase(), openFixtureShop()]);
    return new StripeFixture(database, shop, env);
  }

  /** On a database that the caller keeps, or beside a fixture with the same shop. */
  constructor(database: TestDatabase, shop: FixtureShop, env: Record<string, string>) {
    this.database = database;
    this.shop = shop;
    this.stripe = createStripe({ secretKey: 'sk_test_shop', apiBase: shop.standIn.url });
    const ctx = testCtx(database, env);
    const now = () => (this.nowMs === undefined ? new Date() : new Date(this.nowMs));
    this.ctx = { ...ctx, now, stripe: this.stripe, db: { ...ctx.db, ...directDb(database) } };
  }

  async close(): Promise<void> {
    await this.database.drop();
    await this.shop.standIn.close();
  }

  /** The catalogue, and a user without a history; `isSignedUp: false`: an account that somebody made. */
  async reset({ isSignedUp = true } = {}): Promise<void> {
    const { pool } = this.database;
    await emptyBooks(pool);
    await pool.query(
      `insert into stripe_prices (price_id, product_id, kind, key, name, credits, trial_credits, interval,
          grants_monthly, amount_cents, currency, listed)
        select id, 'p', kind, key, key, credits, "trialCredits", interval, "grantsMonthly", amount, 'usd', true
          from jsonb_to_recordset($1) as x (id text, kind text, key text, credits bigint,
            "trialCredits" bigint, interval text, "grantsMonthly" boolean, amount bigint)`,
      [JSON.stringify(catalogueOf(this.shop))],
    );
    const { externalId, email } = person;
    await pool.query('insert into users (id, external_id, email) values ($1, $2, $3)', [
      fixtureUser,
      isSignedUp ? externalId : null,
      email,
    ]);
    if (isSignedUp) await this.signUp();
  }

  signUp = () => ensureUser(this.ctx, person);

  /** Subscribes the fixture's user, as our checkout would. */
  subscribe = (price: string, extra: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    this.shop.subscribe(price, {
      client_reference_id: fixtureUser,
      metadata: { user_id: fixtureUser },
      ...extra,
      subscription_data: { metadata: { user_id: fixtureUser }, ...extra.subscription_data },
    });

  /** Opens a checkout of packs, as ours would. */
  openPacks = (quantity: number, extra: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    this.shop.checkout(this.shop.prices.pack.id, {
      mode: 'payment',
      line_items: [{ price: this.shop.prices.pack.id, quantity }],
      client_reference_id: fixtureUser,
      metadata: { user_id: fixtureUser, pack: 'pack', quantity: String(quantity) },
      ...extra,
    });

  /** Buys packs for the fixture's user; gives the payment intent. */
  async buyPacks(quantity: number): Promise<string> {
    const session = await this.openPacks(quantity);
    await this.shop.press(session.url, { action: 'pay', email: person.email });
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
      .filter(({ type }) => isTelling(type));
  }

  deliver = (event: StripeEvent) => applyEvent(this.ctx, event);

  /** Tells facts of ours at times of their own, whatever the books know: no job can do that. */
  tell = (facts: readonly Fact[]) =>
    refoldUser(this.ctx, { userId: fixtureUser, tell: () => facts });

  /** What the cron does in time: tries again what failed until nothing gets better, and what is due. */
  async settle(): Promise<void> {
    for (let runs = 0; runs < 8; runs += 1) {
      const { rowCount } = await this.database.pool.query(
        "update stripe_events set next_attempt_at = now() where status = 'failed'",
      );
      if (rowCount === 0) break;
      await retryDueEvents(this.ctx);
    }
    await bringUpToDate(this.ctx, fixtureUser);
  }

  books = (): Promise<StoredBooks> => readBooks(this.database.pool, fixtureUser);
}
