import type Stripe from 'stripe';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createStripe } from '../../functions/clients/stripe.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { shuffled } from '../support/books-rules.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { hear } from '../support/paying.ts';
import { event } from '../support/stripe-events.ts';
import { fixtureUser, StripeFixture } from '../support/stripe-fixture.ts';

/** Other products on the same Stripe account, and money that goes back of what nobody has heard of. */

const DAY = 86_400;
const all: StripeFixture[] = [];
let of: StripeFixture;

beforeEach(async () => {
  of = await StripeFixture.open();
  all.push(of);
  await of.reset();
});
afterAll(async () => {
  for (const one of all) {
    await assertBooksHold(one.database.pool);
    await one.close();
  }
});

type Stored = { id: string; type: string; status: string; code: string | null; attempts: number };
const inbox = async (): Promise<Stored[]> =>
  (
    await of.database.pool.query<Stored>(
      'select event_id as id, type, status, error_code as code, attempts from stripe_events order by event_id',
    )
  ).rows;

const left = async (): Promise<number> => {
  const { rows } = await of.database.pool.query<{ left: number }>(
    'select credits_balance::int as left from users where id = $1',
    [fixtureUser],
  );
  return rows[0]?.left ?? NaN;
};

/** A product of somebody else on the same account. */
async function otherPrices() {
  const product = await of.stripe.products.create({ name: 'Newsletter' });
  const price = (fields: Partial<Stripe.PriceCreateParams>) =>
    of.stripe.prices.create({ currency: 'usd', product: product.id, unit_amount: 700, ...fields });
  return { plan: await price({ recurring: { interval: 'month' } }), once: await price({}) };
}

async function payLink(mode: 'payment' | 'subscription', price: string, link: object = {}) {
  const { session } = await of.shop.local<{ session: Stripe.Checkout.Session }>(
    '/payment-link-session',
    { mode, line_items: [{ price }], ...link },
  );
  await of.shop.press(session.url, { action: 'pay', email: 'ada@example.com' });
  return of.stripe.checkout.sessions.retrieve(session.id);
}

const chargeOf = async (intent: unknown): Promise<string> =>
  (await of.stripe.paymentIntents.retrieve(intent as string)).latest_charge as string;

async function invoiceIntent(invoice: unknown): Promise<string> {
  const payments = await of.stripe.invoicePayments.list({ invoice: invoice as string });
  return payments.data[0]?.payment.payment_intent as string;
}

/** A customer's whole life with another product. */
async function otherLife(metadata: Record<string, string>, link: object) {
  const { plan, once } = await otherPrices();
  const { session, subscription, customer } = await of.shop.subscribe(plan.id, {
    metadata,
    subscription_data: { metadata },
  });
  await of.shop.advance(32 * DAY);
  await of.shop.local(`/customers/${customer}`, { card: 'decline' });
  await of.shop.advance(31 * DAY);
  const open = (await of.stripe.invoices.list({ subscription: subscription.id })).data[0];
  if (open?.status === 'open') await of.stripe.invoices.voidInvoice(open.id ?? '');
  const first = await invoiceIntent(session.invoice);
  await of.stripe.refunds.create({ payment_intent: first, amount: 100 });
  await of.shop.local(`/charges/${await chargeOf(first)}/dispute`, {});
  await of.stripe.subscriptions.cancel(subscription.id);
  const bought = await payLink('payment', once.id, link);
  await of.stripe.refunds.create({ payment_intent: bought.payment_intent as string });
  await payLink('subscription', plan.id, link);
  await of.stripe.customers.del(customer);
}

describe('another product on the same Stripe account', () => {
  test.each([
    ['without a word of ours', {}, {}],
    ['with ids and references of its own', { user_id: '10' }, { client_reference_id: '1' }],
  ])('%s: each event is skipped, once, and nothing waits', async (_name, metadata, link) => {
    await otherLife(metadata, link);
    const events = await of.events();
    for (const one of shuffled(events, 5)) await of.deliver(one);
    await of.settle();
    const stored = await inbox();
    expect(stored.length).toBeGreaterThan(15);
    expect(stored.filter(({ status }) => status === 'failed')).toEqual([]);
    const told = new Set(
      stored.filter(({ status }) => status !== 'skipped').map(({ type }) => type),
    );
    // These name neither customer nor price: a payment's ids, the catalogue, who is gone.
    const unsaid = ['invoice_payment.paid', 'customer.deleted', 'product.created'];
    expect([...told].filter((type) => !unsaid.includes(type))).toEqual([]);
    expect(stored.map(({ attempts }) => attempts).filter((tries) => tries > 2)).toEqual([]);
    expect(await left()).toBe(500);
  });

  test('of a customer of ours: an unknown price stays failed, for somebody to look at', async () => {
    const { plan, once } = await otherPrices();
    await of.subscribe(of.shop.prices.starter.id);
    const [customer] = (await of.stripe.customers.list()).data;
    await of.shop.local('/clock', { advance_seconds: 60 });
    await hear(of);
    const ours = { customer: customer?.id ?? '' };
    await of.shop.subscribe(plan.id, ours);
    const pages = {
      success_url: 'https://other.test/',
      line_items: [{ price: once.id, quantity: 1 }],
    };
    const pack = await of.stripe.checkout.sessions.create({ mode: 'payment', ...pages, ...ours });
    await of.shop.press(pack.url, { action: 'pay' });
    await hear(of, 3);
    const failed = (await inbox()).filter(({ status }) => status === 'failed');
    expect(new Set(failed.map(({ code }) => code))).toEqual(
      new Set(['unknown_price', 'missing_metadata']),
    );
    expect(await left()).toBe(1000);
  });

  test('whose id is one of ours: what it sells stays failed, and grants nothing', async () => {
    const { plan } = await otherPrices();
    await of.subscribe(plan.id);
    await hear(of);
    const failed = (await inbox()).filter(({ status }) => status === 'failed');
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['unknown_price']));
    expect(await left()).toBe(500);
  });

  test.each([
    ['of a connected account', { account: 'acct_1' }],
    ['of live mode, and our key is of test mode', { livemode: true }],
  ])('%s: skipped, whatever it names', async (_reason, fields) => {
    const object = {
      id: 'cs_1',
      mode: 'payment',
      metadata: { user_id: fixtureUser, pack: 'pack' },
    };
    const sent = {
      ...event('checkout.session.completed', { ...object, payment_status: 'paid' }),
      ...fields,
    };
    for (const status of ['skipped', 'duplicate'])
      expect(await applyEvent(of.ctx, readEvent(sent) as StripeEvent)).toMatchObject({ status });
    expect(await left()).toBe(500);
  });
});

describe('money that goes back of a payment that was not heard of', () => {
  const down = () => ({
    ...of.ctx,
    stripe: createStripe({ secretKey: 'sk_test_shop', apiBase: 'http://127.0.0.1:9' }),
  });
  const reversalsOf = (events: StripeEvent[]) =>
    events.filter(({ type }) => /^(refund|charge\.refund|charge\.dispute)/.test(type));

  test.each(['pack', 'plan'] as const)(
    'of a %s: told from Stripe first, and right when the payment is heard of at last',
    async (what) => {
      const intent =
        what === 'pack'
          ? await of.buyPacks(2)
          : await invoiceIntent((await of.subscribe(of.shop.prices.starter.id)).session.invoice);
      const total = (await of.stripe.paymentIntents.retrieve(intent)).amount;
      await of.shop.local('/clock', { advance_seconds: 60 });
      await of.stripe.refunds.create({ payment_intent: intent, amount: total / 2 });
      const events = await of.events();
      for (const one of reversalsOf(events)) await of.deliver(one);
      const expected = what === 'pack' ? 500 + 300 : 500;
      expect(await left()).toBe(expected);
      expect((await inbox()).map(({ status }) => status)).not.toContain('failed');
      const alone = await of.books();
      for (const one of events) await of.deliver(one);
      await of.settle();
      expect(await left()).toBe(expected);
      expect((await of.books()).lots).toEqual(alone.lots);
    },
  );

  test('waits while Stripe does not answer, and heals: ours counts, theirs is skipped', async () => {
    const ours = await of.buyPacks(2);
    const { once } = await otherPrices();
    const theirs = await payLink('payment', once.id);
    await of.shop.local('/clock', { advance_seconds: 60 });
    await of.stripe.refunds.create({ payment_intent: ours });
    await of.stripe.refunds.create({ payment_intent: theirs.payment_intent as string });
    const unheard = reversalsOf(await of.events()).filter(({ type }) => type === 'refund.created');
    expect(unheard).toHaveLength(2);
    for (const one of unheard)
      expect(await applyEvent(down(), one)).toMatchObject({
        status: 'failed',
        code: 'unknown_payment',
      });
    await of.settle();
    const statuses = (await inbox()).map(({ status }) => status).toSorted();
    expect(statuses).toEqual(['completed', 'skipped']);
    expect(await left()).toBe(500);
    const { lots } = await of.books();
    expect(lots).toContainEqual(expect.objectContaining({ granted: 600, remaining: 0 }));
  });

  test("a Payment Link's session waits too, and so does its subscription", async () => {
    const paid = await payLink('payment', of.shop.prices.pack.id);
    expect(paid.metadata).toEqual({});
    await of.shop.local('/clock', { advance_seconds: 60 });
    await payLink('subscription', of.shop.prices.starter.id, { client_reference_id: 'ada' });
    const events = (await of.events()).filter(
      ({ type }) => !/^(price|product|customer\.c)/.test(type),
    );
    for (const one of events) await applyEvent(down(), one);
    expect(await left()).toBe(500);
    const failed = (await inbox()).filter(({ status }) => status === 'failed');
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['stripe_unavailable']));
    await of.settle();
    expect((await inbox()).filter(({ status }) => status === 'failed')).toEqual([]);
    // The guest's pack is beside: it stood before the plan, which resets all.
    expect(await left()).toBe(1000);
  });
});
