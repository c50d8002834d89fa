import { expect } from 'vitest';
import { reconcile, type Reconciled } from '../../functions/stripe/reconcile.ts';
import { seeded } from './books-rules.ts';
import type { Play } from './convergence.ts';
import type { TestDatabase } from './database.ts';
import { assertBooksHold } from './ledger-invariants.ts';
import { Scene } from './scene.ts';
import type { StoredBooks } from './stored-books.ts';
import { StripeFixture, type FixtureShop } from './stripe-fixture.ts';
import { readTellings, seed, type Telling } from './tellings.ts';

const day = 86_400;
/** So many subsets of each story's events are lost at its end, and long after it; the first time all of them. */
const subsets = Number(process.env['SUBSETS'] ?? 4);
const phases = [
  { days: 60 / day, count: subsets },
  { days: 70, count: Math.ceil(subsets / 2) },
];

export const lost = { stories: 0, subsets: 0, events: 0, differences: 0 };

/** Walks to the end. */
export async function walk(
  fixture: StripeFixture,
  input: Parameters<typeof reconcile>[1],
): Promise<Reconciled['differences']> {
  const differences: Reconciled['differences'] = [];
  let { cursor } = input;
  for (let calls = 0; calls < 50; calls += 1) {
    const page = await reconcile(fixture.ctx, { ...input, cursor });
    differences.push(...page.differences);
    if (page.nextCursor === null) return differences;
    cursor = page.nextCursor;
  }
  throw new Error('the walk does not end');
}

/** Which states were told when leaves no trace; where subscriptions stand does. */
function comparable({ user, lots, holds, subscriptions, facts }: StoredBooks) {
  const standing = subscriptions.map(
    ({ state_position: _position, failing_since: _since, grace_days: _days, ...row }) => row,
  );
  const money = facts.filter(({ kind }) =>
    ['plan', 'pack', 'reversal', 'customer'].includes(String(kind)),
  );
  return { user, lots, holds, standing, money };
}

/** What was paid, what went back, and where subscriptions stand: this much Stripe's objects always tell. */
const leastOf = (books: StoredBooks) => {
  const { money, standing } = comparable(books);
  return {
    money: money.map(({ key, atUs, total, amount, taken, charge, payment }) => [
      key,
      { atUs, total, amount, taken, charge, payment },
    ]),
    standing: standing.map(({ status, plan, quantity, taken_back: takenBack, ended_at: end }) => [
      plan,
      { status, quantity, takenBack, end },
    ]),
  };
};

type Told = { tellings: readonly Telling[]; endMs: number; isSignedUpLater: boolean };

async function deliver(fixture: StripeFixture, { tellings, endMs, isSignedUpLater }: Told) {
  await fixture.reset({ isSignedUp: !isSignedUpLater });
  for (const telling of tellings) {
    fixture.nowMs = endMs + telling.group * 1000;
    if (telling.event) await fixture.deliver(telling.whole);
    else if (telling.facts.length > 0) await fixture.tell(telling.facts);
    else await fixture.signUp();
  }
  await fixture.settle();
  return fixture.books();
}

async function loseSubsets(
  fixture: StripeFixture,
  told: Told,
  { pastOf, name, count }: { pastOf: string | undefined; name: string; count: number },
) {
  const { pool } = fixture.database;
  const expected = await deliver(fixture, told);
  for (let subset = 0; subset < count; subset += 1) {
    const next = seeded(seed + subset * 104_729);
    const kept = told.tellings.filter(({ event }) => !event || (subset > 0 && next(2) === 0));
    await deliver(fixture, { ...told, tellings: kept });
    lost.differences += (await walk(fixture, { dryRun: false })).length;
    await fixture.settle();
    await assertBooksHold(pool);
    const found = await fixture.books();
    const which = `${name}: subset ${subset} of seed ${seed}`;
    if (pastOf === undefined) expect(comparable(found), which).toEqual(comparable(expected));
    else expect(leastOf(found), which).toEqual(leastOf(expected));
    expect(await walk(fixture, { dryRun: false }), which).toEqual([]);
    lost.subsets += 1;
    lost.events += told.tellings.length - kept.length;
  }
}

/**
 * Plays a story and loses parts of what Stripe told of it: what it has at the end makes up for that, at once
 * and when its events are gone. `pasts`: stories whose books rest on states that Stripe's objects do not
 * remember, and why; of these at least what was paid and where it stands must be equal.
 */
export const losing =
  (pasts: Readonly<Record<string, string>>) =>
  async (databases: TestDatabase[], shop: FixtureShop, play: Play, name: string): Promise<void> => {
    const [database] = databases;
    if (!database) throw new Error('There is no database.');
    const { env = {}, isSignedUpLater = false } = play;
    const fixture = new StripeFixture(database, shop, env);
    await fixture.reset();
    const scene = new Scene(fixture);
    await play.play(scene);
    for (const { days, count } of phases) {
      await scene.days(days);
      const endMs = (scene.now + 1) * 1000;
      fixture.nowMs = endMs;
      const tellings = await readTellings(fixture, scene, isSignedUpLater);
      await loseSubsets(
        fixture,
        { tellings, endMs, isSignedUpLater },
        { pastOf: pasts[name], name, count },
      );
    }
    lost.stories += 1;
  };
