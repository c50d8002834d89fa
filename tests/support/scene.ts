import type Stripe from 'stripe';
import type { Fact, HoldFact } from '../../functions/ledger/facts.pure.ts';
import { fixtureUser, type StripeFixture } from './stripe-fixture.ts';
import { stories, type Cast, type Story } from './stripe-stories/index.ts';

const day = 86_400;
type Change = Partial<Stripe.SubscriptionUpdateParams>;
type Dispute = { dispute: { id: string } };
export type Bought = { id: string; customer: string };

/** Facts of ours, which no event tells, at the moment of the play. */
export type Own = { facts: Fact[]; at: number };

const now: Change = { billing_cycle_anchor: { type: 'now' } };
/** How our own upgrades ask for a change; an upgrade after a downgrade in one period pays in full. */
export const upgraded: Change = {
  ...now,
  proration_behavior: 'always_invoice',
  payment_behavior: 'pending_if_incomplete',
};
export const upgradedInFull: Change = { ...now, proration_behavior: 'none' };
/** A downgrade at once: no money comes back, and no invoice tells of it. */
export const downgraded: Change = { proration_behavior: 'none' };

/** What a story can do at the Stripe stand-in, in its users' name or its merchant's. */
export class Scene {
  readonly own: Own[] = [];
  /** Seconds at which what comes after is told after all that came before: see `barrier`. */
  readonly barriers: number[] = [];
  readonly fixture: StripeFixture;
  readonly prices: StripeFixture['shop']['prices'];
  readonly #stripe: Stripe;
  #jobs = 0;

  constructor(fixture: StripeFixture) {
    this.fixture = fixture;
    this.prices = fixture.shop.prices;
    this.#stripe = fixture.stripe;
  }

  get now(): number {
    return this.fixture.shop.standIn.now();
  }

  async days(days: number): Promise<void> {
    await this.fixture.shop.advance(Math.round(days * day));
  }

  /** To the renewal of a monthly period, and past the hour in which its invoice is a draft. */
  month = (): Promise<void> => this.days(31.1);

  async subscribe(
    price: Stripe.Price,
    extra: Partial<Stripe.Checkout.SessionCreateParams> = {},
  ): Promise<Bought> {
    const { subscription, customer } = await this.fixture.subscribe(price.id, extra);
    await this.days(0.01);
    return { id: subscription.id, customer };
  }

  async change(
    { id }: Bought,
    price: Stripe.Price,
    how: Change,
    quantity?: number,
  ): Promise<Stripe.Subscription> {
    const [item] = (await this.#stripe.subscriptions.retrieve(id)).items.data;
    const items = [{ id: item?.id ?? '', price: price.id, ...(quantity && { quantity }) }];
    return this.#stripe.subscriptions.update(id, { ...how, items });
  }

  /** Ends a subscription at once. */
  cancel = ({ id }: Bought) => this.#stripe.subscriptions.cancel(id);

  card = ({ customer }: Bought, card: 'ok' | 'decline') =>
    this.fixture.shop.local(`/customers/${customer}`, { card });

  async packs(quantity = 1): Promise<string> {
    const payment = await this.fixture.buyPacks(quantity);
    await this.days(0.01);
    return payment;
  }

  /** A checkout of a pack that is left open; gives what pays it, by a bank that takes three days. */
  async openPack() {
    const { url } = await this.fixture.openPacks(1);
    const { press } = this.fixture.shop;
    return { payByBank: () => press(url, { action: 'async', email: 'ada@example.com' }) };
  }

  /** A pack for whoever has the e-mail address. */
  async packByGuest(): Promise<void> {
    const metadata = { pack: 'pack', quantity: '1' };
    const { url } = await this.fixture.openPacks(1, { client_reference_id: 'nobody', metadata });
    await this.fixture.shop.press(url, { action: 'pay', email: 'ada@example.com' });
  }

  /** The payment intent of a subscription's newest invoice, or of the one `before` it. */
  async paymentOf({ id }: Bought, before = 0): Promise<string> {
    const { data } = await this.#stripe.invoices.list({ subscription: id });
    const payments = await this.#stripe.invoicePayments.list({ invoice: data[before]?.id ?? '' });
    return payments.data[0]?.payment.payment_intent as string;
  }

  async refund(payment_intent: string, amount?: number): Promise<void> {
    await this.#stripe.refunds.create({ payment_intent, ...(amount && { amount }) });
  }

  async dispute(payment: string, amount?: number): Promise<string> {
    const { latest_charge: charge } = await this.#stripe.paymentIntents.retrieve(payment);
    const path = `/charges/${charge as string}/dispute`;
    const { dispute } = await this.fixture.shop.local<Dispute>(path, amount ? { amount } : {});
    return dispute.id;
  }

  close = (dispute: string, status: 'won' | 'lost') =>
    this.fixture.shop.local(`/disputes/${dispute}`, { status });

  #tell(...facts: Fact[]): void {
    this.own.push({ facts, at: this.now });
  }

  /** A job that starts: a hold in the second's end, after what Stripe did in it. */
  start(credits: number): HoldFact {
    this.#jobs += 1;
    const job = `00000000-0000-4000-8000-${String(this.#jobs).padStart(12, '0')}`;
    const atUs = this.now * 1e6 + 500_000 + 2 * this.#jobs;
    const key = `hold:${job}:1`;
    const told = { key, atUs, decidedAtMs: Math.floor(atUs / 1000) };
    const hold: HoldFact = { kind: 'hold', ...told, job, run: 1, credits };
    this.#tell(hold);
    return hold;
  }

  /** That job ends or is paused: so many credits come back. */
  end(start: HoldFact, back: number): void {
    const { job, run, key: hold, credits, atUs: since } = start;
    const atUs = Math.max(since + 1, this.now * 1e6 + 700_000);
    const key = `release:${job}:${run}`;
    const told = { key, atUs, decidedAtMs: Math.floor(atUs / 1000) };
    const rows = credits - back;
    // No run ends that has not begun: whoever tells its end tells its start.
    this.#tell(start, { kind: 'release', ...told, job, run, hold, credits: back, rows });
  }

  spend(credits: number): void {
    this.end(this.start(credits), 0);
  }

  /** The catalogue says that a price means other credits from now on. */
  async raise(price: Stripe.Price, credits: number): Promise<void> {
    const metadata = {
      rowloom_kind: 'plan',
      rowloom_key: 'starter',
      rowloom_credits: String(credits),
    };
    await this.#stripe.prices.update(price.id, { metadata });
  }

  /** What follows is told after all that came before: the catalogue changes, and reaches what is learned later. */
  barrier(): void {
    this.barriers.push(this.now);
  }

  /** One of the stories that the stand-in cannot play, from now on by its clock. */
  told(name: string): Promise<void> {
    const tell = stories[name];
    if (!tell) throw new Error(`There is no story ${name}.`);
    return this.tellStory(tell);
  }

  /** Tells a story, and moves the clock to its end. */
  async tellStory(tell: (cast: Cast) => Story): Promise<void> {
    const { starter, growth, pack } = this.prices;
    const prices = { plan: starter, bigger: growth, pack };
    const story = tell({ at: this.now, prices, tag: 'Told', userId: fixtureUser });
    for (const step of story.steps) this.fixture.shop.standIn.tell(step);
    await this.fixture.shop.local('/clock', { to: Math.max(story.at, this.now) + 60 });
  }
}
