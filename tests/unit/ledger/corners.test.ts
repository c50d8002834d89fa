import { describe, expect, test } from 'vitest';
import { joinFacts } from '../../../functions/ledger/facts.pure.ts';
import {
  adjustment,
  allowance,
  aSecond,
  booksAt,
  dispute,
  hold,
  leftAt,
  lost,
  pack,
  paid,
  paymentFailed,
  pro,
  prorated,
  refund,
  release,
  second,
  signup,
  spent,
  starter,
  state,
  stripeUs,
  suspension,
  tried,
  undone,
  unlimited,
  yearly,
  yearlyAtOnce,
  yearOf,
} from '../../support/facts.ts';

type Facts = Parameters<typeof booksAt>[0];
const since = 0;
const lotsAt = (facts: Facts, at: number) => booksAt(facts, at).books.lots;
const didAt = (facts: Facts, at: number) => booksAt(facts, at).steps.at(-1)?.did;
const down = (at: number) => state('active', starter, at, { since });
const middle = { ...pro, plan: 'middle', priceId: 'price_middle', credits: 2000 };

describe('what a step says that it did', () => {
  test('of plans', () => {
    const bought = [signup(0), paid('in_1', pro, 1, { mode: 'keep-purchased' })];
    expect(didAt([pack('cs_1', 0), ...bought], 2)).toEqual({
      rule: 'reset',
      plan: 'pro',
      credits: 5000,
      expired: 100,
    });
    expect(didAt([...bought, paid('in_2', unlimited, 2)], 3)).toEqual({
      rule: 'reset',
      plan: 'unlimited',
      credits: null,
      expired: 5000,
    });
    expect(didAt([tried('in_1', starter, 0)], 1)).toEqual({
      rule: 'trial',
      plan: 'starter',
      credits: 200,
      expired: 0,
    });
    const left = [paid('in_1', unlimited, 0), state('active', unlimited, 0), down(5)];
    expect(didAt(left, 6)).toEqual({
      rule: 'left_unlimited',
      plan: 'starter',
      credits: 1000,
      expired: 0,
    });
  });

  test('of caps', () => {
    const facts: Facts = [paid('in_1', pro, 0), down(5)];
    const cap = { rule: 'cap', plan: 'starter', cut: 4000, restored: 0, added: 0 };
    expect(didAt(facts, 6)).toEqual(cap);
    expect(didAt([...facts, down(6)], 7)).toEqual({ ...cap, cut: 0 });
    const again = prorated('in_2', pro, 8, { since, charge: 100 });
    expect(didAt([...facts, again], 9)).toEqual({ ...cap, plan: 'pro', cut: 0, restored: 4000 });
    const free = prorated('in_2', pro, 8, { since, charge: 0 });
    expect(didAt([...facts, free], 9)).toEqual({ ...cap, plan: 'pro', cut: 0 });
    const two = prorated('in_2', starter, 15, { since, quantity: 2, charge: 1450 });
    expect(didAt([paid('in_1', starter, 0), two], 16)).toEqual({ ...cap, cut: 0, added: 500 });
    const odd = prorated('in_2', unlimited, 5, { since, charge: 0 });
    expect(didAt([paid('in_1', pro, 0), odd], 6)).toEqual({ ...cap, plan: 'unlimited', cut: 0 });
  });

  test('nothing, of a state that is no less than what was granted', () => {
    for (const of of [pro, unlimited])
      expect(didAt([paid('in_1', pro, 0), state('active', of, 5, { since })], 6)).toEqual({
        rule: 'none',
        plan: of.plan,
      });
    expect(didAt([state('active', null, 5)], 6)).toEqual({ rule: 'none', plan: '' });
  });

  test('of everything else', () => {
    const facts = [
      signup(0),
      allowance(1, 1),
      paymentFailed('in_9', 2),
      suspension('lift', 3),
      undone(refund('re', 'cs_1', 1, 4)),
      refund('re_2', 'cs_9', 1, 5),
      adjustment('a', 5, 6),
      paid('in_1', starter, 7),
      allowance(2, 8),
    ];
    expect(booksAt(facts, 9).steps.map(({ did }) => did.rule)).toEqual([
      'granted',
      'granted',
      'noted',
      'noted',
      'noted',
      'noted',
      'granted',
      'reset',
      'noted',
    ]);
    expect(didAt(facts.slice(0, 7), 6)).toEqual({ rule: 'granted', credits: 5 });
  });

  test('what was cut and what lapsed are gone anyway, in one number', () => {
    const facts = [
      paid('in_1', pro, 0),
      down(5),
      pack('cs_1', 6),
      paid('in_2', starter, 30),
      refund('re', 'in_1', 7900, 31),
    ];
    expect(didAt(facts, 32)).toEqual({
      rule: 'clawed_back',
      absorbed: 0,
      taken: 0,
      lapsed: 5000,
      shortfall: 0,
    });
    const two = [
      paid('in_1', starter, 0, { quantity: 2 }),
      state('active', starter, 5, { since }),
      refund('re', 'in_1', 5800, 6),
    ];
    expect(didAt(two, 7)).toMatchObject({ taken: 1000, lapsed: 1000, shortfall: 0 });
  });

  test('what is opened and taken back at once is no move, or one', () => {
    const back = (amount: number) => [refund('re', 'cs_1', amount, 0), pack('cs_1', 1)];
    expect(booksAt(back(1000), 2).steps.at(-1)?.moves).toEqual([]);
    const [move, ...rest] = booksAt(back(400), 2).steps.at(-1)?.moves ?? [];
    expect([move?.credits, rest]).toEqual([300, []]);
    const one = [pack('cs_1', 0), ...spent('j', 1, 1)];
    expect(booksAt(one, 2).steps[1]?.moves[0]?.credits).toBe(-1);
    const returned = [pack('cs_1', 0), hold('j', 1, 1), release('j', 1, 2)];
    expect(booksAt(returned, 3).steps[2]?.moves[0]?.credits).toBe(1);
  });
});

describe('lots', () => {
  test('have keys of their own, and know what kind they are', () => {
    const facts = [
      signup(0),
      tried('in_0', starter, 0),
      paid('in_1', starter, 1),
      prorated('in_2', starter, 2, { since: 1, quantity: 2, charge: 9 }),
      pack('cs_1', 3),
      adjustment('a', 5, 4),
      state('canceled', starter, 5),
      allowance(1, 6),
      paid('in_3', yearly, 31, { subscription: 'sub_2' }),
      paid('in_4', unlimited, 63, { subscription: 'sub_3' }),
      state('active', starter, 64, { subscription: 'sub_3', since: 63 }),
    ];
    const end = (day: number) => second(day) + 30 * 86_400;
    const [, yearEnd] = yearOf(31);
    expect(
      lotsAt(facts, 65).map(({ key, kind, subscription }) => [key, kind, subscription]),
    ).toEqual([
      ['signup', 'bonus', null],
      ['trial:sub_1:in_0', 'plan', 'sub_1'],
      [`plan:sub_1:${end(1)}:starter:in_1`, 'plan', 'sub_1'],
      ['quantity:sub_1:in_2', 'plan', 'sub_1'],
      ['session:cs_1', 'purchased', null],
      ['adjustment:a', 'bonus', null],
      ['allowance:1', 'bonus', null],
      [`plan:sub_2:${yearEnd}:yearly:in_3`, 'plan', 'sub_2'],
      ['month:sub_2:in_3:1', 'plan', 'sub_2'],
      [`left:sub_3:${end(63)}:starter`, 'plan', 'sub_3'],
    ]);
    expect(lotsAt(facts, 65)[0]?.payment).toBeNull();
    expect(lotsAt(facts, 65)[8]?.opened).toMatch(/^\d{11}\.30\.000000\.sub_2$/);
  });

  test('a hold takes no nothings, and says from which it took', () => {
    const facts = [signup(0, 0), pack('cs_1', 0), allowance(1, 1), hold('j', 60, 2)];
    const [held] = booksAt(facts, 3).books.holds.values();
    expect(held?.takes.map(({ lot, credits }) => [lot.key, credits])).toEqual([
      ['allowance:1', 50],
      ['session:cs_1', 10],
    ]);
  });

  test('a quantity that is not more, or of an unlimited plan, opens none', () => {
    const same = prorated('in_2', starter, 5, { since, charge: 1 });
    expect(lotsAt([paid('in_1', starter, 0), same], 6)).toHaveLength(1);
    const more = prorated('in_2', unlimited, 5, { since, quantity: 2, charge: 1 });
    expect(lotsAt([paid('in_1', unlimited, 0), more], 6)).toEqual([]);
    const free = prorated('in_2', starter, 5, { since, quantity: 2, charge: 0 });
    expect(lotsAt([paid('in_1', starter, 0), free], 6)).toHaveLength(1);
  });

  test('a plan that is not granted by the month is granted once, however long its period', () => {
    expect(lotsAt([paid('in_1', starter, '2027-02-01T00:00:00Z')], 62)).toHaveLength(1);
    expect(lotsAt([paid('in_1', yearlyAtOnce, 0)], 100)).toHaveLength(1);
    expect(booksAt([paid('in_1', yearlyAtOnce, 0)], 100).nextDueUs).toBeNull();
  });

  test('a plan whose lines charge nothing in sum, but of which one is full, is a period bought', () => {
    // The unused year is worth more than the month.
    const facts = [paid('in_1', yearlyAtOnce, 0), paid('in_2', pro, 5, { charge: -15_000 })];
    expect(leftAt(facts, 6)).toEqual({ in_2: 5000 });
    expect(leftAt([paid('in_1', starter, 0, { charge: 0 })], 1)).toEqual({ in_1: 1000 });
  });

  test('a change that charges one cent buys', () => {
    const cent = { since, charge: 1 };
    const up = prorated('in_2', pro, 15, cent);
    expect(leftAt([paid('in_1', starter, 0), up], 16)).toEqual({ in_2: 5000 });
    const two = prorated('in_2', starter, 15, { ...cent, quantity: 2 });
    expect(leftAt([paid('in_1', starter, 0), two], 16)).toEqual({ in_1: 1000, in_2: 500 });
    const again = prorated('in_2', pro, 15, cent);
    expect(leftAt([paid('in_1', pro, 0), down(5), again], 16)).toEqual({ in_1: 5000 });
  });

  test('one cent, and one credit, count', () => {
    const cent = [pack('cs_1', 0, { total: 1, credits: 1 }), refund('re', 'cs_1', 1, 1)];
    expect(leftAt(cent, 2)).toEqual({});
    const one = [pack('cs_1', 0), ...spent('j', 1, 1), dispute('dp', 'cs_1', 1000, 2)];
    expect(booksAt(one, 3).suspended).not.toBeNull();
  });
});

describe('caps', () => {
  test('those of a period end with it: the next downgrade cuts anew', () => {
    const facts = [
      paid('in_1', pro, 0),
      down(5),
      paid('in_2', pro, 30),
      state('active', starter, 35, { since: 30 }),
    ];
    expect(leftAt(facts, 36)).toEqual({ in_2: 1000 });
    // What was cut of the first period's lot does not come back in the second.
    const again = prorated('in_3', pro, 40, { since: 30, charge: 100 });
    expect(leftAt([...facts, again], 41)).toEqual({ in_2: 5000 });
  });

  test("those of a yearly plan's month end with it", () => {
    const small = { ...yearly, plan: 'small', credits: 300 };
    const change = (of: typeof yearly, at: number) => state('active', of, at, { since });
    const facts = [paid('in_1', yearly, 0), change(small, 5), change(yearly, 6), change(small, 40)];
    expect(leftAt(facts, 39)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 41)).toEqual({ in_1: 300 });
  });

  test('one that cuts while credits are held leaves no room', () => {
    const facts = [paid('in_1', pro, 0), hold('j', 2000, 1), down(5), release('j', 2000, 6)];
    expect(leftAt(facts, 7)).toEqual({ in_1: 1000 });
  });

  test('raised in part it still holds', () => {
    const facts = [
      paid('in_1', starter, 0, { quantity: 3 }),
      hold('j', 2500, 1),
      state('active', starter, 5, { since }),
      prorated('in_2', starter, 10, { since, quantity: 2, charge: 1000 }),
      release('j', 2500, 11),
    ];
    expect(leftAt(facts, 12)).toEqual({ in_1: 2000 });
  });

  test('a wider one within it changes nothing', () => {
    const facts = [
      paid('in_0', middle, -1, { period: [second(0), second(30)] }),
      paid('in_1', pro, 0),
      down(5),
      state('active', middle, 6, { since }),
      prorated('in_2', middle, 7, { since, charge: 10 }),
    ];
    expect(leftAt(facts, 6.5)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 8)).toEqual({ in_1: 2000 });
  });
});

describe('an unlimited plan that was not paid for in this period', () => {
  const facts = [
    paid('in_1', unlimited, 0),
    state('active', unlimited, 0),
    paymentFailed('in_2', 30),
    state('past_due', unlimited, 30),
  ];

  test('leaves nothing behind when it is changed for nothing', () => {
    const free = prorated('in_3', starter, 33, { since: 30, charge: -9000 });
    expect(leftAt([...facts, free], 34)).toEqual({});
    expect(leftAt([...facts, state('active', starter, 33, { since: 30 }), free], 34)).toEqual({});
  });

  test('nor in its own period, once that is over', () => {
    const late = state('active', starter, 30, { since });
    expect(leftAt([...facts.slice(0, 2), late], 31)).toEqual({});
  });
});

describe("a yearly plan's corners", () => {
  const year = [state('active', yearly, 0), paid('in_1', yearly, 0)];

  test('a month due within the grace of past_due waits all the same', () => {
    const facts = [...year, ...spent('j', 1000, 5), state('past_due', yearly, 28, { since })];
    expect(leftAt(facts, 32)).toEqual({});
    expect(leftAt([...facts, state('active', yearly, 33, { since })], 34)).toEqual({ in_1: 1000 });
  });

  test('other facts than states do not end the waiting', () => {
    const facts = [...year, state('unpaid', yearly, 28, { since }), pack('cs_1', 40)];
    expect(leftAt(facts, 41)).toEqual({ in_1: 1000, cs_1: 500 });
    expect(booksAt([pack('cs_1', 0), ...spent('j', 1, 1)], 2).subscriptions.standings()).toEqual(
      [],
    );
  });

  test('an ended one has none coming', () => {
    expect(booksAt([...year, state('canceled', yearly, 5)], 6).nextDueUs).toBeNull();
  });

  test('paid at the second of a month, that month is the first', () => {
    const facts = [paid('in_1', yearly, 31, { period: yearOf(0) })];
    expect(booksAt(facts, 32).nextDueUs).toBe(stripeUs(59));
    const before = [paid('in_1', yearly, 31 - aSecond, { period: yearOf(0) })];
    expect(booksAt(before, 30.9999).nextDueUs).toBeNull();
    expect(lotsAt(before, 31)).toHaveLength(2);
  });

  test('refunded twice, what is absorbed is counted once', () => {
    const facts = [
      ...year,
      ...spent('j', 300, 35),
      refund('re_1', 'in_1', 18_000, 40),
      refund('re_2', 'in_1', 6000, 41),
    ];
    // Ten months to come, 700 left, 1,000 lapsed in January, 300 spent.
    expect(leftAt(facts, 40.5)).toEqual({ in_1: 1000 - 300 });
    expect([leftAt(facts, 42), booksAt(facts, 42).shortfall]).toEqual([{}, 300]);
  });

  test('one credit of a month that was not taken back is granted', () => {
    // 11 of the 12,000 credits cost 1: all but one of the coming months' go back.
    const cheap = paid('in_1', { ...yearly, credits: 1 }, 0, { total: 12 });
    const facts = [cheap, refund('re', 'in_1', 10, 1)];
    expect(leftAt(facts, 32)).toEqual({ in_1: 1 });
    expect(lotsAt(facts, 400)).toHaveLength(2);
  });

  test('a full line counts from its own beginning, a proration from that of the period', () => {
    const [, end] = yearOf(0);
    const told = state('active', yearly, 0, { since: 0 });
    const full = paid('in_1', yearly, 15, { period: [second(15), end] });
    expect(booksAt([told, full], 16).nextDueUs).toBe(stripeUs(46));
    const part = prorated('in_1', yearly, 15, { since: 0, charge: 100 });
    expect(booksAt([told, part], 16).nextDueUs).toBe(stripeUs(31));
    expect(booksAt([part], 16).nextDueUs).toBe(stripeUs(46));
  });

  test('two of one second are granted in the order of their places', () => {
    const facts = [
      paid('in_2', yearly, 0, { subscription: 'sub_2' }),
      paid('in_1', yearly, 0, { key: 'z' }),
    ];
    const { steps } = booksAt(facts, 31);
    expect(steps.map(({ key }) => key)).toEqual([
      'invoice:in_2',
      'z',
      'month:sub_1:in_1:1',
      'month:sub_2:in_2:1',
    ]);
    const places = steps.map(({ position }) => position);
    expect(places).toEqual(places.toSorted());
  });

  test('with a guessed time, what was paid after its period grants the last month', () => {
    const late = paid('in_1', yearly, 400, { period: yearOf(0), isTimeGuessed: true });
    expect(leftAt([late], 401)).toEqual({ in_1: 1000 });
    expect(leftAt([late, refund('re', 'in_1', 12_000, 401)], 402)).toEqual({ in_1: 500 });
    expect(booksAt([late], 401).nextDueUs).toBeNull();
  });
});

describe('joins', () => {
  test('a dispute that was won beats one that was lost, whatever the amounts', () => {
    const open = dispute('dp', 'cs_1', 700, 1);
    const one = { ...lost(open), finality: 2 as const, amount: 900 };
    for (const [a, b] of [
      [one, undone(open)],
      [undone(open), one],
    ] as const)
      expect(joinFacts(a, b)).toMatchObject({ taken: false, finality: 2 });
    // More final still is the last word.
    expect(joinFacts({ ...open, taken: false }, lost(open))).toMatchObject({ taken: true });
  });

  test('one telling that knows when it was paid is enough', () => {
    const known = paid('in_1', starter, 0);
    const guessed = { ...known, atUs: known.atUs + 9e6, isTimeGuessed: true as const };
    expect(joinFacts(guessed, known)).toEqual(known);
    expect(joinFacts(known, { ...guessed, decidedAtMs: 0 })).toEqual({ ...known, decidedAtMs: 0 });
    expect(joinFacts(guessed, guessed)).toEqual(guessed);
  });
});
