import { describe, expect, test } from 'vitest';
import {
  adjustment,
  booksAt,
  hold,
  leftAt,
  pack,
  paid,
  pausedAndResumed,
  release,
  signup,
  snapshot,
  spent,
  starter,
  state,
  unlimited,
} from '../../support/facts.ts';

const keep = { mode: 'keep-purchased' } as const;
const shortfallAt = (...[facts, at]: Parameters<typeof booksAt>) => booksAt(facts, at).shortfall;

describe('a hold', () => {
  const rich = [
    paid('in_1', starter, 0),
    pack('cs_1', 1),
    adjustment('a', 70, 2),
    pack('cs_2', 3),
    adjustment('b', 30, 4),
  ];

  test('takes plan, then bonus, then purchased lots, the oldest of a kind first', () => {
    const after = (credits: number) => leftAt([...rich, hold('j', credits, 5)], 6);
    expect(after(999)).toEqual({
      in_1: 1,
      cs_1: 500,
      cs_2: 500,
      'adjustment:a': 70,
      'adjustment:b': 30,
    });
    expect(after(1050)).toEqual({ cs_1: 500, cs_2: 500, 'adjustment:a': 20, 'adjustment:b': 30 });
    expect(after(1090)).toEqual({ cs_1: 500, cs_2: 500, 'adjustment:b': 10 });
    expect(after(1400)).toEqual({ cs_1: 200, cs_2: 500 });
    expect(after(1700)).toEqual({ cs_2: 400 });
    expect(after(2100)).toEqual({});
  });

  test('of two plans the older lot first', () => {
    const facts = [
      paid('in_2', starter, 0, { subscription: 'sub_2' }),
      paid('in_1', starter, 1),
      hold('j', 1200, 2),
    ];
    expect(leftAt(facts, 3)).toEqual({ in_1: 800 });
  });

  test('a release returns to the lots it came from, the last taken first', () => {
    const facts = [...rich, hold('j', 1300, 5), release('j', 280, 6)];
    expect(leftAt(facts, 7)).toEqual({
      cs_1: 500,
      cs_2: 500,
      'adjustment:b': 30,
      'adjustment:a': 50,
    });
    expect(booksAt(facts, 7).books.holds.size).toBe(0);
  });

  test('what returns to a lot that has expired expires', () => {
    const facts = [
      signup(0),
      pack('cs_1', 0),
      hold('j', 300, 1),
      paid('in_1', starter, 2, keep),
      release('j', 250, 3),
    ];
    expect(leftAt(facts, 4)).toEqual({ cs_1: 500, in_1: 1000 });
    const [bonus] = booksAt(facts, 4).books.lots;
    expect(bonus).toMatchObject({ key: 'signup', granted: 100, remaining: 0, lapsed: 50 });
  });

  test('an expired lot is not taken from', () => {
    const facts = [signup(0), paid('in_1', starter, 1), hold('j', 1050, 2)];
    expect(shortfallAt(facts, 3)).toBe(50);
  });

  test('a job that is paused and resumed uses its credits once', () => {
    const runs = { credits: 400, used: 150, at: 1, pausedAt: 2, resumedAt: 3 };
    const facts = [pack('cs_1', 0), ...pausedAndResumed('j', runs)];
    expect(leftAt(facts, 1)).toEqual({ cs_1: 100 });
    expect(leftAt(facts, 2.5)).toEqual({ cs_1: 350 });
    expect(leftAt(facts, 4)).toEqual({ cs_1: 100 });
  });

  test('a release of a hold that is not known, or is ended, moves nothing', () => {
    const facts = [pack('cs_1', 0), release('x', 100, 1)];
    expect(leftAt(facts, 2)).toEqual({ cs_1: 500 });
    const again = { ...release('j', 100, 4), key: 'release:again' };
    expect(leftAt([pack('cs_1', 0), ...spent('j', 200, 1), again], 5)).toEqual({ cs_1: 300 });
  });

  test('never makes a balance negative: what is missing is shortfall', () => {
    const facts = [pack('cs_1', 0), hold('j', 700, 1)];
    expect([leftAt(facts, 2), shortfallAt(facts, 2)]).toEqual([{}, 200]);
  });

  test('what it did not cover comes back first', () => {
    const facts = [pack('cs_1', 0), hold('j', 700, 1)];
    const after = (credits: number) => {
      const all = [...facts, release('j', credits, 2)];
      return [leftAt(all, 3), shortfallAt(all, 3)];
    };
    expect(after(150)).toEqual([{}, 50]);
    expect(after(260)).toEqual([{ cs_1: 60 }, 0]);
    expect(after(700)).toEqual([{ cs_1: 500 }, 0]);
  });

  test('on an unlimited plan it is usage, whenever it ends', () => {
    const facts = [
      pack('cs_1', 0),
      paid('in_1', unlimited, 1),
      state('active', unlimited, 1),
      hold('j', 900, 2),
      state('canceled', unlimited, 3),
      hold('k', 100, 4),
      release('j', 300, 5),
    ];
    expect([leftAt(facts, 6), shortfallAt(facts, 6)]).toEqual([{ cs_1: 400 }, 0]);
    const { holds } = booksAt(facts, 4.5).books;
    expect([...holds.values()].map(({ isUsage }) => isUsage)).toEqual([true, false]);
  });

  test('says what it charged', () => {
    const facts = [
      pack('cs_1', 0),
      hold('j', 300, 1),
      release('j', 100, 2),
      paid('in_1', unlimited, 3),
      hold('k', 300, 4),
      release('k', 100, 5),
      release('x', 7, 6),
    ];
    const said = booksAt(facts, 7).steps.map(({ did }) => did);
    expect(said.filter(({ rule }) => rule === 'held')).toEqual([
      { rule: 'held', credits: 300, uncovered: 0, isUsage: false },
      { rule: 'held', credits: 300, uncovered: 0, isUsage: true },
    ]);
    expect(said.filter(({ rule }) => rule === 'released')).toEqual([
      { rule: 'released', credits: 100, charged: 200, isUsage: false },
      { rule: 'released', credits: 100, charged: 0, isUsage: true },
      { rule: 'released', credits: 7, charged: 0, isUsage: false },
    ]);
  });

  test('a late fact changes which lots it took from', () => {
    const facts = [pack('cs_1', 0), hold('j', 400, 3), release('j', 100, 4)];
    const late = paid('in_1', starter, 2, keep);
    expect(leftAt(facts, 5)).toEqual({ cs_1: 200 });
    expect(leftAt([...facts, late], 5)).toEqual({ cs_1: 500, in_1: 700 });
  });
});

describe("an operator's correction", () => {
  const rich = [paid('in_1', starter, 0), adjustment('a', 70, 1), pack('cs_1', 2)];
  const after = (credits: number) => leftAt([...rich, adjustment('x', credits, 3)], 4);

  test('adds a bonus lot, or takes bonus, then purchased, then plan', () => {
    expect(after(30)).toEqual({ in_1: 1000, cs_1: 500, 'adjustment:a': 70, 'adjustment:x': 30 });
    expect(after(-60)).toEqual({ in_1: 1000, cs_1: 500, 'adjustment:a': 10 });
    expect(after(-100)).toEqual({ in_1: 1000, cs_1: 470 });
    expect(after(-600)).toEqual({ in_1: 970 });
  });

  test('that late facts left without credits is shortfall', () => {
    const facts = [pack('cs_1', 0), adjustment('x', -600, 1)];
    expect([leftAt(facts, 2), shortfallAt(facts, 2)]).toEqual([{}, 100]);
    expect(booksAt(facts, 2).steps.at(-1)?.did).toEqual({
      rule: 'corrected',
      credits: -600,
      uncovered: 100,
    });
    expect(booksAt([pack('cs_1', 0), adjustment('x', -300, 1)], 2).steps.at(-1)?.did).toEqual({
      rule: 'corrected',
      credits: -300,
      uncovered: 0,
    });
  });

  test('of nothing opens a lot of nothing', () => {
    const { books, shortfall } = booksAt([adjustment('x', 0, 1)], 2);
    expect([books.lots.length, books.balance, shortfall]).toEqual([1, 0, 0]);
  });
});

describe('the trace of a fold', () => {
  test('says of each fact what it moved and the balance after it', () => {
    const facts = [signup(0), pack('cs_1', 1), paid('in_1', starter, 2), hold('j', 300, 3)];
    const { steps } = booksAt(facts, 4);
    const told = steps.map(({ key, did, balance, moves }) => ({
      key,
      rule: did.rule,
      balance,
      moves: Object.fromEntries(moves.map(({ lot, credits }) => [lot.payment ?? lot.key, credits])),
    }));
    expect(told).toEqual([
      { key: 'signup', rule: 'granted', balance: 100, moves: { signup: 100 } },
      { key: 'session:cs_1', rule: 'granted', balance: 600, moves: { 'session:cs_1': 500 } },
      {
        key: 'invoice:in_1',
        rule: 'reset',
        balance: 1000,
        moves: { signup: -100, 'session:cs_1': -500, 'invoice:in_1': 1000 },
      },
      { key: 'hold:j:1', rule: 'held', balance: 700, moves: { 'invoice:in_1': -300 } },
    ]);
    expect(steps.map(({ position }) => position)).toEqual(
      steps.map(({ position }) => position).toSorted(),
    );
    expect(steps[2]?.did).toEqual({ rule: 'reset', plan: 'starter', credits: 1000, expired: 600 });
  });

  test('what nets to nothing is no move, and lots know who paid for them', () => {
    const facts = [paid('in_1', starter, 0, { total: 0 }), { ...pack('cs_1', 1), credits: 0 }];
    expect(booksAt(facts, 2).steps.map(({ moves }) => moves.length)).toEqual([1, 0]);
    expect(snapshot(booksAt(facts, 2)).lots[0]).toEqual({
      key: 'plan:sub_1:1801353600:starter:in_1',
      kind: 'plan',
      subscription: 'sub_1',
      payment: 'invoice:in_1',
      opened: '01798761600.20.000000.01798761600.1.invoice:in_1',
      granted: 1000,
      remaining: 1000,
      isExpired: false,
      lapsed: 0,
      cut: 0,
    });
  });
});
