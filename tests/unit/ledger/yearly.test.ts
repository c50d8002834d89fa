import { describe, expect, test } from 'vitest';
import { addMonths, monthAt, monthsUntil } from '../../../functions/ledger/months.pure.ts';
import {
  adjustment,
  booksAt,
  dispute,
  hold,
  leftAt,
  pack,
  paid,
  prorated,
  refund,
  release,
  second,
  spent,
  starter,
  state,
  stripeUs,
  tried,
  undone,
  unlimited,
  yearly,
  type When,
} from '../../support/facts.ts';

const iso = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
const months = (facts: Parameters<typeof booksAt>[0], at: When) =>
  booksAt(facts, at)
    .books.lots.filter(({ payment }) => payment === 'invoice:in_1')
    .map(({ granted }) => granted);
const thousand = (times: number) => Array.from({ length: times }, () => 1000);

describe('the day of a month', () => {
  test('31 January → 28 February → 31 March; 29 in a leap year', () => {
    const days = (anchor: string, count: number) =>
      Array.from({ length: count }, (_, i) => iso(addMonths(second(anchor), i)));
    expect(days('2027-01-31T13:14:15Z', 5)).toEqual([
      '2027-01-31',
      '2027-02-28',
      '2027-03-31',
      '2027-04-30',
      '2027-05-31',
    ]);
    expect(days('2028-01-30T00:00:00Z', 3)).toEqual(['2028-01-30', '2028-02-29', '2028-03-30']);
    expect(days('2027-11-30T00:00:00Z', 4).slice(2)).toEqual(['2028-01-30', '2028-02-29']);
  });

  test('at the same time of the day', () => {
    const at = new Date(addMonths(second('2027-01-31T13:14:15Z'), 1) * 1000);
    expect(at.toISOString()).toBe('2027-02-28T13:14:15.000Z');
  });

  test('a month begins on its second', () => {
    const anchor = second('2027-01-31T13:14:15Z');
    const february = second('2027-02-28T13:14:15Z');
    expect([monthAt(anchor, february - 1), monthAt(anchor, february)]).toEqual([0, 1]);
    expect([monthAt(anchor, anchor), monthAt(anchor, anchor - 1)]).toEqual([0, 0]);
    expect([monthsUntil(anchor, february), monthsUntil(anchor, february + 1)]).toEqual([1, 2]);
    expect(monthsUntil(anchor, anchor)).toBe(0);
  });
});

describe("a yearly plan's months", () => {
  test.each(['2027-01-31T13:14:15Z', '2027-02-28T00:00:00Z', '2028-02-29T23:59:59Z'])(
    'from %s: twelve a year, none after it',
    (from) => {
      expect(months([paid('in_1', yearly, from)], '2035-01-01T00:00:00Z')).toEqual(thousand(12));
    },
  );

  test('twelve also in the year that goes from 28 to 29 February', () => {
    const period: [number, number] = [
      second('2031-02-28T00:00:00Z'),
      second('2032-02-29T00:00:00Z'),
    ];
    const facts = [paid('in_1', yearly, '2031-02-28T00:00:00Z', { period })];
    expect(months(facts, '2035-01-01T00:00:00Z')).toEqual(thousand(12));
  });

  test('each begins on its second and replaces the one before', () => {
    const facts = [paid('in_1', yearly, '2027-01-31T12:00:00Z'), ...spent('j', 400, 40)];
    expect(leftAt(facts, '2027-02-28T11:59:59Z')).toEqual({ in_1: 600 });
    expect(months(facts, '2027-02-28T11:59:59Z')).toEqual(thousand(1));
    expect(months(facts, '2027-02-28T12:00:00Z')).toEqual(thousand(2));
    expect(leftAt(facts, '2027-02-28T12:00:00Z')).toEqual({ in_1: 1000 });
  });

  test.each([
    ['reset-all', { in_1: 1000 }],
    ['keep-purchased', { in_1: 1000, cs_1: 500 }],
  ] as const)('%s: a month is a renewal for bonus and packs too', (mode, left) => {
    const facts = [paid('in_1', yearly, 0, { mode }), pack('cs_1', 10), adjustment('a', 70, 10)];
    expect(leftAt(facts, 30)).toEqual({ in_1: 1000, cs_1: 500, 'adjustment:a': 70 });
    expect(leftAt(facts, 31)).toEqual(left);
  });

  test('a month comes before a pack and after a plan of its second', () => {
    const facts = [paid('in_1', yearly, 0), pack('cs_1', 31), hold('j', 1200, 31)];
    expect(leftAt(facts, 32)).toEqual({ cs_1: 300 });
  });

  test('paid late, the month then running is the first', () => {
    const facts = [
      paid('in_1', yearly, 70, { period: [second(0), second('2028-01-01T00:00:00Z')] }),
    ];
    expect(months(facts, 71)).toEqual(thousand(1));
    expect(months(facts, '2028-06-01T00:00:00Z')).toEqual(thousand(10));
    // Of the ten months that it bought, five go back.
    const half = [...facts, refund('re', 'in_1', 12_000, 71)];
    expect(months(half, '2028-06-01T00:00:00Z')).toEqual(thousand(5));
  });

  test('when the next falls due', () => {
    const facts = [paid('in_1', yearly, 0)];
    expect(booksAt(facts, 1).nextDueUs).toBe(stripeUs(31));
    expect(booksAt(facts, 31).nextDueUs).toBe(stripeUs(59));
    expect(booksAt(facts, '2027-12-01T00:00:00Z').nextDueUs).toBeNull();
    const two = [...facts, paid('in_2', yearly, -5, { subscription: 'sub_2' })];
    expect(booksAt(two, 1).nextDueUs).toBe(stripeUs('2027-01-27T00:00:00Z'));
    expect(booksAt(two.toReversed(), 1).nextDueUs).toBe(stripeUs('2027-01-27T00:00:00Z'));
  });

  test('two yearly plans grant their months each on its own day', () => {
    const facts = [
      paid('in_1', yearly, 0, { mode: 'keep-purchased' }),
      paid('in_2', { ...yearly, credits: 300 }, 10, { subscription: 'sub_2' }),
      ...spent('a', 1300, 20),
    ];
    expect(leftAt(facts, 31)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 41)).toEqual({ in_1: 1000, in_2: 300 });
  });

  test('a renewal by year replaces its months; nothing is granted twice', () => {
    const facts = [paid('in_1', yearly, 0), paid('in_2', yearly, '2028-01-01T00:00:00Z')];
    expect(months(facts, '2029-06-01T00:00:00Z')).toEqual(thousand(12));
    expect(booksAt(facts, '2029-06-01T00:00:00Z').books.lots).toHaveLength(24);
  });

  test('a quantity counts in each of them', () => {
    expect(months([paid('in_1', yearly, 0, { quantity: 2 })], 40)).toEqual([2000, 2000]);
  });

  test('a proration that buys a yearly plan counts from the period that runs', () => {
    const facts = [
      state('active', { ...yearly, plan: 'small' }, 0),
      prorated('in_1', yearly, 40, { since: 0, charge: 9000 }),
    ];
    expect(booksAt(facts, 41).nextDueUs).toBe(stripeUs(59));
    expect(months(facts, '2028-06-01T00:00:00Z')).toEqual(thousand(11));
  });
});

describe('a month is granted while the subscription is paid up', () => {
  const since = 0;
  const year = [state('active', yearly, 0), paid('in_1', yearly, 0)];

  test('due while past_due it waits for the money; only the running one is granted', () => {
    const facts = [
      ...year,
      ...spent('j', 400, 5),
      state('past_due', yearly, 20, { since }),
      state('active', yearly, 70, { since }),
    ];
    expect(leftAt(facts, 69)).toEqual({ in_1: 600 });
    expect(leftAt(facts, 70)).toEqual({ in_1: 1000 });
    expect(months(facts, 71)).toEqual(thousand(2));
    expect(months(facts, '2028-06-01T00:00:00Z')).toEqual(thousand(11));
  });

  test('a state within a month that was granted grants nothing', () => {
    const facts = [
      ...year,
      ...spent('j', 400, 35),
      state('past_due', yearly, 36, { since }),
      state('active', yearly, 37, { since }),
    ];
    expect(leftAt(facts, 38)).toEqual({ in_1: 600 });
  });

  test.each(['unpaid', 'paused', 'incomplete', 'canceled'])('%s: none', (status) => {
    const facts = [...year, state(status, yearly, 20, { since })];
    expect(months(facts, '2028-06-01T00:00:00Z')).toEqual(thousand(1));
  });

  test.each(['active', 'trialing'])('%s: each', (status) => {
    expect(months([...year, state(status, yearly, 20, { since })], 32)).toEqual(thousand(2));
  });

  test('none while its items are no plan of ours', () => {
    expect(months([...year, state('active', null, 20, { since })], 100)).toEqual(thousand(1));
  });

  test('of a downgraded plan or quantity, as much as that grants', () => {
    const small = { ...yearly, plan: 'small', credits: 300 };
    expect(months([...year, state('active', small, 20, { since })], 60)).toEqual([1000, 300, 300]);
    const more = state('active', yearly, 20, { since, quantity: 4 });
    expect(months([...year, more], 32)).toEqual(thousand(2));
  });

  test('ended at the second of a month it grants none', () => {
    expect(months([...year, state('canceled', yearly, 31, { since })], 40)).toEqual(thousand(1));
  });

  test('a trial that is extended does not end them', () => {
    expect(months([...year, tried('in_2', yearly, 20)], 32)).toEqual(thousand(2));
  });

  test('a month lifts a cap', () => {
    const small = { ...yearly, plan: 'small', credits: 300 };
    const facts = [
      ...year,
      state('active', small, 5, { since }),
      state('active', yearly, 6, { since }),
      hold('j', 900, 32),
      release('j', 900, 33),
    ];
    expect(leftAt(facts, 7)).toEqual({ in_1: 300 });
    expect(leftAt(facts, 34)).toEqual({ in_1: 1000 });
  });

  test('an entry of its own says when each was granted', () => {
    const steps = booksAt(year, 40).steps.filter(({ fact }) => fact === null);
    expect(steps.map(({ key, atUs, did, balance }) => ({ key, atUs, did, balance }))).toEqual([
      {
        key: 'month:sub_1:in_1:1',
        atUs: stripeUs(31),
        did: { rule: 'month', plan: 'yearly', credits: 1000, expired: 1000 },
        balance: 1000,
      },
    ]);
  });
});

describe("a yearly plan's money that goes back", () => {
  const year = paid('in_1', yearly, 0);
  const end = '2028-06-01T00:00:00Z';

  test('a part takes the last months not yet granted first', () => {
    // A quarter: the last three of twelve months.
    const facts = [year, refund('re', 'in_1', 6000, 40)];
    expect(leftAt(facts, 41)).toEqual({ in_1: 1000 });
    expect(months(facts, end)).toEqual(thousand(9));
    // 3,600 credits: three months and 600 of the ninth.
    const more = [year, refund('re', 'in_1', 7200, 40)];
    expect(months(more, end)).toEqual([...thousand(8), 400]);
  });

  test('more than what is not granted reaches what is left, then what was spent', () => {
    // 11 of 12 months back in month 2, with 10 of them to come.
    const facts = [year, ...spent('j', 300, 35), refund('re', 'in_1', 22_000, 40)];
    const { shortfall } = booksAt(facts, 41);
    expect([leftAt(facts, 41), shortfall]).toEqual([{}, 0]);
    expect(months(facts, end)).toEqual(thousand(2));
    const all = [year, ...spent('j', 300, 35), refund('re', 'in_1', 24_000, 40)];
    expect([leftAt(all, 41), booksAt(all, 41).shortfall]).toEqual([{}, 300]);
  });

  test('taken back before it is granted, and won', () => {
    const open = dispute('dp', 'in_1', 24_000, 20);
    expect(months([year, open], end)).toEqual(thousand(1));
    expect(leftAt([year, open], 32)).toEqual({});
    expect(months([year, open, undone(open)], end)).toEqual(thousand(12));
  });
});

describe('between yearly and monthly', () => {
  test('the newest period counts, whichever ends later; no month of the old plan is granted', () => {
    const facts = [paid('in_1', yearly, 0), paid('in_2', starter, 20), ...spent('j', 1000, 21)];
    expect(leftAt(facts, '2028-06-01T00:00:00Z')).toEqual({});
    expect(booksAt(facts, 21).nextDueUs).toBeNull();
    const toUnlimited = [paid('in_1', yearly, 0), paid('in_2', unlimited, 20)];
    expect(leftAt(toUnlimited, 100)).toEqual({});
  });

  test('an older invoice that is paid later ends no months', () => {
    const older = paid('in_0', starter, 21, { period: [second(-5), second(25)] });
    expect(months([paid('in_1', yearly, 0), older], 32)).toEqual(thousand(2));
  });

  test('a change of quantity within the year ends no months', () => {
    const fewer = prorated('in_2', yearly, 20, { since: 0, charge: -100 });
    expect(months([paid('in_1', yearly, 0, { quantity: 1 }), fewer], 32)).toEqual(thousand(2));
  });

  test('an invoice whose period was over ends the months of an older plan all the same', () => {
    const over = paid('in_2', starter, 60, { period: [second(25), second(55)] });
    expect(months([paid('in_1', yearly, 0), over], 100)).toEqual(thousand(3));
  });
});
