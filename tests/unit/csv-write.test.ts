import fc from 'fast-check';
import Papa from 'papaparse';
import { expect, test } from 'vitest';
import { csvRecord, neutralise } from '../../functions/csv/write-record.pure.ts';

test.each([
  '=1+1',
  '+SUM(A1)',
  '-2+cmd|x',
  '@x',
  '\t=1',
  '\r=1',
  '\n=1',
  '＝1',
  '＋a',
  '－a',
  '＠a',
  '=1\n2',
  '-',
  '+',
])('a spreadsheet does not run %j', (cell) => {
  expect(neutralise(cell)).toBe(`'${cell}`);
});

test.each([
  '-12.5',
  '+4915112345',
  '+49 (151) 123-45',
  '-1,234.50',
  '-1e10',
  '-12 %',
  'a=b',
  '',
  ' =1',
  '3M',
  "'x",
])('stays as it is: %j', (cell) => {
  expect(neutralise(cell)).toBe(cell);
});

test('a long cell that begins like a number is a formula like any other', () => {
  const cell = `+${'1'.repeat(200_000)}x`;
  expect(neutralise(cell)).toBe(`'${cell}`);
});

test('a raw record reads back as its cells, whatever they hold', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 6 }),
      (cells) => {
        const { data } = Papa.parse<string[]>(csvRecord(cells, true), {
          delimiter: ',',
          newline: '\r\n',
        });
        expect(data).toEqual([cells, ['']]);
      },
    ),
  );
});

test('a neutralised record differs from its cells by a leading apostrophe at most', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 6 }), (cells) => {
      const [row] = Papa.parse<string[]>(csvRecord(cells), {
        delimiter: ',',
        newline: '\r\n',
      }).data;
      for (const [i, cell] of cells.entries()) expect([cell, `'${cell}`]).toContain(row?.[i]);
    }),
  );
});
