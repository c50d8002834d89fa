import fc from 'fast-check';
import Papa from 'papaparse';
import { expect, test } from 'vitest';
import { csvRecord, guardText, neutralise } from '../../functions/csv/write-record.pure.ts';

test.each([
  '=1+1',
  '+SUM(A1)',
  '-2+cmd|x',
  '@x y',
  '\t=1',
  '\r=1',
  '\n=1',
  '＝1',
  '＋a',
  '－a',
  '＠a',
  '=1\n2',
  '+A1',
  '-abc',
  '-SUM (1)',
  '-2+3+HYPERLINK("x")',
  "-cmd|'/c calc'!A1",
  '@SUM(1)',
  '@A1+cmd',
  '@A1',
  '@bob42',
  '@Sheet1.A1',
  '-R$5',
  '-EUR5',
  '-5 A1',
  '-1:30',
  '- met at the fair',
  // A formula's beginning, for a reader to whom the next comma is one of decimals.
  '=',
  '=-',
  '+ one more',
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
  '-',
  '+',
  '--',
  '---',
  '=====',
  '-=-=-',
  '-*-*-',
  '+~+~+',
  '@handle',
  '@john.doe',
  '-$5.00',
  '-€5',
  '- 5',
  '-1 234,50 €',
  "-1'234.50",
  '-5 EUR',
  '-EUR 5',
  '-US$ 5',
  '-5 US$',
  '-5°C',
  '-12.5e3',
  '-12/05/2024',
  '+2024-11-22',
  '-5 – -10',
  '+/-5',
  '+49 30 123456',
  '+1 555-123-4567 ext. 5',
  '+1 555-123-4567 x5',
  '+49 (0)30 123456-78 Durchwahl 9',
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

const commas = { delimiter: ',', newline: '\r\n' } as const;

test("the issue's example stays as it is, between quotes", () => {
  expect(csvRecord(["a;=cmd|'/c calc'!A1"])).toBe(`"a;=cmd|'/c calc'!A1"\r\n`);
});

test.each([
  [['a;b', 'c'], '"a;b",c'],
  [['a|b', 'c\td', 'e'], '"a|b","c\td",e'],
  [['a;-5', 'c'], '"a;-5","c"'],
  [['x', 'a;=1+1;b'], '"x","a;=1+1;b"'],
  [['x', 'Hi\n- one\n- two'], 'x,"Hi\n- one\n- two"'],
  [['x', 'Hi\n=1+1\nHo'], '"x","Hi\n=1+1\nHo"'],
])('other delimiters: %j', (cells, written) => {
  expect(csvRecord(cells)).toBe(`${written}\r\n`);
});

test('raw leaves all as it is', () => {
  expect(csvRecord(['=1', 'a;=1+1;b', '@SUM(1)'], true)).toBe('=1,a;=1+1;b,@SUM(1)\r\n');
});

test.each([
  ['a; =1+1;b', "a; '=1+1;b"],
  ["see|-cmd|'/c calc'!A1", "see|'-cmd|'/c calc'!A1"],
  ['Hi;\n=HYPERLINK("x")', `Hi;\n'=HYPERLINK("x")`],
  ['a\t"@SUM(1)', `a\t"'@SUM(1)`],
  ['- one;\n- two (2);\n-5;@acme', undefined],
  ['a=b; c-d', undefined],
  ['Best,\n=====\nJane', undefined],
  ['Best,\r\n=-=-=\r\nJane', undefined],
  [`Best,\n${'='.repeat(72)}\nJane`, undefined],
  ['Best,\n===== Jane =====\nACME', `Best,\n'===== Jane =====\nACME`],
  [`Best,\n${'='.repeat(300)}A1\nJane`, `Best,\n'${'='.repeat(300)}A1\nJane`],
  ['Best,\nJane\n=====', undefined],
  // What a record goes on with would be read on: ="," & the next cell.
  ['Best,\n=', `Best,\n'=`],
  ['Best,\n=+', `Best,\n'=+`],
])('a text of ours, read elsewhere: %j', (text, guarded = text) => {
  expect(guardText(text)).toBe(guarded);
});

test.each([';', '\n', '"', ' ;', '" ;', '|\t', 'a;=1', '-1', '-1;', '+ ', '@a', ',  ', ';-'])(
  'a megabyte of %j is written in one pass',
  (part) => {
    const cell = part.repeat(1_000_000 / part.length);
    const [row] = Papa.parse<string[]>(csvRecord(['x', guardText(cell)]), commas).data;
    expect(row?.[1]?.replaceAll("'", '')).toBe(cell);
  },
);

/** Cells of what readers stumble over. */
const awkward = fc
  .array(fc.constantFrom('=1', '+A1', '-', '-5', '@SUM(1)', '@x', '"', '""', ' ', 'a', ','), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''));
const between = fc.constantFrom(';', '|', '\t', '\n', '\r\n', '');
const cellsOf = fc
  .tuple(awkward, between, awkward, between, awkward)
  .map((parts) => parts.join(''));
const records = fc.array(fc.array(cellsOf, { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 4,
});

test('a cell differs by a leading apostrophe at most', () => {
  fc.assert(
    fc.property(records, (rows) => {
      const text = rows.map((row) => csvRecord(row)).join('');
      const read = Papa.parse<string[]>(text, commas).data.slice(0, -1);
      for (const [r, row] of rows.entries())
        for (const [c, cell] of row.entries()) expect([cell, `'${cell}`]).toContain(read[r]?.[c]);
    }),
    { numRuns: 2000 },
  );
});

test.each([';', '|', '\t'])('read with %j, no cell begins with what runs', (delimiter) => {
  const lines = fc.array(awkward, { minLength: 2, maxLength: 4 });
  // A quote in front of a delimiter, its own or ours, would be a closing one: the user's cells stay as they came.
  const flat = lines.map((parts) => `a${parts.join(delimiter).replaceAll('"', '')}b`);
  fc.assert(
    fc.property(fc.array(flat, { minLength: 1, maxLength: 4 }), (row) => {
      const text = csvRecord(['Acme', ...row, 'ok']);
      const read = Papa.parse<string[]>(text, { delimiter, newline: '\r\n' }).data.flat();
      for (const cell of read) expect(neutralise(cell)).toBe(cell);
    }),
    { numRuns: 2000 },
  );
});
