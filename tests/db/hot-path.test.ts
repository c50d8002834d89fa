import { afterAll, expect, test } from 'vitest';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { fixtureUser, StripeFixture } from '../support/stripe-fixture.ts';

/** What happens all the time is one round trip an event: nothing that is rare may cost it a second one. */

const of = await StripeFixture.open();
afterAll(() => of.close());

test('a purchase by our checkout, its renewal and its packs are one call an event', async () => {
  await of.reset();
  await of.settle();
  await of.subscribe(of.shop.prices.starter.id);
  await of.shop.local('/clock', { advance_seconds: 60 });
  await of.buyPacks(1);
  await of.shop.advance(32 * 86_400);
  // A change of the catalogue is read with the next event.
  const events = (await of.events()).filter(({ type }) => !/^(price|product)/.test(type));
  const asked: string[] = [];
  const { db } = of.ctx;
  const counting: typeof db = {
    ...db,
    call: ((...told: Parameters<typeof db.call>) => {
      asked.push(told[0]);
      return db.call(...told);
    }) as typeof db.call,
    rows: (text, params) => {
      asked.push(text);
      return db.rows(text, params);
    },
  };
  for (const event of events) await applyEvent({ ...of.ctx, db: counting }, event);
  const rare = asked.filter((name) => name !== 'stripe_event_post');
  expect(events.length).toBeGreaterThan(8);
  expect(asked).toHaveLength(events.length + rare.length);
  expect(rare).toEqual(['catalogue_read']);
  const { user } = await ensureUser(of.ctx, {
    externalId: 'ada',
    email: 'ada@example.com',
    emailVerified: true,
  });
  expect(user).toMatchObject({ id: fixtureUser, credits_balance: 1000 });
});
