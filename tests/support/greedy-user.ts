import type { CatalogueItem } from '../../functions/billing/catalogue.pure.ts';
import {
  cancelAtPeriodEnd,
  cancelNow,
  resumeSubscription,
} from '../../functions/billing/cancel-subscription.ts';
import { changePlan } from '../../functions/billing/change-plan.ts';
import { createCheckout } from '../../functions/billing/create-checkout.ts';
import { openPortal } from '../../functions/billing/open-portal.ts';
import { DomainError } from '../../functions/errors.ts';
import type { BillingShop } from '../db/billing-shop.ts';
import { newestOf, planOf, plansByPrice, readAccount, type Account } from './plan-sales.ts';

/** A user's credits, whoever keeps them. */
export type Books = {
  balance(): Promise<number>;
  unlimited(): Promise<boolean>;
  /** Holds credits as a job does; where the plan is unlimited, none. */
  hold(credits: number): Promise<Hold>;
};

/** Credits that a job holds; at its end what it did not use comes back. */
export type Hold = { credits: number; end(used: number): Promise<void> };

/** Decides by numbers that were drawn before, so that a game can be played again. */
export type Dice = { roll: (n: number) => number; pick: <T>(...values: T[]) => T };

const day = 86_400;
const hour = 3600;
const plans = ['starter', 'growth', 'scale', 'unlimited', 'growth_yearly'];

/** What a credit of a plan costs in cents, counted by its month. */
const centsPerCredit = ({ amountCents, credits, interval }: CatalogueItem): number =>
  amountCents / (interval === 'year' ? 12 : 1) / (credits ?? Infinity);

/**
 * What an upgrade may give away: a period of the lower plan, whose credits were used and whose unused
 * time is credited; of a year a month, and what February is shorter than a twelfth.
 */
const toleranceCents = ({ amountCents, interval }: CatalogueItem): number =>
  interval === 'year' ? amountCents * (1 / 12 + 1 / 12 - 28 / 365) : amountCents;

/** Plays a user who wants more than was paid for, and counts what was used and what was kept. */
export class GreedyUser {
  readonly #shop: BillingShop;
  readonly #books: Books;
  readonly #userId: string;
  readonly #prices: Map<string, CatalogueItem>;
  readonly #customer: string;
  /** Pages of the portal that were opened, however long ago. */
  readonly #portals: string[] = [];
  readonly #unlimitedPeriods = new Set<string>();
  /** By an unlimited plan's invoice the metered plan that it was left for first. */
  readonly #leftFor = new Map<string, CatalogueItem>();
  /** Jobs that run, with what a credit was worth when they began. */
  #running: (Hold & { worthCents: number })[] = [];
  #usedCents = 0;
  readonly story: string[] = [];

  /** The user has a Stripe customer, and no credits but those of plans. */
  static async arrive(shop: BillingShop, userId: string, books: Books): Promise<GreedyUser> {
    const customer = await shop.customerOf(userId);
    if (customer === null) throw new Error('The user has no customer yet.');
    return new GreedyUser(shop, userId, books, await plansByPrice(shop.stripe), customer);
  }

  private constructor(
    shop: BillingShop,
    userId: string,
    books: Books,
    prices: Map<string, CatalogueItem>,
    customer: string,
  ) {
    this.#shop = shop;
    this.#userId = userId;
    this.#books = books;
    this.#prices = prices;
    this.#customer = customer;
  }

  account = (): Promise<Account> => readAccount(this.#shop.stripe, this.#prices, this.#customer);

  /** One move, and its events; what is refused in our words or by a page of Stripe's is no move. */
  async play(move: keyof typeof moves, dice: Dice, isShuffled: boolean): Promise<void> {
    const before = this.story.length;
    try {
      await moves[move]?.(this, dice);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.story.push(`${move}: ${error.code}`);
    }
    if (this.story.length === before) this.story.push(move);
    const by = new Map<unknown, number>();
    const rank = (event: unknown): number => {
      const known = by.get(event) ?? dice.roll(1000);
      by.set(event, known);
      return known;
    };
    await this.#shop.deliver((events) =>
      isShuffled ? events.toSorted((a, b) => rank(a) - rank(b)) : events,
    );
    // Nobody is quicker than Stripe's clock, which counts seconds.
    await this.#shop.advance(1);
  }

  /** Uses a share of what there is; what it is worth is what its plan cost. */
  async use(share: number): Promise<void> {
    const account = await this.account();
    const newest = newestOf(account.sales);
    if (await this.#books.unlimited()) {
      await (await this.#books.hold(1)).end(1);
      if (!newest || newest.plan.credits !== null)
        throw new Error('unlimited is not what was paid last');
      if (this.#unlimitedPeriods.has(newest.invoice)) return;
      this.#unlimitedPeriods.add(newest.invoice);
      this.#usedCents += newest.plan.amountCents;
      this.story.push('use unlimited');
      return;
    }
    const credits = Math.floor((await this.#books.balance()) * share);
    if (credits === 0) return;
    await (await this.#books.hold(credits)).end(credits);
    this.#usedCents += credits * this.#worthOf(account);
    this.story.push(`use ${credits}`);
  }

  /** Starts a job that holds a share of what there is. */
  async start(share: number): Promise<void> {
    if (await this.#books.unlimited()) return;
    const credits = Math.floor((await this.#books.balance()) * share);
    if (credits === 0) return;
    const worthCents = this.#worthOf(await this.account());
    this.#running.push({ ...(await this.#books.hold(credits)), worthCents });
    this.story.push(`hold ${credits}`);
  }

  /** Ends a job that runs, with a share of what it held used. */
  async end(share: number): Promise<void> {
    const job = this.#running.shift();
    if (!job) return;
    const used = Math.floor(job.credits * share);
    await job.end(used);
    this.#usedCents += used * job.worthCents;
    this.story.push(`end a job, ${used} used`);
  }

  /**
   * Credits are from the metered plan that was paid last, or that an unlimited one was left for: that is
   * granted once for the unlimited plan's price.
   */
  #worthOf({ sales, subscriptions }: Account): number {
    const newest = newestOf(sales);
    if (newest && newest.plan.credits !== null) return centsPerCredit(newest.plan);
    const item = subscriptions.find(({ id }) => id === newest?.subscription)?.items.data[0];
    const plan = planOf(this.#prices, item?.price.id);
    if (newest && !this.#leftFor.has(newest.invoice)) this.#leftFor.set(newest.invoice, plan);
    return centsPerCredit(plan);
  }

  /** By how many cents the credits used are worth more than they may be; at most 0 is honest. */
  async gainCents(): Promise<number> {
    const { keptCents, sales, invoices } = await this.account();
    const tolerance = [...sales.flatMap(({ credited }) => credited), ...this.#leftFor.values()]
      .map(toleranceCents)
      .reduce((sum, cents) => sum + cents, 0);
    return this.#usedCents - keptCents - tolerance - invoices.length;
  }

  change = (plan: string, when: 'now' | 'period_end' | undefined) => {
    this.story.push(`change to ${plan} ${when ?? ''}`);
    return changePlan(this.#shop.ctx, { userId: this.#userId, plan, when });
  };

  cancel = (verb: typeof cancelNow) => verb(this.#shop.ctx, { userId: this.#userId });

  card = (card: 'ok' | 'decline' | 'action') => {
    this.story.push(`card ${card}`);
    return this.#shop.setCard(this.#userId, card);
  };

  wait = (seconds: number) => {
    this.story.push(`wait ${seconds / hour} h`);
    return this.#shop.advance(seconds);
  };

  /** Waits until so long before the period ends. */
  async waitUntilLast(seconds: number): Promise<void> {
    const { subscriptions } = await this.account();
    const [item] = subscriptions.find(({ ended_at: ended }) => ended === null)?.items.data ?? [];
    if (!item) return;
    this.story.push(`wait until ${seconds / hour} h before the end`);
    await this.#shop.local('/clock', { to: item.current_period_end - seconds });
  }

  async subscribe(plan: string, action: 'pay' | 'decline'): Promise<void> {
    this.story.push(`buy ${plan}, ${action}`);
    const { ctx } = this.#shop;
    const { url } = await createCheckout(ctx, { userId: this.#userId, item: { plan } });
    await this.#press(url, { action });
  }

  async openPortal(): Promise<void> {
    this.#portals.push((await openPortal(this.#shop.ctx, { userId: this.#userId })).url);
  }

  /** Presses a button on any page of the portal that was ever opened. */
  async inPortal(dice: Dice, action: 'switch' | 'cancel' | 'keep', plan: string): Promise<void> {
    if (this.#portals.length === 0) await this.openPortal();
    const { subscriptions } = await this.account();
    const live = subscriptions.find(({ ended_at: ended }) => ended === null);
    if (!live) return;
    const price = this.#shop.priceOf(plan);
    const page = dice.pick(...this.#portals);
    const isDone = await this.#press(page, { action, price, subscription: live.id });
    this.story.push(`portal: ${action} ${plan}${isDone ? '' : ', refused'}`);
  }

  /** Pays the newest open invoice on its page, which takes a good card. */
  async payInvoice(): Promise<void> {
    const open = (await this.account()).invoices.find(({ status }) => status === 'open');
    if (open?.hosted_invoice_url == null) return;
    this.story.push(`pay ${open.total}`);
    await this.#press(open.hosted_invoice_url, {});
  }

  async #press(url: string, fields: Record<string, string>): Promise<boolean> {
    const answer = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: { accept: 'application/json' },
      body: new URLSearchParams(fields),
    });
    if (answer.status >= 500) throw new Error(`${url}: ${await answer.text()}`);
    return answer.status < 400;
  }
}

type Move = (user: GreedyUser, dice: Dice) => Promise<unknown>;

/** Our calls, the portal, cards, invoices and time; changes come up oftener than the rest. */
export const moves: Record<string, Move> = {
  change: (user, { pick }) =>
    user.change(pick(...plans), pick('now', 'now', 'period_end', undefined)),
  downThenUp: async (user, { pick }) => {
    await user.change(pick('starter', 'growth'), 'now');
    await user.use(1);
    await user.change(pick('growth', 'scale', 'unlimited'), 'now');
  },
  downThenUpInPortal: async (user, dice) => {
    await user.openPortal();
    await user.change(dice.pick('starter', 'growth'), 'now');
    await user.use(1);
    await user.inPortal(dice, 'switch', dice.pick('growth', 'scale', 'unlimited'));
  },
  switch: (user, dice) => user.inPortal(dice, 'switch', dice.pick(...plans)),
  portal: (user) => user.openPortal(),
  portalButton: (user, dice) => user.inPortal(dice, dice.pick('cancel', 'keep'), 'starter'),
  subscribe: (user, { pick }) => user.subscribe(pick(...plans), pick('pay', 'pay', 'decline')),
  cancel: (user, { pick }) => user.cancel(pick(cancelNow, cancelAtPeriodEnd, resumeSubscription)),
  card: (user, { pick }) => user.card(pick('ok', 'ok', 'decline', 'action')),
  payInvoice: (user) => user.payInvoice(),
  wait: (user, { pick }) => user.wait(pick(60, 2 * hour, day, 4 * day, 11 * day, 33 * day)),
  start: (user, { pick }) => user.start(pick(1, 0.5)),
  end: (user, { pick }) => user.end(pick(1, 0.5, 0)),
  waitUntilLast: (user, { pick }) => user.waitUntilLast(pick(day, hour, -60, -2 * hour)),
};
