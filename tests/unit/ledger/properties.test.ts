import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isKnown,
  joinFacts,
  positionOf,
  timelineOf,
  type Fact,
} from '../../../functions/ledger/facts.pure.ts';
import { fold } from '../../../functions/ledger/fold.pure.ts';
import { checkBooks, shuffled } from '../../support/books-rules.ts';
import { joined, snapshot, stripeUs } from '../../support/facts.ts';
import { tellings, timelines } from '../../support/timelines.ts';

const end = stripeUs(500);
const seed = Number(process.env['SEED'] ?? 20_271);
const runs = Number(process.env['RUNS'] ?? 300);
const options = { numRuns: runs, seed };

const snapshotOf = (facts: readonly Fact[]) => snapshot(fold(facts, end));

describe('facts join', () => {
  test('in any order and grouping, and any number of times', () => {
    fc.assert(
      fc.property(tellings, (told) => {
        const [a, b, c] = told as [Fact, Fact, Fact];
        expect(joinFacts(a, a)).toStrictEqual(a);
        expect(joinFacts(a, b)).toStrictEqual(joinFacts(b, a));
        expect(joinFacts(joinFacts(a, b), b)).toStrictEqual(joinFacts(a, b));
        expect(joinFacts(joinFacts(a, b), c)).toStrictEqual(joinFacts(a, joinFacts(b, c)));
      }),
      { ...options, numRuns: runs * 10 },
    );
  });

  test('what is known is what adds nothing', () => {
    fc.assert(
      fc.property(tellings, (told) => {
        const [a, b, c] = told as [Fact, Fact, Fact];
        const known = joinFacts(a, b);
        for (const one of [a, b, known]) expect(isKnown(known, one)).toBe(true);
        const adds = !isKnown(known, c);
        if (adds) expect(joinFacts(known, c)).not.toStrictEqual(known);
        else expect(joinFacts(known, c)).toStrictEqual(known);
      }),
      { ...options, numRuns: runs * 10 },
    );
  });
});

describe('the books of any timeline', () => {
  test('are the same in every order of arrival, told however often', () => {
    fc.assert(
      fc.property(timelines, fc.nat(), (facts, order) => {
        const once = snapshotOf(joined(facts));
        for (const arrivals of [facts.toReversed(), shuffled([...facts, ...facts], order)])
          expect(snapshotOf(joined(arrivals))).toStrictEqual(once);
      }),
      options,
    );
  });

  test('keep their rules after every step', () => {
    fc.assert(
      fc.property(timelines, (facts) => {
        const timeline = timelineOf(joined(facts));
        for (let length = 1; length <= timeline.length; length += 1) {
          const atUs = timeline[length - 1]?.atUs ?? 0;
          checkBooks(fold(timeline.slice(0, length), atUs));
        }
        checkBooks(fold(timeline, end));
      }),
      options,
    );
  });

  test('go on from where they stood: a later fact changes no step before it', () => {
    fc.assert(
      fc.property(timelines, (facts) => {
        // Refunds that fail reach back: they are as if they never were.
        const kept = joined(facts).filter((fact) => fact.kind !== 'reversal' || fact.taken);
        const timeline = timelineOf(kept);
        const half = timeline.slice(0, Math.floor(timeline.length / 2));
        const stepsOf = (of: readonly Fact[]) =>
          fold(of, 0).steps.map(({ key, did, moves, balance }) => ({
            key,
            did,
            balance,
            moves: moves.map(({ lot, credits }) => [lot.key, credits]),
          }));
        const before = stepsOf(half);
        expect(stepsOf(timeline).slice(0, before.length)).toStrictEqual(before);
      }),
      options,
    );
  });

  test('a failed refund or a won dispute changes nothing', () => {
    fc.assert(
      fc.property(timelines, (facts) => {
        const all = joined(facts).filter(
          (fact) => fact.kind !== 'reversal' || fact.source !== 'charge',
        );
        const without = all.filter((fact) => fact.kind !== 'reversal' || fact.taken);
        expect(snapshotOf(all)).toStrictEqual(snapshotOf(without));
      }),
      options,
    );
  });

  test('every fact has a place of its own, and stands in it', () => {
    fc.assert(
      fc.property(timelines, (facts) => {
        const known = joined(facts);
        const positions = new Set(known.map(positionOf));
        expect(positions.size).toBe(known.length);
        const seconds = timelineOf(known).map((fact) => positionOf(fact).slice(0, 14));
        expect(seconds).toStrictEqual(seconds.toSorted());
      }),
      options,
    );
  });
});
