import { expect } from 'vitest';
import type { Lot } from '../../functions/ledger/books.pure.ts';
import type { Fact } from '../../functions/ledger/facts.pure.ts';
import type { Folded, Step } from '../../functions/ledger/fold.pure.ts';

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, one) => all + one, 0);

/** What was spent, by the facts' own words: what holds took and did not bring back, and corrections. */
function spentOf(steps: Step[]): number {
  const holds = new Map<string, { taken: number; uncovered: number }>();
  let spent = 0;
  for (const { key, fact, did } of steps) {
    if (did.rule === 'held') {
      const taken = did.isUsage ? 0 : did.credits - did.uncovered;
      holds.set(key, { taken, uncovered: did.uncovered });
      spent += taken;
    }
    if (did.rule === 'corrected') spent += -did.credits - did.uncovered;
    if (fact?.kind !== 'release') continue;
    const hold = holds.get(fact.hold);
    if (hold) spent -= Math.min(hold.taken, Math.max(0, fact.credits - hold.uncovered));
    holds.delete(fact.hold);
  }
  return spent;
}

/** The most that a step may add: only what is paid, granted or returned mints credits. */
function mostAdded({ fact, did }: Step): number {
  switch (did.rule) {
    case 'granted':
    case 'trial':
    case 'month':
    case 'left_unlimited':
    case 'outside':
      return did.credits;
    case 'reset':
      return did.credits ?? 0;
    case 'cap':
      return did.restored + did.added;
    case 'released':
      return fact?.kind === 'release' ? fact.credits : 0;
    default:
      return 0;
  }
}

function checkSteps(steps: Step[]): void {
  const left = new Map<Lot, number>();
  let balance = 0;
  for (const step of steps) {
    const plus = sum(step.moves.map(({ credits }) => Math.max(0, credits)));
    expect(plus, JSON.stringify(step.did)).toBeLessThanOrEqual(mostAdded(step));
    for (const { lot, credits } of step.moves) {
      const now = (left.get(lot) ?? 0) + credits;
      expect(now).toBeGreaterThanOrEqual(0);
      expect(now).toBeLessThanOrEqual(lot.granted);
      left.set(lot, now);
      balance += credits;
    }
    expect(step.balance).toBe(balance);
  }
  for (const [lot, remaining] of left) expect(lot.remaining).toBe(remaining);
}

/** The rules that hold of any books, after any facts. */
export function checkBooks({ books, steps, shortfall }: Folded): void {
  const { lots, payments, holds } = books;
  for (const lot of lots) {
    for (const part of [lot.granted, lot.remaining, lot.lapsed, lot.cut])
      expect(part).toSatisfy((value: number) => Number.isSafeInteger(value) && value >= 0);
    expect(lot.remaining + lot.lapsed + lot.cut).toBeLessThanOrEqual(lot.granted);
    if (lot.isExpired) expect(lot.remaining).toBe(0);
  }
  expect(books.balance).toBe(sum(lots.map(({ remaining }) => remaining)));
  for (const payment of payments.values()) {
    const { bought, claimed, absorbed, claimedLapsed } = payment;
    expect(claimed).toBeLessThanOrEqual(bought);
    const parts = absorbed + claimedLapsed + payment.shortfall;
    expect(parts).toBeLessThanOrEqual(claimed);
    for (const part of [absorbed, claimedLapsed, payment.shortfall])
      expect(part).toBeGreaterThanOrEqual(0);
    expect(sum(payment.lots.map(({ granted }) => granted)) + absorbed).toBeLessThanOrEqual(bought);
  }
  for (const { takes, uncovered, credits, isUsage } of holds.values())
    if (!isUsage) expect(sum(takes.map((take) => take.credits)) + uncovered).toBe(credits);
  expect(books.uncovered).toBeGreaterThanOrEqual(0);
  expect(shortfall).toBe(books.uncovered + sum([...payments.values()].map((one) => one.shortfall)));

  // granted = remaining + lapsed + cut + held or spent + clawed back
  const clawed = sum(
    [...payments.values()].map(
      (one) => one.claimed - one.absorbed - one.claimedLapsed - one.shortfall,
    ),
  );
  const there = sum(lots.map((lot) => lot.remaining + lot.lapsed + lot.cut));
  expect(sum(lots.map(({ granted }) => granted))).toBe(there + spentOf(steps) + clawed);
  checkSteps(steps);
}

/** A small generator of its own, so that an order can be told by its seed. */
export function seeded(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const [next, order] = [seeded(seed), [...items]];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = next(last + 1);
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [at, first] of items.entries())
    for (const rest of permutations(items.toSpliced(at, 1))) yield [first, ...rest];
}

/** ORDERS=2 makes short work of it where many runs are needed. */
export const most = Number(process.env['ORDERS'] ?? 200);

/** Every order of up to seven facts; of more, seeded ones, some of the facts told twice. */
export function* ordersOf(facts: readonly Fact[]): Generator<Fact[]> {
  if (facts.length <= 7 && most >= 200) yield* permutations(facts);
  else
    for (let seed = 1; seed <= most; seed += 1) {
      const next = seeded(seed * 7919);
      yield shuffled([...facts, ...facts.filter(() => next(4) === 0)], seed);
    }
}
