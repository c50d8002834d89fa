import { expect, test } from 'vitest';
import { checkBooks, most, ordersOf, seeded, shuffled } from './books-rules.ts';
import type { Fact } from '../../functions/ledger/facts.pure.ts';
import {
  aSecond,
  booksAt,
  entitledAt,
  hold,
  leftOf,
  release,
  snapshot,
  stripeUs,
  type When,
} from './facts.ts';

/** What the books of a story come to at a moment: numbers written by hand. */
type Moment = {
  at: When;
  /** What is left, by the payment that it came from. */
  left: Record<string, number>;
  plan?: string | null;
  shortfall?: number;
  isSuspended?: boolean;
};

const dayOf = (fact: Fact): number => (fact.atUs - stripeUs(0)) / 86_400e6;

/** Jobs that start, pause and go on between the facts of a story, seeded. */
function jobsBetween(facts: readonly Fact[], seed: number): Fact[] {
  const next = seeded(seed);
  const days = facts.map(dayOf).toSorted((a, b) => a - b);
  return days.flatMap((day, i) => {
    const [credits, later] = [next(900), days[i + 1 + next(3)] ?? day + 40];
    const back = next(credits + 1);
    const at = day + (1 + next(50)) * aSecond;
    const end = Math.max(at, later) + next(2000) * aSecond;
    return next(3) === 0 ? [] : [hold(`x${i}`, credits, at), release(`x${i}`, back, end)];
  });
}

function sameInEveryOrder(facts: readonly Fact[], at: When): void {
  const one = booksAt(facts, at);
  const expected = snapshot(one);
  checkBooks(one);
  for (const arrivals of ordersOf(facts))
    expect(snapshot(booksAt(arrivals, at))).toStrictEqual(expected);
}

/** A story is told by its facts, in the order in which they happen, and must come to its moments. */
export function story(name: string, facts: Fact[], ...moments: Moment[]): void {
  const end = moments.at(-1)?.at ?? 0;
  test(name, () => {
    for (const { at, left, shortfall = 0, isSuspended = false, plan } of moments) {
      const books = booksAt(facts, at);
      const came = {
        at,
        left: leftOf(books),
        shortfall: books.shortfall,
        isSuspended: books.suspended !== null,
        ...(plan !== undefined && { plan: entitledAt(facts, at) }),
      };
      expect(came).toEqual({
        at,
        left,
        shortfall,
        isSuspended,
        ...(plan !== undefined && { plan }),
      });
    }
    sameInEveryOrder(facts, end);
  });

  test(`${name}, with jobs between`, () => {
    for (let seed = 1; seed <= Math.min(5, most); seed += 1) {
      const all = [...facts, ...jobsBetween(facts, seed)];
      const expected = booksAt(all, end);
      checkBooks(expected);
      for (let order = 1; order <= Math.min(10, most); order += 1)
        expect(snapshot(booksAt(shuffled(all, order), end))).toStrictEqual(snapshot(expected));
    }
  });
}

export const modes = ['reset-all', 'keep-purchased'] as const;
