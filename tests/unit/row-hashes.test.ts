import { expect, test } from 'vitest';
import { RowHashes } from '../../functions/csv/row-hashes.pure.ts';

/** By the place of each row that is the same as another the number of that one. */
function found(rows: string[][], hashes = new RowHashes(), first = 0): Record<number, number> {
  const same = rows.map((cells, i) => hashes.firstLike(first + i, JSON.stringify(cells)));
  return Object.fromEntries(
    same.flatMap((number, i) => (number === undefined ? [] : [[i, number]])),
  );
}

test('rows are the same cell by cell as they came; empty cells at their end do not count', () => {
  const rows = [
    ['a', 'b'],
    ['a', 'b', '', ''],
    ['a', 'b '],
    ['A', 'b'],
    ['a,b'],
    ['', 'a', 'b'],
    ['a', 'b', 'c'],
  ];
  expect(found(rows)).toEqual({ 1: 0 });
  expect(found([['a,""'], ['a'], ['a,"'], ['a,']])).toEqual({});
  expect(found([['漢'], ['漢', ''], ['a'], ['漢字'], ['a', '']])).toEqual({ 1: 0, 4: 2 });
});

test('rows keep their numbers, wherever they stand', () => {
  const hashes = new RowHashes();
  expect(found([['a'], ['b'], ['a']], hashes, 3)).toEqual({ 2: 3 });
  expect(found([['a'], ['c']], hashes, 70_000)).toEqual({ 0: 3 });
  expect(found([['c'], ['b']], hashes, 1_000_000)).toEqual({ 0: 70_001, 1: 4 });
});

test('a hundred thousand rows that differ by little all differ, in less than 3 MB', () => {
  const hashes = new RowHashes();
  const rows = Array.from({ length: 100_000 }, (_, i) => [
    `lead ${i}`,
    String(i % 7),
    String((i * 31) % 100_000).padStart(i % 9, '0'),
  ]);
  for (let i = 0; i < rows.length; i += 500)
    expect(found(rows.slice(i, i + 500), hashes, i)).toEqual({});
  expect(hashes.bytes).toBeLessThan(3_000_000);
  expect(found([rows[99_999] ?? [], rows[0] ?? []], hashes, 100_000)).toEqual({ 0: 99_999, 1: 0 });
});

test('rows longer than what is looked at together are compared whole', () => {
  const long = 'x'.repeat(40_000);
  const rows = [
    [`${long}1`],
    [`${long}2`],
    [`${long}1`],
    [`€${long}1`],
    [`€${long}2`],
    [`€${long}1`],
  ];
  expect(found(rows)).toEqual({ 2: 0, 5: 3 });
});
