import { afterEach, beforeEach } from 'vitest';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { assertBooksHold } from './ledger-invariants.ts';
import { walk } from './lost-events.ts';
import { Scene } from './scene.ts';
import { fixtureUser, StripeFixture } from './stripe-fixture.ts';

/** A shop of its own for each test of a file, and what can be played in it; its books hold at the end. */
export function eachScene(take: (opened: { fixture: StripeFixture; scene: Scene }) => void): void {
  let fixture: StripeFixture;
  beforeEach(async () => {
    fixture = await StripeFixture.open();
    await fixture.reset();
    take({ fixture, scene: new Scene(fixture) });
  });
  afterEach(async () => {
    await assertBooksHold(fixture.database.pool);
    await fixture.close();
  });
}

/** What tests of the reconciliation play, and ask, of the scene of the moment. */
export const reconciling = (sceneNow: () => Scene) => {
  const query = async <T extends object>(text: string): Promise<T[]> =>
    (await sceneNow().fixture.database.pool.query<T>(text)).rows;
  return {
    query,

    credits: async () => {
      const [user] = await query<{ plan: number; bonus: number; bought: number }>(
        `select credits_plan::int as plan, credits_bonus::int as bonus, credits_purchased::int as bought
          from users where id = '${fixtureUser}'`,
      );
      return user;
    },

    /** What a walk to the end says; it posts unless it is told otherwise. */
    says: async (input: Parameters<typeof walk>[1] = { dryRun: false }): Promise<string[]> =>
      (await walk(sceneNow().fixture, input)).map(({ says }) => says),

    /** A subscription that is upgraded, two packs of which one is refunded, a guest's pack. */
    story: async (): Promise<void> => {
      const scene = sceneNow();
      const bought = await scene.subscribe(scene.prices.starter);
      await scene.days(1);
      await scene.change(bought, scene.prices.pro, { proration_behavior: 'always_invoice' });
      await scene.days(1);
      const payment = await scene.packs(2);
      await scene.days(1);
      await scene.refund(payment, 900);
      await scene.packByGuest();
    },

    deliverAll: async (keep: (event: StripeEvent) => boolean = () => true): Promise<void> => {
      const { fixture } = sceneNow();
      for (const event of await fixture.events()) if (keep(event)) await fixture.deliver(event);
      await fixture.settle();
    },
  };
};
