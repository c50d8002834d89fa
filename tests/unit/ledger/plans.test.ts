import { describe, expect, test } from 'vitest';
import {
  allowance,
  adjustment,
  aSecond,
  booksAt,
  hold,
  leftAt,
  pack,
  paid,
  pro,
  prorated,
  refund,
  release,
  second,
  signup,
  spent,
  starter,
  state,
  tried,
  unlimited,
  yearlyAtOnce,
} from '../../support/facts.ts';

const keep = { mode: 'keep-purchased' } as const;
const rulesOf = (...[facts, at]: Parameters<typeof booksAt>) =>
  booksAt(facts, at).steps.map(({ did }) => did.rule);

describe('a plan paid for', () => {
  test('grants credits × quantity, and what it granted before expires', () => {
    expect(leftAt([paid('in_1', starter, 0, { quantity: 3 })], 1)).toEqual({ in_1: 3000 });
    expect(leftAt([paid('in_1', starter, 0), paid('in_2', pro, 30)], 31)).toEqual({ in_2: 5000 });
  });

  test.each([
    ['reset-all', { in_1: 1000 }],
    ['keep-purchased', { in_1: 1000, cs_1: 500 }],
  ] as const)('%s: bonus lots expire, purchased ones as the mode says', (mode, left) => {
    const before = [signup(0), pack('cs_1', 1), adjustment('a', 70, 1)];
    expect(leftAt([...before, paid('in_1', starter, 2, { mode })], 3)).toEqual(left);
  });

  test('what comes after it stays', () => {
    const facts = [paid('in_1', starter, 0), pack('cs_1', 1), adjustment('a', 70, 1)];
    expect(leftAt(facts, 2)).toEqual({ in_1: 1000, cs_1: 500, 'adjustment:a': 70 });
  });

  test.each(['reset-all', 'keep-purchased'] as const)(
    '%s: an unlimited plan makes only its own lots expire',
    (mode) => {
      const facts = [
        signup(0),
        pack('cs_1', 1),
        paid('in_1', starter, 2),
        pack('cs_2', 3),
        adjustment('a', 70, 3),
        paid('in_other', pro, 3, { subscription: 'sub_2', ...keep }),
        state('canceled', pro, 4, { subscription: 'sub_2' }),
        pack('cs_3', 5),
        adjustment('b', 30, 5),
        paid('in_2', unlimited, 6, { mode }),
      ];
      expect(leftAt(facts, 7)).toEqual({
        cs_2: 500,
        cs_3: 500,
        'adjustment:a': 70,
        'adjustment:b': 30,
        in_other: 5000,
      });
    },
  );

  test('the same plan is granted once a period: by the first full invoice', () => {
    const again = paid('in_2', starter, 1, { period: [second(0), second(30)] });
    const facts = [paid('in_1', starter, 0), ...spent('j', 900, 0.5), again];
    expect(leftAt(facts, 2)).toEqual({ in_1: 100 });
    expect(rulesOf(facts, 2)).toEqual(['reset', 'held', 'released', 'cap']);
  });

  test('refunded in full and paid again it is granted again; refunded in part it is not', () => {
    const again = paid('in_2', starter, 2, { period: [second(0), second(30)] });
    const first = paid('in_1', starter, 0);
    expect(leftAt([first, refund('re', 'in_1', 2900, 1), again], 3)).toEqual({ in_2: 1000 });
    expect(leftAt([first, refund('re', 'in_1', 1450, 1), again], 3)).toEqual({ in_1: 500 });
  });

  test('what is paid with a coupon, from the balance or with tax grants as paid', () => {
    for (const total of [0, 1, 3451])
      expect(leftAt([paid('in_1', starter, 0, { total })], 1)).toEqual({ in_1: 1000 });
  });

  test('an invoice whose period was over grants nothing, and its refund takes nothing', () => {
    const late = paid('in_late', starter, 30, { period: [second(0), second(30)] });
    const facts = [pack('cs_1', 1), late, refund('re', 'in_late', 2900, 31)];
    expect(leftAt(facts, 40)).toEqual({ cs_1: 500 });
    expect(booksAt(facts, 40).shortfall).toBe(0);
    expect(rulesOf(facts, 30)).toEqual(['granted', 'period_over']);
    const inTime = { ...late, atUs: late.atUs - 1e6 };
    expect(leftAt([inTime], 31)).toEqual({ in_late: 1000 });
  });
});

describe('several subscriptions', () => {
  const other = { subscription: 'sub_2' };

  test.each([
    ['reset-all', { in_1: 1000, in_2: 5000 }],
    ['keep-purchased', { in_1: 1000, cs_1: 500, in_2: 5000 }],
  ] as const)("%s: another live one's plan lots are its own", (mode, left) => {
    const facts = [
      paid('in_1', starter, 0, { mode }),
      state('active', starter, 0),
      pack('cs_1', 1),
      adjustment('a', 70, 1),
      paid('in_2', pro, 2, { mode, ...other }),
    ];
    expect(leftAt(facts, 3)).toEqual(left);
  });

  test.each(['canceled', 'incomplete_expired'])(
    'lots of one that is %s stay until the next grant of any',
    (status) => {
      const ended = [
        paid('in_1', starter, 0),
        ...spent('j', 300, 1),
        state(status, starter, 5, { phase: 'deleted' }),
      ];
      expect(leftAt(ended, 100)).toEqual({ in_1: 700 });
      expect(leftAt([...ended, paid('in_2', pro, 6, other)], 7)).toEqual({ in_2: 5000 });
      expect(leftAt([...ended, paid('in_2', pro, 6, { ...other, ...keep })], 7)).toEqual({
        in_2: 5000,
      });
    },
  );

  test.each(['unpaid', 'past_due', 'paused', 'active'])(
    'one that is %s has not ended',
    (status) => {
      const facts = [paid('in_1', starter, 0), state(status, starter, 5, { since: 0 })];
      expect(leftAt([...facts, paid('in_2', pro, 6, other)], 7)).toEqual({
        in_1: 1000,
        in_2: 5000,
      });
    },
  );

  test("a smaller plan on one that has ended cuts nothing, nor does another's", () => {
    const facts = [
      paid('in_1', pro, 0),
      state('canceled', starter, 1, { since: 0 }),
      state('active', starter, 2, other),
    ];
    expect(leftAt(facts, 3)).toEqual({ in_1: 5000 });
  });
});

describe('a trial', () => {
  test('its first zero line adds the trial credits and makes nothing expire', () => {
    const facts = [signup(0), pack('cs_1', 1), tried('in_1', starter, 2)];
    expect(leftAt(facts, 3)).toEqual({ signup: 100, cs_1: 500, in_1: 200 });
  });

  test('a set-up fee beside it does not matter', () => {
    expect(leftAt([tried('in_1', starter, 0, { total: 5000 })], 1)).toEqual({ in_1: 200 });
  });

  test('a later zero line changes nothing: neither in the trial nor after a payment', () => {
    const extended = [
      tried('in_1', starter, 0),
      ...spent('j', 150, 1),
      tried('in_2', starter, 5),
      tried('in_3', pro, 6),
    ];
    expect(leftAt(extended, 7)).toEqual({ in_1: 50 });
    expect(rulesOf(extended, 7).slice(-2)).toEqual(['trial_extended', 'trial_extended']);
    expect(leftAt([paid('in_1', starter, 0), tried('in_2', starter, 5)], 7)).toEqual({
      in_1: 1000,
    });
  });

  test("each subscription's first line is its own", () => {
    const facts = [tried('in_1', starter, 0), tried('in_2', starter, 1, { subscription: 'sub_2' })];
    expect(leftAt(facts, 2)).toEqual({ in_1: 200, in_2: 200 });
  });

  test('its lot is replaced by the plan that is paid for after it', () => {
    expect(leftAt([tried('in_1', starter, 0), paid('in_2', starter, 14)], 15)).toEqual({
      in_2: 1000,
    });
  });
});

describe('free months', () => {
  test('each makes the one before expire, and nothing else', () => {
    const facts = [signup(0), pack('cs_1', 1), allowance(0, 0), allowance(1, 31)];
    expect(leftAt(facts, 30)).toEqual({ signup: 100, cs_1: 500, 'allowance:0': 50 });
    expect(leftAt(facts, 32)).toEqual({ signup: 100, cs_1: 500, 'allowance:1': 50 });
  });

  test('there is none while a plan entitles, and there is after it', () => {
    const facts = [
      paid('in_1', starter, 0),
      allowance(0, 1),
      state('canceled', starter, 10),
      allowance(1, 31),
    ];
    expect(leftAt(facts, 2)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 32)).toEqual({ in_1: 1000, 'allowance:1': 50 });
  });

  test('one of zero credits still makes the one before expire', () => {
    expect(leftAt([allowance(0, 0), allowance(1, 31, 0)], 32)).toEqual({});
  });
});

describe('the order within one second', () => {
  test.each([
    ['reset-all', { in_1: 1000, cs_1: 500 }],
    ['keep-purchased', { in_1: 1000, cs_1: 500 }],
  ] as const)('%s: a pack stands after a plan, whatever their keys', (mode, left) => {
    expect(leftAt([pack('cs_1', 0), paid('in_1', starter, 0, { mode })], 1)).toEqual(left);
  });

  test('sign-up stands first, whenever it happened', () => {
    const facts = [paid('in_1', starter, 0), signup(9)];
    expect(leftAt(facts, 1)).toEqual({ in_1: 1000 });
    expect(leftAt([pack('cs_1', 0), ...spent('j', 100, 1), signup(9)], 2)).toEqual({ cs_1: 500 });
  });

  test('a hold that knew a pack stands after it', () => {
    const facts = [hold('j', 500, 1), pack('cs_1', 1), release('j', 0, 1 + aSecond)];
    expect(leftAt(facts, 2)).toEqual({});
    expect(booksAt(facts, 2).shortfall).toBe(0);
  });

  test('two plans of one second stand by period', () => {
    const older = paid('in_2', pro, 1, { period: [second(0), second(30)] });
    const newer = paid('in_1', starter, 1);
    expect(leftAt([newer, older], 2)).toEqual({ in_1: 1000 });
  });
});

describe('leaving and entering a plan by its invoice', () => {
  test('a full line of another plan is a period bought', () => {
    const facts = [paid('in_1', starter, 0), ...spent('j', 400, 1), paid('in_2', pro, 5)];
    expect(leftAt(facts, 6)).toEqual({ in_2: 5000 });
  });

  test('a proration that charges for a plan not yet granted in the period is granted in full', () => {
    const up = prorated('in_2', pro, 10, { since: 0, charge: 3300 });
    expect(leftAt([paid('in_1', starter, 0), up], 11)).toEqual({ in_2: 5000 });
  });

  test.each([0, -100])('one that charges %d grants nothing', (charge) => {
    const down = prorated('in_2', starter, 10, { since: 0, charge });
    const facts = [paid('in_1', pro, 0), ...spent('j', 4500, 1), down];
    expect(leftAt(facts, 11)).toEqual({ in_1: 500 });
    expect(leftAt([paid('in_1', pro, 0), down], 11)).toEqual({ in_1: 1000 });
  });

  test('one that charges for a plan that was granted in the period grants nothing', () => {
    const facts = [
      paid('in_1', starter, 0),
      prorated('in_2', pro, 5, { since: 0, charge: 4000 }),
      prorated('in_3', starter, 6, { since: 0, charge: 1 }),
    ];
    expect(leftAt(facts, 7)).toEqual({ in_2: 1000 });
  });

  test('a change to an unlimited plan that charges nothing grants and cuts nothing', () => {
    const odd = prorated('in_2', unlimited, 5, { since: 0, charge: 0 });
    expect(leftAt([paid('in_1', pro, 0), odd], 6)).toEqual({ in_1: 5000 });
  });

  test('yearly at once to monthly now: the new period replaces what was left of the year', () => {
    const facts = [paid('in_1', yearlyAtOnce, 0), paid('in_2', pro, 40)];
    expect(leftAt(facts, 41)).toEqual({ in_2: 5000 });
  });

  test('an invoice of an older period that is paid later counts for nothing', () => {
    const older = paid('in_old', pro, 12, { period: [second(5), second(400)] });
    const facts = [paid('in_1', starter, 10), older];
    expect(leftAt(facts, 13)).toEqual({ in_1: 1000 });
    expect(rulesOf(facts, 13)).toEqual(['reset', 'superseded']);
    const same = paid('in_2', pro, 12, { period: [second(10), second(400)] });
    expect(leftAt([paid('in_1', starter, 10), same], 13)).toEqual({ in_2: 5000 });
  });
});
