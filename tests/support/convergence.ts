import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fact } from '../../functions/ledger/facts.pure.ts';
import { entitled } from '../../functions/ledger/entitlement.pure.ts';
import { fold, type Folded } from '../../functions/ledger/fold.pure.ts';
import {
  standingOfRow,
  type SubscriptionRow,
} from '../../functions/ledger/subscription-row.pure.ts';
import { checkBooks } from './books-rules.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { joined, snapshot } from './facts.ts';
import { assertBooksHold } from './ledger-invariants.ts';
import { Scene } from './scene.ts';
import type { StoredBooks } from './stored-books.ts';
import { fixtureUser, openFixtureShop, StripeFixture, type FixtureShop } from './stripe-fixture.ts';
import { ordersOf, readTellings, seed, type Telling } from './tellings.ts';

/**
 * Stories at the Stripe stand-in, told in many orders. `ORDERS=all` tries every order of up to seven
 * tellings and 1,000 of longer stories; any other number is how many seeded orders Postgres is told.
 */
const asked = process.env['ORDERS'] ?? '40';
const isAll = asked === 'all';
const ordersInPostgres = isAll ? 1000 : Number(asked);

export type Ending = {
  /** Credits left by the kind of lot. */
  left?: { plan?: number; bonus?: number; purchased?: number };
  shortfall?: number;
  held?: number;
  /** What is entitled to in the end. */
  plan?: string | null;
  suspended?: boolean;
};
export type Play = {
  env?: Record<string, string>;
  /** Somebody made the account; its owner signs up in whatever order, too. */
  isSignedUpLater?: boolean;
  play: (scene: Scene) => Promise<void>;
  end: Ending;
};

/** So many databases deliver side by side: while one waits for Postgres, another one works. */
const lanes = 3;
const databases: TestDatabase[] = [];
const done = { stories: 0, pure: 0, postgres: 0, tellings: 0, pureMs: 0, postgresMs: 0 };

export function tellStories(name: string): void {
  beforeAll(async () => {
    for (let lane = 0; lane < lanes; lane += 1) databases.push(await createDatabase());
  });
  afterAll(async () => {
    for (const database of databases.splice(0)) await database.drop();
    console.log(`convergence, ${name}: seed ${seed}`, done);
  });
}

/** What the stored books of a user come to, in a story's words. */
function endOf({ user, lots, subscriptions }: StoredBooks, endUs: number): Required<Ending> {
  const left = { plan: 0, bonus: 0, purchased: 0 };
  for (const lot of lots as { kind: keyof typeof left; remaining: number }[])
    left[lot.kind] += lot.remaining;
  const standings = (subscriptions as SubscriptionRow[]).map(standingOfRow);
  return {
    left,
    shortfall: Number(user['credits_shortfall']),
    held: Number(user['credits_held']),
    plan: entitled(standings, endUs)?.plan ?? null,
    suspended: user['suspended_at'] !== null,
  };
}

/** As the database has it, but for its time, which says nothing. */
const signUp: Fact = {
  kind: 'signup',
  key: `signup:${fixtureUser}`,
  atUs: 0,
  decidedAtMs: 0,
  credits: 500,
};

function foldEveryOrder(tellings: readonly Telling[], endUs: number): void {
  const began = performance.now();
  // By the time of its delivery a fact was decided: groups differ, orders within one do not.
  const decided = ({ facts, group }: Telling): Fact[] =>
    facts.map((fact) => ({ ...fact, decidedAtMs: group }));
  const told = fold(joined([signUp, ...tellings.flatMap(decided)]), endUs);
  checkBooks(told);
  const textOf = (folded: Folded): string => JSON.stringify(snapshot(folded));
  const expected = textOf(told);
  for (const order of ordersOf(tellings, isAll ? 3000 : 300, isAll ? 8 : 6)) {
    const folded = fold(joined([...order.flatMap(decided), signUp]), endUs);
    // The text is quick to compare; the objects say what differs.
    if (textOf(folded) !== expected) expect(snapshot(folded)).toStrictEqual(snapshot(told));
    done.pure += 1;
  }
  done.pureMs += Math.round(performance.now() - began);
}

type Options = { endMs: number; isSignedUpLater: boolean };

/** Delivers what is told to a user who starts anew, and what time brings. */
async function deliver(
  fixture: StripeFixture,
  order: readonly Telling[],
  { endMs, isSignedUpLater, asIs = false }: Options & { asIs?: boolean },
) {
  await fixture.reset({ isSignedUp: !isSignedUpLater });
  for (const telling of order) {
    fixture.nowMs = endMs + telling.group * 1000;
    if (telling.event) await fixture.deliver(asIs ? telling.event : telling.whole);
    else if (telling.facts.length > 0) await fixture.tell(telling.facts);
    else await fixture.signUp();
    done.tellings += 1;
  }
  await fixture.settle();
  return fixture.books();
}

const wordsOf = (order: readonly Telling[]): string =>
  order
    .map(({ event, facts }) => (event ? `${event.type} ${event.id}` : (facts[0]?.key ?? 'sign-up')))
    .join(', ');

/** Every order through the whole path: equal in lots, totals, holds, standings and facts. */
async function deliverEveryOrder(
  fixtures: StripeFixture[],
  { tellings, expected }: { tellings: readonly Telling[]; expected: StoredBooks },
  options: Options,
): Promise<void> {
  const began = performance.now();
  const orders = ordersOf(tellings, ordersInPostgres, isAll ? 7 : 0);
  const inLane = async (fixture: StripeFixture): Promise<void> => {
    for (let next = orders.next(); !next.done; next = orders.next()) {
      const order = next.value;
      const books = await deliver(fixture, order, options);
      expect(books, `seed ${seed}, order: ${wordsOf(order)}`).toEqual(expected);
      // Books that are equal are equally sound, but their ledgers are not the same.
      if (done.postgres % 16 === 0) await assertBooksHold(fixture.database.pool);
      done.postgres += 1;
    }
  };
  await Promise.all(fixtures.map(inLane));
  done.postgresMs += Math.round(performance.now() - began);
}

/** How a story is tried; stories of the same files are tried otherwise by who asks for that before. */
type Player = (
  databases: TestDatabase[],
  shop: FixtureShop,
  play: Play,
  name: string,
) => Promise<void>;
let player: Player = (_, shop, play) => playIn(shop, play);
export const playBy = (other: Player): void => {
  player = other;
};

async function playIn(shop: FixtureShop, { env = {}, isSignedUpLater = false, ...told }: Play) {
  const fixtures = databases.map((database) => new StripeFixture(database, shop, env));
  const [fixture] = fixtures;
  if (!fixture) throw new Error('There is no database.');
  await fixture.reset();
  const scene = new Scene(fixture);
  await told.play(scene);
  const endMs = (scene.now + 1) * 1000;
  for (const one of fixtures) one.nowMs = endMs;
  const tellings = await readTellings(fixture, scene, isSignedUpLater);
  const books = await deliver(fixture, tellings, { endMs, isSignedUpLater, asIs: true });
  expect(endOf(books, endMs * 1000)).toMatchObject(told.end);
  await assertBooksHold(fixture.database.pool);
  foldEveryOrder(tellings, endMs * 1000);
  await deliverEveryOrder(fixtures, { tellings, expected: books }, { endMs, isSignedUpLater });
  done.stories += 1;
}

/** A story is played once, must come to its end, and to the same books in whatever order it is told. */
export function story(name: string, play: Play): void {
  const timeout = isAll ? 3_600_000 : 120_000;
  test(
    name,
    async () => {
      const shop = await openFixtureShop();
      try {
        await player(databases, shop, play, name);
      } finally {
        await shop.standIn.close();
      }
    },
    timeout,
  );
}

export const modes = ['reset-all', 'keep-purchased'] as const;
export const billingModes = ['flexible', 'classic'] as const;
