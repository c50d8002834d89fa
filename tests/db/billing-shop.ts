import type Stripe from 'stripe';
import type { StripeStandIn } from '../../local/stripe/index.ts';
import { catalogue } from '../../functions/billing/catalogue.pure.ts';
import { createCheckout } from '../../functions/billing/create-checkout.ts';
import { openPortal } from '../../functions/billing/open-portal.ts';
import { createStripe } from '../../functions/clients/stripe.ts';
import type { Ctx } from '../../functions/context.ts';
import { parseCheckoutSettings } from '../../functions/env.ts';
import { DomainError } from '../../functions/errors.ts';
import { ensureUser, found } from '../../functions/users/ensure.ts';
import { subscriptionView } from '../../functions/users/view.pure.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { ensurePortal } from '../../scripts/stripe-setup/portal.ts';
import { ensurePrices, type Priced } from '../../scripts/stripe-setup/prices.ts';
import { storePrices } from '../../scripts/stripe-setup/store.ts';
import { startCheckedStripe } from '../support/checked-stripe.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

type Events = { events: { id: string; type: string }[] };
export const DAY = 86_400;

/** The catalogue at the stand-in, as `stripe:setup` makes it, and a database that knows it. */
export class BillingShop {
  readonly database: TestDatabase;
  readonly standIn: StripeStandIn;
  readonly ctx: Ctx;
  /** The same with a short patience, for what never answers. */
  readonly hurried: Ctx;
  readonly stripe: Stripe;
  readonly prices: Priced[];
  #delivered = new Set<string>();
  #users = 0;

  static async open(env: Record<string, string> = {}): Promise<BillingShop> {
    const [database, standIn] = await Promise.all([createDatabase(), startCheckedStripe()]);
    const stripe = createStripe({ secretKey: standIn.secretKey, apiBase: standIn.url });
    const quietly = () => undefined;
    const settings = parseCheckoutSettings(env);
    const prices = await ensurePrices(stripe, catalogue, quietly, settings);
    await ensurePortal(stripe, prices, quietly, settings);
    await storePrices(database.url, prices);
    return new BillingShop({ database, standIn, prices, env });
  }

  private constructor(parts: {
    database: TestDatabase;
    standIn: StripeStandIn;
    prices: Priced[];
    env: Record<string, string>;
  }) {
    const { database, standIn, prices, env } = parts;
    this.database = database;
    this.standIn = standIn;
    this.prices = prices;
    const base = { ...testCtx(database, env), now: () => new Date(standIn.nowMs()) };
    const keys = { secretKey: standIn.secretKey, apiBase: standIn.url, retryDelayMs: 5 };
    this.stripe = createStripe(keys);
    this.ctx = { ...base, stripe: this.stripe };
    this.hurried = { ...base, stripe: createStripe({ ...keys, timeoutMs: 150 }) };
  }

  async close(): Promise<void> {
    await this.database.drop();
    await this.standIn.close();
  }

  priceOf = (key: string): string => {
    const found = this.prices.find(({ item }) => item.key === key);
    if (!found) throw new Error(`no ${key} in the catalogue`);
    return found.price.id;
  };

  local = async <T>(path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${this.standIn.url}/_local${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };

  /** A user who has signed up; gives the id. */
  async signUp(): Promise<string> {
    const name = `user-${(this.#users += 1)}`;
    const identity = { externalId: name, email: `${name}@example.com`, emailVerified: true };
    return (await ensureUser(this.ctx, identity)).user.id;
  }

  read = (userId: string) => this.ctx.db.call('user_read', { p_user: userId }, found);

  /** What GET /v1/billing/subscription shows. */
  shown = async (userId: string) =>
    subscriptionView((await this.read(userId)).subscriptions[0] ?? null);

  customerOf = async (userId: string): Promise<string | null> => {
    const text = 'select stripe_customer_id as id from users where id = $1';
    const [row] = await this.ctx.db.rows<{ id: string | null }>(text, [userId]);
    return row?.id ?? null;
  };

  setCard = async (userId: string, card: 'ok' | 'decline' | 'action'): Promise<void> => {
    await this.local(`/customers/${await this.customerOf(userId)}`, { card });
  };

  /** Pays on the page of a checkout session, with a promotion code if one is given. */
  pay = async (url: string, fields: { promotion_code?: string } = {}): Promise<void> => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({ action: 'pay', ...fields }),
    });
    if (!answer.ok) throw new Error(`paying: ${answer.status} ${await answer.text()}`);
  };

  /** A user with a paid subscription whose webhooks have come. */
  async subscribe(plan = 'starter'): Promise<{ userId: string; subscriptionId: string }> {
    const userId = await this.signUp();
    const { url } = await createCheckout(this.ctx, { userId, item: { plan } });
    await this.pay(url);
    await this.deliver();
    const text = 'select stripe_subscription_id as id from subscriptions where user_id = $1';
    const [row] = await this.ctx.db.rows<{ id: string }>(text, [userId]);
    if (!row) throw new Error('no subscription came of it');
    return { userId, subscriptionId: row.id };
  }

  /** The same without Checkout, for what only the API makes: billing modes, trials, discounts. */
  async subscribeBy(
    wanted: {
      plan: string;
      mode?: 'classic' | 'flexible';
    } & Partial<Stripe.SubscriptionCreateParams>,
  ): Promise<{ userId: string; subscriptionId: string }> {
    const { plan, mode = 'flexible', ...extra } = wanted;
    const userId = await this.signUp();
    await openPortal(this.ctx, { userId });
    await this.setCard(userId, 'ok');
    const { id } = await this.stripe.subscriptions.create({
      billing_mode: { type: mode },
      customer: (await this.customerOf(userId)) ?? '',
      items: [{ price: this.priceOf(plan) }],
      metadata: { user_id: userId },
      ...extra,
    });
    await this.deliver();
    return { userId, subscriptionId: id };
  }

  /** Delivers what Stripe has told since the last time, in this order; gives the types as they were told. */
  async deliver(ordered = <T>(events: T[]): T[] => events): Promise<string[]> {
    const { events } = await this.local<Events>('/events');
    const fresh = events.filter(({ id }) => !this.#delivered.has(id));
    for (const told of ordered(fresh)) {
      this.#delivered.add(told.id);
      const event = readEvent(told);
      if (event) await applyEvent(this.ctx, event);
    }
    return fresh.map(({ type }) => type);
  }

  /** The types of the events that `play` causes. */
  async told(play: () => Promise<unknown>): Promise<string[]> {
    const before = (await this.local<Events>('/events')).events.length;
    await play();
    return (await this.local<Events>('/events')).events.slice(before).map(({ type }) => type);
  }

  advance = (seconds: number) => this.local('/clock', { advance_seconds: seconds });

  /** Plays something while a fault lasts; gives how often the fault struck, and the error. */
  async during(
    fault: Parameters<StripeStandIn['faults']['add']>[0],
    play: () => Promise<unknown>,
  ): Promise<{ tries: number; error: unknown }> {
    const many = 1000;
    const { faults } = this.standIn;
    const added = faults.add({ ...fault, times: many });
    let error: unknown;
    try {
      await play();
    } catch (thrown) {
      error = thrown;
    } finally {
      faults.clear();
    }
    return { tries: many - (added.times ?? many), error };
  }
}

/** The refusal that a call must end in. */
export async function refusal(call: Promise<unknown>): Promise<DomainError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error('The call succeeded.');
}
