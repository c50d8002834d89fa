import { describe, expect, test } from 'vitest';
import {
  entitled,
  entitledBy,
  isBetter,
  lesser,
  monthly,
  type Standing,
} from '../../../functions/ledger/entitlement.pure.ts';
import {
  aSecond,
  booksAt,
  closed,
  dispute,
  entitledAt,
  paid,
  paymentFailed,
  pro,
  prorated,
  refund,
  second,
  starter,
  state,
  tried,
  undone,
  unlimited,
  yearly,
  yearlyAtOnce,
} from '../../support/facts.ts';

const since = 0;
const bought = [paid('in_1', pro, 0), state('active', pro, 0)];

const standing = (changes: Partial<Standing>): Standing => ({
  subscription: 'sub_1',
  status: 'active',
  terms: pro,
  paid: pro,
  takenBack: false,
  failingSinceUs: null,
  graceDays: 7,
  ...changes,
});

describe('which plan is better', () => {
  test('more credits a month; a year at once counts by its twelfth', () => {
    expect([starter, pro, unlimited, yearly, yearlyAtOnce].map(monthly)).toEqual([
      1000,
      5000,
      Infinity,
      1000,
      1000,
    ]);
    expect(isBetter(pro, starter)).toBe(true);
    expect(isBetter(starter, pro)).toBe(false);
    expect(isBetter(unlimited, { ...pro, interval: 'year' })).toBe(true);
    expect(isBetter(starter, { ...yearlyAtOnce, credits: 11_999 })).toBe(true);
  });

  test('equal: the longer interval', () => {
    expect(isBetter(yearly, starter)).toBe(true);
    expect(isBetter(starter, yearly)).toBe(false);
    expect(isBetter(starter, starter)).toBe(false);
    expect(isBetter(yearly, yearlyAtOnce)).toBe(false);
    expect(isBetter({ ...unlimited, interval: 'year' }, unlimited)).toBe(true);
  });

  test('the lesser of two, whichever stands first', () => {
    expect([lesser(starter, pro), lesser(pro, starter)]).toEqual([starter, starter]);
    expect([lesser(yearly, starter), lesser(starter, yearly)]).toEqual([starter, starter]);
  });
});

describe('what entitles', () => {
  test.each([
    ['active', 'pro'],
    ['trialing', 'pro'],
    ['past_due', 'pro'],
    ['incomplete', null],
    ['incomplete_expired', null],
    ['unpaid', null],
    ['paused', null],
    ['canceled', null],
  ])('paid and %s: %s', (status, plan) => {
    expect(entitledAt([...bought, state(status, pro, 1, { since })], 2)).toBe(plan);
  });

  test('without a paid invoice only a trial does', () => {
    expect(entitledAt([state('active', pro, 0)], 1)).toBeNull();
    expect(entitledAt([state('past_due', pro, 0)], 1)).toBeNull();
    expect(entitledAt([state('trialing', pro, 0)], 1)).toBe('pro');
    expect(entitledAt([state('trialing', pro, 0), tried('in_1', pro, 0)], 1)).toBe('pro');
  });

  test('a paid invoice whose subscription is not yet told does', () => {
    expect(entitledAt([paid('in_1', pro, 0)], 1)).toBe('pro');
    expect(entitledAt([paymentFailed('in_1', 0)], 1)).toBeNull();
  });

  test('the lesser of its own plan and that of its newest paid invoice', () => {
    const better = state('active', unlimited, 5, { since });
    expect(entitledAt([...bought, better], 6)).toBe('pro');
    expect(entitledAt([...bought, state('active', starter, 5, { since })], 6)).toBe('starter');
    expect(entitledAt([...bought, better, paid('in_2', unlimited, 5)], 6)).toBe('unlimited');
    expect(entitledAt([...bought, state('trialing', unlimited, 5, { since })], 6)).toBe('pro');
  });

  test('the newest paid invoice is the one whose period begins last', () => {
    const older = paid('in_0', unlimited, 3, { period: [second(-9), second(300)] });
    expect(entitledAt([...bought, state('active', unlimited, 4), older], 5)).toBe('pro');
  });

  test('items that are no plan of ours entitle to nothing', () => {
    expect(entitledAt([...bought, state('active', null, 5)], 6)).toBeNull();
    expect(entitledAt([...bought, state('trialing', null, 5)], 6)).toBeNull();
  });

  test('nothing when the newest invoice was wholly taken back, until that is undone', () => {
    const back = dispute('dp', 'in_1', 7900, 3);
    expect(entitledAt([...bought, { ...back, amount: 7899 }], 4)).toBe('pro');
    expect(entitledAt([...bought, back], 4)).toBeNull();
    expect(entitledAt([...bought, { ...back, amount: 9999 }], 4)).toBeNull();
    expect(entitledAt([...bought, back, undone(back)], 4)).toBe('pro');
    expect(entitledAt([...bought, back, paid('in_2', pro, 30)], 31)).toBe('pro');
    // Of an older invoice it does not matter.
    expect(
      entitledAt([...bought, paid('in_2', pro, 30), { ...back, atUs: second(31) * 1e6 }], 32),
    ).toBe('pro');
  });

  test('nothing when a change that cost nothing came after what was taken back', () => {
    const free = prorated('in_2', pro, 5, { since, quantity: 1, charge: -300 });
    const back = refund('re_1', 'in_1', 7900, 6);
    expect(entitledAt([...bought, free], 7)).toBe('pro');
    expect(entitledAt([...bought, free, back], 7)).toBeNull();
    expect(entitledAt([...bought, back, { ...free, atUs: back.atUs + 1e6 }], 7)).toBeNull();
    expect(entitledAt([...bought, free, back, paid('in_3', pro, 30)], 31)).toBe('pro');
    const next = prorated('in_4', pro, 30, { since: 30, charge: 0 });
    expect(entitledAt([...bought, back, next], 31)).toBe('pro');
  });

  test('a free invoice is never taken back; one of a cent is', () => {
    const cent = [paid('in_1', pro, 0, { total: 1 }), refund('re', 'in_1', 1, 1)];
    expect(entitledAt(cent, 2)).toBeNull();
    const free = [paid('in_1', pro, 0, { total: 0 }), refund('re', 'in_1', 5, 1)];
    expect(entitledAt(free, 2)).toBe('pro');
  });

  test('a trial entitles also when what was paid before it went back', () => {
    const facts = [...bought, refund('re', 'in_1', 7900, 3), state('trialing', starter, 5)];
    expect(entitledAt(facts, 6)).toBe('starter');
  });

  test('the best of several subscriptions', () => {
    const other = { subscription: 'sub_2' };
    const facts = [
      ...bought,
      paid('in_2', unlimited, 1, other),
      state('active', unlimited, 1, other),
    ];
    expect(entitledAt(facts, 2)).toBe('unlimited');
    expect(entitledAt([...facts, state('canceled', unlimited, 3, other)], 4)).toBe('pro');
    expect(entitledAt([...facts, state('canceled', pro, 3)], 4)).toBe('unlimited');
    expect(entitled([], 0)).toBeNull();
    expect(
      entitled(
        [standing({ terms: starter, paid: starter }), standing({}), standing({ terms: starter })],
        0,
      ),
    ).toBe(pro);
  });
});

describe('grace', () => {
  const late = [...bought, paymentFailed('in_2', 30), state('past_due', pro, 31)];

  test('past_due entitles until so many days after the oldest open invoice failed', () => {
    expect(entitledAt(late, 37 - aSecond)).toBe('pro');
    expect(entitledAt(late, 37)).toBeNull();
    const longer = [
      ...bought,
      paymentFailed('in_2', 30),
      state('past_due', pro, 31, { graceDays: 9 }),
    ];
    expect([entitledAt(longer, 39 - aSecond), entitledAt(longer, 39)]).toEqual(['pro', null]);
  });

  test('another failure of the same invoice, or a later one, does not renew it', () => {
    const again = [...late, paymentFailed('in_2', 35, { key: 'again' }), paymentFailed('in_3', 36)];
    expect(entitledAt(again, 37)).toBeNull();
    expect(entitledAt([...again].toReversed(), 37)).toBeNull();
  });

  test('an invoice that was closed or paid is not open', () => {
    const two = [...late, paymentFailed('in_3', 35)];
    expect(entitledAt(two, 38)).toBeNull();
    expect(entitledAt([...two, closed('in_2', 36)], 38)).toBe('pro');
    const older = paid('in_2', pro, 36, { period: [second(-5), second(40)] });
    expect(entitledAt([...two, older], 38)).toBe('pro');
    expect(entitledAt([...two, older], 42)).toBeNull();
    // Told closed before it was told open.
    const settled = [...bought, closed('in_2', 29), ...late, paymentFailed('in_3', 35)];
    expect(entitledAt(settled, 38)).toBe('pro');
  });

  test('without an open invoice it counts from the first past_due state in a row', () => {
    const facts = [
      ...bought,
      state('past_due', pro, 31),
      state('past_due', pro, 35, { since: 31 }),
    ];
    expect([entitledAt(facts, 38 - aSecond), entitledAt(facts, 38)]).toEqual(['pro', null]);
    const anew = [
      ...facts,
      state('active', pro, 36, { since: 31 }),
      state('past_due', pro, 37, { since: 31 }),
    ];
    expect([entitledAt(anew, 44 - aSecond), entitledAt(anew, 44)]).toEqual(['pro', null]);
  });

  test('an active subscription needs none', () => {
    expect(entitledAt([...late, state('active', pro, 36)], 100)).toBe('pro');
    expect(booksAt([...late, state('active', pro, 36)], 100).subscriptions.standings()).toEqual([
      standing({}),
    ]);
  });

  test('what is not known to have failed does not end', () => {
    expect(entitledBy(standing({ status: 'past_due' }), second(9999) * 1e6)).toBe(pro);
  });

  test('a standing says where a subscription stands', () => {
    expect(booksAt(late, 32).subscriptions.standings()).toEqual([
      standing({ status: 'past_due', failingSinceUs: second(30) * 1e6 }),
    ]);
    expect(booksAt([paid('in_1', pro, 0)], 1).subscriptions.standings()).toEqual([
      standing({ graceDays: 0 }),
    ]);
    expect(booksAt([closed('in_1', 0)], 1).subscriptions.standings()).toEqual([
      standing({ graceDays: 0, terms: null, paid: null }),
    ]);
  });
});
