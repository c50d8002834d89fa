import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  columnList,
  columnNames,
  mayStillAppear,
  widenHeader,
} from '../../functions/csv/columns.pure.ts';

test.each<[string, string[], string[]]>([
  ['own names', ['Name', ' City '], ['Name', ' City ']],
  ['duplicates', ['name', 'name', 'name'], ['name', 'name_2', 'name_3']],
  ['duplicates but for letter case and blanks', ['Name', ' name '], ['Name', 'name_2']],
  ['empty ones', ['a', '', ' '], ['a', 'column_2', 'column_3']],
  ['names that are taken', ['a', 'a', 'a_2', 'a'], ['a', 'a_3', 'a_2', 'a_4']],
  ['a number that is taken', ['column_2', ''], ['column_2', 'column_2_2']],
])('what a prompt calls columns: %s', (_, header, names) => {
  expect(columnNames(header)).toEqual(names);
});

test('every column has a name of its own, and the first with a name keeps it', () => {
  const name = fc.constantFrom('', ' ', 'a', 'A', 'a_2', 'a_3', 'column_1', 'column_2', 'Column_3');
  fc.assert(
    fc.property(fc.array(name, { maxLength: 12 }), fc.nat(16), (header, width) => {
      const wide = widenHeader(header, width);
      expect(wide).toHaveLength(Math.max(width, header.length));
      expect(wide.slice(0, header.length)).toEqual(header);
      const folded = columnNames(wide).map((own) => own.trim().toLowerCase());
      expect(new Set(folded).size).toBe(wide.length);
      expect(folded).not.toContain('');
      for (const [i, own] of wide.entries()) {
        const key = own.trim().toLowerCase();
        const isFirst = wide.findIndex((other) => other.trim().toLowerCase() === key) === i;
        if (key !== '' && isFirst) expect(folded[i]).toBe(key);
      }
    }),
    { numRuns: 500 },
  );
});

test('only numbers past the header can still appear', () => {
  expect(['column_3', ' Column_1000 '].map((name) => mayStillAppear(name, 2))).toEqual([
    true,
    true,
  ]);
  for (const name of ['column_2', 'column_0', 'column_1001', 'column_x', 'city', 'column_3_2'])
    expect(mayStillAppear(name, 2)).toBe(false);
});

test('the columns of a file are told in a sentence of bounded length', () => {
  expect(columnList(['Name', ' City ', '', 'two\nlines'])).toBe(
    'The file has: Name, City, column_3, two lines.',
  );
  const long = columnList(Array.from({ length: 1000 }, (_, i) => `${i} ${'x'.repeat(900)}`));
  expect(long).toMatch(/ and 980 more\.$/);
  expect(long.length).toBeLessThan(1000);
});
