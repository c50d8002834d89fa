import { expect, test } from 'vitest';
import { eachScene, reconciling } from '../support/each-scene.ts';
import type { Scene } from '../support/scene.ts';
import { type StripeFixture, fixtureUser } from '../support/stripe-fixture.ts';
import { stories } from '../support/stripe-stories/index.ts';

let fixture: StripeFixture;
let scene: Scene;
eachScene((opened) => ({ fixture, scene } = opened));

const { says } = reconciling(() => scene);

/** What a walk is to find nothing of, once it has been told: by events, or by a walk. */
const happenings: Record<string, () => Promise<unknown>> = {
  'a price renamed, one archived, one private, one of another product': async () => {
    const { prices } = fixture.stripe;
    const ours = { rowloom_kind: 'plan', rowloom_credits: '1000' };
    await prices.update(scene.prices.starter.id, {
      metadata: { ...ours, rowloom_key: 'basic', rowloom_listed: 'true' },
      nickname: 'Basic',
    });
    await prices.update(scene.prices.growth.id, {
      active: false,
      metadata: { ...ours, rowloom_key: 'growth', rowloom_credits: '5000' },
    });
    const terms = {
      currency: 'usd',
      product: fixture.shop.product.id,
      recurring: { interval: 'month' as const },
      unit_amount: 500,
    };
    await prices.create({ ...terms, metadata: { ...ours, rowloom_key: 'basic' } });
    const other = await prices.create(terms);
    await fixture.shop.subscribe(other.id);
    await fixture.stripe.products.update(fixture.shop.product.id, { name: 'Another name' });
    const bought = await scene.subscribe(scene.prices.starter);
    await prices.update(scene.prices.starter.id, { active: false });
    await scene.month();
    return bought;
  },
  'a trial, paused, and gone on': async () => {
    const bought = await scene.subscribe(scene.prices.starter, {
      subscription_data: { trial_period_days: 7, metadata: { user_id: fixtureUser } },
    });
    await scene.days(9);
    await fixture.stripe.subscriptions.update(bought.id, {
      pause_collection: { behavior: 'void' },
    });
    await scene.month();
    await fixture.stripe.subscriptions.update(bought.id, { pause_collection: '' });
    await scene.month();
  },
  'a trial that nobody pays for': async () => {
    await scene.subscribe(scene.prices.starter, {
      payment_method_collection: 'if_required',
      subscription_data: {
        trial_period_days: 7,
        trial_settings: { end_behavior: { missing_payment_method: 'pause' } },
        metadata: { user_id: fixtureUser },
      },
    });
    await scene.days(9);
  },
  'a dispute that is won and one that is lost': async () => {
    await scene.close(await scene.dispute(await scene.packs()), 'won');
    await scene.close(await scene.dispute(await scene.packs()), 'lost');
    await scene.dispute(await scene.packs());
  },
  'a payer who only chose the account, beside its own': async () => {
    await scene.subscribe(scene.prices.starter);
    for (const [price, mode] of [
      [scene.prices.pro.id, 'subscription'],
      [scene.prices.pack.id, 'payment'],
    ] as const) {
      const { session } = await fixture.shop.local<{ session: { url: string } }>(
        '/payment-link-session',
        { mode, line_items: [{ price, quantity: 1 }], client_reference_id: fixtureUser },
      );
      await fixture.shop.press(session.url, { action: 'pay', email: 'eve@example.com' });
      await scene.days(0.1);
    }
    await scene.month();
  },
  'a subscription whose card fails until it is given up': async () => {
    const bought = await scene.subscribe(scene.prices.starter);
    await scene.card(bought, 'decline');
    await scene.days(90);
  },
  'a refund in parts, an open session and one that expired': async () => {
    const payment = await scene.packs(2);
    for (let nth = 0; nth < 3; nth += 1) await scene.refund(payment, 100);
    await scene.openPack();
    const { id } = await fixture.openPacks(1);
    await fixture.stripe.checkout.sessions.expire(id);
    await scene.days(2);
  },
  'a change that is declined, and one at the end of the period': async () => {
    const bought = await scene.subscribe(scene.prices.starter);
    await scene.days(2);
    await scene.card(bought, 'decline');
    await scene.change(bought, scene.prices.pro, {
      proration_behavior: 'always_invoice',
      payment_behavior: 'pending_if_incomplete',
    });
    await scene.days(2);
    await scene.card(bought, 'ok');
    await fixture.stripe.subscriptions.update(bought.id, { cancel_at_period_end: true });
  },
};

/** Their price is in no catalogue here: they fail until it is. */
const unknownPrices = ['inYen', 'inDinar'];
for (const name of Object.keys(stories))
  if (!unknownPrices.includes(name)) happenings[name] = () => scene.told(name);

/** No event of the story tells by which payment its invoice was paid. */
const unlinked = ['paidOutOfBand'];

test.each(Object.keys(happenings))(
  '%s: a second walk finds nothing',
  async (name) => {
    await happenings[name]?.();
    await says();
    await fixture.settle();
    expect(await says()).toEqual([]);
    // A day passes, and nothing else.
    fixture.nowMs = (scene.now + 60) * 1000;
    expect(await says()).toEqual([]);
  },
  60_000,
);

test.each(Object.keys(happenings).filter((name) => !unlinked.includes(name)))(
  '%s: a walk after its events finds nothing',
  async (name) => {
    await happenings[name]?.();
    await scene.days(0.01);
    fixture.nowMs = scene.now * 1000;
    for (const event of await fixture.events()) await fixture.deliver(event);
    await fixture.settle();
    expect(await says()).toEqual([]);
  },
  60_000,
);
