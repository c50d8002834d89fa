import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Lot } from '../../../functions/ledger/books.pure.ts';
import type { Fact } from '../../../functions/ledger/facts.pure.ts';
import { fold, type Folded, type Step } from '../../../functions/ledger/fold.pure.ts';
import { checkBooks, shuffled } from '../../support/books-rules.ts';
import { joined, snapshot, stripeUs } from '../../support/facts.ts';
import { lives } from '../../support/lives.ts';
import { outsiders, ownedBy } from '../../support/outsiders.ts';
import { timelines } from '../../support/timelines.ts';

const end = stripeUs(500);
const seed = Number(process.env['SEED'] ?? 20_271);
const runs = Number(process.env['RUNS'] ?? 300);
const options = { numRuns: runs, seed };

/** An account of a customer whom we know, by what its facts say or by nothing but that. */
const owned = fc.oneof(timelines, lives).map((facts) => joined(ownedBy(facts, 'cus_own')));
const moments = fc.integer({ min: 0, max: 100 }).map((day) => stripeUs(day));

const isTheirs = (name: string): boolean => name.includes('other_');
const ownLots = (lots: readonly Lot[]): Lot[] => lots.filter(({ key }) => !isTheirs(key));

/** What a step did to what is the account's own; of what was not there, only the rest is left to compare. */
function own({ key, did, moves }: Step) {
  const {
    uncovered: _uncovered,
    expired: _expired,
    ...rest
  } = { uncovered: 0, expired: 0, ...did };
  const moved = moves.filter(({ lot }) => !isTheirs(lot.key));
  return { key, did: rest, moves: moved.map(({ lot, credits }) => [lot.key, credits]) };
}

const uncoveredOf = ({ did }: Step): number => ('uncovered' in did ? did.uncovered : 0);

/** All that an account has and owes by itself, whatever others paid for it. */
function ownBooks({ books, subscriptions, nextDueUs }: Folded) {
  return {
    lots: ownLots(books.lots),
    payments: [...books.payments.values()]
      .filter(({ key }) => !isTheirs(key))
      .map(({ lots: _lots, ...payment }) => payment),
    holds: [...books.holds].map(([key, { credits, isUsage, takes }]) => ({
      key,
      credits,
      isUsage,
      takes: takes
        .filter(({ lot }) => !isTheirs(lot.key))
        .map((take) => [take.lot.key, take.credits]),
    })),
    subscriptions: [...subscriptions.all.keys()],
    standings: subscriptions.standings(),
    nextDueUs,
  };
}

/**
 * The claim: what others pay by choosing an account leaves all that is its own exactly as it would be without
 * them, at every moment: every lot, hold, claim, entitlement. Their credits are only ever spent where something
 * would be missing; so the balance is never smaller, less is missing, and nobody is suspended who would not be.
 */
function expectUnharmed(alone: Folded, beside: Folded): void {
  expect(ownBooks(beside)).toStrictEqual(ownBooks(alone));
  const steps = beside.steps.filter(({ key }) => !isTheirs(key));
  expect(steps.map(own)).toStrictEqual(alone.steps.map(own));
  for (const [nth, step] of steps.entries()) {
    const before = alone.steps[nth];
    expect(step.balance).toBeGreaterThanOrEqual(before?.balance ?? NaN);
    expect(uncoveredOf(step)).toBeLessThanOrEqual(before ? uncoveredOf(before) : NaN);
  }
  expect(beside.books.uncovered).toBeLessThanOrEqual(alone.books.uncovered);
  if (beside.suspended) expect(beside.suspended).toStrictEqual(alone.suspended);
}

/** The same account, whose customer nothing of ours tells: it chose the account before all others. */
const asFirst = (facts: readonly Fact[]): Fact[] =>
  facts.map((fact) => {
    if (fact.kind === 'customer') return { ...fact, atUs: stripeUs(-1), isChosen: true };
    const isPaid = 'customer' in fact || fact.kind === 'plan' || fact.kind === 'pack';
    return isPaid ? { ...fact, isChosen: true } : fact;
  });

/** Books apart from the words of their facts. */
const withoutChoice = (folded: Folded) => ({
  ...snapshot(folded),
  did: folded.steps.map(({ did, balance }) => ({ did, balance })),
});

describe('whoever pays for an account by choosing it', () => {
  test('harms nobody: what is its own stays as it would be without them, at every moment', () => {
    fc.assert(
      fc.property(owned, outsiders, moments, (facts, others, nowUs) => {
        const until = (all: readonly Fact[]) => all.filter(({ atUs }) => atUs <= nowUs);
        expectUnharmed(fold(facts, end), fold([...facts, ...others], end));
        expectUnharmed(fold(until(facts), nowUs), fold(until([...facts, ...others]), nowUs));
      }),
      options,
    );
  });

  test('harms nobody who chose the account first either, and had no other customer', () => {
    fc.assert(
      fc.property(owned, outsiders, (facts, others) => {
        const mine = asFirst(facts);
        expectUnharmed(fold(mine, end), fold([...mine, ...others], end));
      }),
      options,
    );
  });

  test("first is the account's own, as if we had known: plans reset, entitle and suspend", () => {
    fc.assert(
      fc.property(owned, (facts) => {
        const [known, chosen] = [fold(facts, end), fold(asFirst(facts), end)];
        expect(withoutChoice(chosen)).toStrictEqual(withoutChoice(known));
        expect([known.payers.chosen, chosen.payers.chosen]).toEqual([null, 'cus_own']);
      }),
      options,
    );
  });

  test('comes to the same books in every order of arrival, told as a choice or not', () => {
    fc.assert(
      fc.property(owned, outsiders, fc.nat(), (facts, others, order) => {
        const tellings = [...facts, ...asFirst(facts).slice(1), ...others, ...facts];
        const once = fold(joined(tellings), end);
        checkBooks(once);
        for (const seed of [order, order + 1]) {
          const again = fold(joined(shuffled(tellings, seed)), end);
          expect(snapshot(again)).toStrictEqual(snapshot(once));
          expect(again.payers.chosen).toBe(once.payers.chosen);
        }
      }),
      options,
    );
  });
});
