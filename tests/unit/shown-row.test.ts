import { expect, test } from 'vitest';
import { duplicatesOf, shownRow } from '../../functions/jobs/shown-row.pure.ts';
import type { StoredResult } from '../../functions/processing/chunk.pure.ts';

const skips = { status: 'running', skips_duplicates: true } as const;

const shown = (result: StoredResult | null) => shownRow(skips, result, undefined);

test('a result says what became of its row, and what its user should know of it', () => {
  expect(shown({ status: 'ok', cells: ['a'], note: 'no research found' })).toEqual({
    status: 'ok',
    cells: ['a'],
    note: 'no research found',
    error: null,
  });
  expect(shown({ status: 'error', error: 'No', run: 1 })).toMatchObject({
    status: 'error',
    error: 'No',
    cells: null,
  });
  expect(shown({ status: 'skipped', note: 'empty row' })).toMatchObject({
    status: 'skipped',
    note: 'empty row',
  });
  expect(shown(null)).toMatchObject({ status: 'pending', note: null, error: null });
});

test('a row that is worked again shows what it had', () => {
  expect(shown({ status: 'begun', searches: [] })).toMatchObject({ status: 'pending' });
  expect(
    shown({ status: 'begun', searches: [], before: { status: 'ok', cells: ['a'] } }),
  ).toMatchObject({
    status: 'ok',
    cells: ['a'],
  });
});

test('a duplicate is skipped where its job skips them and it has no result', () => {
  expect(shownRow(skips, null, 3)).toMatchObject({ status: 'skipped', note: 'same as row 3' });
  expect(shownRow(skips, { status: 'ok', cells: ['a'] }, 3)).toMatchObject({
    status: 'ok',
    note: null,
  });
  const works = { ...skips, skips_duplicates: false };
  expect(shownRow(works, null, 3)).toMatchObject({ status: 'pending' });
  expect(shownRow({ ...works, status: 'cancelled' }, null, 3)).toMatchObject({ status: 'error' });
  expect(shownRow({ ...skips, status: 'completed' }, null, 3)).toMatchObject({ status: 'skipped' });
  expect(duplicatesOf([[4, 1]]).get(4)).toBe(1);
});
