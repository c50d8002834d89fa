import { expect, test } from 'vitest';
import { isBetter, type PlanSize } from '../../../functions/ledger/entitlement.pure.ts';

const month = (credits: number | null): PlanSize => ({
  credits,
  interval: 'month',
  grantsMonthly: false,
});
const year = (credits: number | null, grantsMonthly = false): PlanSize => ({
  credits,
  interval: 'year',
  grantsMonthly,
});

const cases: [string, PlanSize, PlanSize, boolean][] = [
  ['more credits', month(1000), month(5000), true],
  ['fewer credits', month(5000), month(1000), false],
  ['the same', month(1000), month(1000), false],
  ['as many a month, for a year', month(1000), year(1000, true), true],
  ['as many a month, for a month only', year(1000, true), month(1000), false],
  ['more a month, from a year', year(5000, true), month(25_000), true],
  ['fewer a month, for a year', month(25_000), year(5000, true), false],
  ['a twelfth a month', month(1000), year(11_000), false],
  ['a year at once, as many a month', month(1000), year(12_000), true],
  ['a year at once, more a month', month(1000), year(13_000), true],
  ['unlimited', month(25_000), month(null), true],
  ['from unlimited', month(null), month(25_000), false],
  ['unlimited for a year', month(null), year(null), true],
  ['from unlimited to a metered year', month(null), year(5_000_000), false],
];

test.each(cases)('a plan is better or not: %s', (_, from, to, expected) => {
  expect(isBetter(to, from)).toBe(expected);
});
