import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { oddWays } from '../support/odd-payers.ts';
import {
  payers,
  play,
  states,
  whats,
  type Bought,
  type Payer,
  type State,
} from '../support/paying.ts';
import { openFixtureShop, StripeFixture } from '../support/stripe-fixture.ts';

/** docs/whose-it-is.md is held to what happens: each cell of its tables is played. */

const page = await readFile(new URL('../../docs/whose-it-is.md', import.meta.url), 'utf8');
const database = await createDatabase();
afterAll(async () => {
  await assertBooksHold(database.pool);
  await database.drop();
});

const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The rows of the table behind a marker: the first cell, and what each state comes to. */
const rowsOf = (payer: string): [string, string[]][] => {
  const [, after = ''] = page.split(`<!-- table: ${payer} -->`);
  expect(after).not.toBe('');
  const lines = after.split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rest = lines.slice(first + 2);
  const table = rest.slice(
    0,
    rest.findIndex((line) => !line.startsWith('|')),
  );
  return table.map((line) => {
    const [name = '', ...cells] = cellsOf(line);
    return [name, cells];
  });
};

const isPlayed = (payer: Payer, bought: Bought): boolean =>
  payer !== 'a guest' || bought.startsWith('a pack');

describe.each(Object.keys(payers) as Payer[])('who pays by %s', (payer) => {
  const rows = rowsOf(payer);
  const boughts = (Object.keys(whats) as Bought[]).filter((bought) => isPlayed(payer, bought));

  test('has a row for everything that can be bought', () => {
    expect(rows.map(([name]) => name)).toEqual(boughts);
  });

  const ways = payers[payer].map((_, way) => way);
  const plays = boughts.flatMap((bought, nth) =>
    // Every way for what is bought most, one after the other for the rest.
    (nth < 2 ? ways : [nth % ways.length]).map((way) => ({ bought, way, nth })),
  );

  test.each(plays)('$bought, way $way', async ({ bought, way, nth }) => {
    const came: string[] = [];
    for (const state of Object.keys(states) as State[]) {
      const shop = await openFixtureShop();
      const fixture = new StripeFixture(database, shop, {});
      came.push(await play(fixture, { payer, bought, state, way, seed: nth + way + 1 }));
      await assertBooksHold(database.pool);
      await shop.standIn.close();
    }
    expect(came).toEqual(rows.find(([name]) => name === bought)?.[1]);
  });
});

describe('odd ways', () => {
  const rows = rowsOf('odd ways');

  test('all of them are played', () => {
    expect(rows.map(([name]) => name)).toEqual(Object.keys(oddWays));
  });

  test.each(Object.entries(oddWays))('%s', async (name, way) => {
    for (const seed of [0, 7]) {
      const shop = await openFixtureShop();
      const fixture = new StripeFixture(database, shop, {});
      await fixture.reset();
      expect.soft(await way(fixture, seed)).toBe(rows.find(([row]) => row === name)?.[1][0]);
      await assertBooksHold(database.pool);
      await shop.standIn.close();
    }
  });
});
