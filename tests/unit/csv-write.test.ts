import fc from 'fast-check';
import Papa from 'papaparse';
import { expect, test } from 'vitest';
import { csvRecord, neutralise } from '../../functions/csv/write-record.pure.ts';

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
  [['x', 'a;=1'], '"x","a;=1"'],
  [['x', 'a;=1+1;b'], `"x","a;'=1+1;b"`],
  [['x', 'a; "=1+1;b'], `"x","a;' ""=1+1;b"`],
  [['x', ';=1'], `"x",";'=1"`],
  [['x', '";=1'], `"x",""";'=1"`],
  [['x', 'a;=A1&', '&cmd();y'], `"x","a;'=A1&","&cmd();y"`],
  [['x', 'Hi\n- one\n- two (2), or\n-5'], '"x","Hi\n- one\n- two (2), or\n-5"'],
  [['x', 'Hi\n=1+1\nHo'], `"x","Hi\n'=1+1\nHo"`],
])('other delimiters: %j', (cells, written) => {
  expect(csvRecord(cells)).toBe(`${written}\r\n`);
});

test('raw leaves all as it is', () => {
  expect(csvRecord(['=1', 'a;=1+1;b', '@SUM(1)'], true)).toBe('=1,a;=1+1;b,@SUM(1)\r\n');
});

test.each([';', '\n', '"', ' ;', '" ;', '|\t', 'a;=1', '-1', '-1;', '+ ', '@a', ',  '])(
  'a megabyte of %j is written in one pass',
  (part) => {
    const cell = part.repeat(1_000_000 / part.length);
    const [row] = Papa.parse<string[]>(csvRecord(['x', cell]), commas).data;
    expect(unmarked(row?.[1] ?? '')).toBe(unmarked(cell));
  },
);

/** Cells of what readers stumble over. */
const awkward = fc
  .array(
    fc.constantFrom(
      '=1',
      '+A1',
      '-',
      '-5',
      '@SUM(1)',
      '@x',
      ';',
      '|',
      '\t',
      '"',
      '""',
      '\n',
      '\r\n',
      ' ',
      'a',
      ',',
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));
const records = fc.array(fc.array(awkward, { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 4,
});
const unmarked = (text: string) => text.replaceAll("'", '');

test('read with commas, what goes in comes out but for marks', () => {
  fc.assert(
    fc.property(records, (rows) => {
      const text = rows.map((row) => csvRecord(row)).join('');
      const read = Papa.parse<string[]>(text, commas).data.slice(0, -1);
      expect(read.map((row) => row.map(unmarked))).toEqual(rows);
    }),
    { numRuns: 2000 },
  );
});

test.each([';', '|', '\t'])(
  'read with %j, no cell begins with what a spreadsheet runs',
  (delimiter) => {
    fc.assert(
      fc.property(records, (rows) => {
        // A first cell that is a number of its own has its line behind it for such a reader.
        const text = rows.map((row) => csvRecord(['x', ...row, 'ok'])).join('');
        for (const newline of ['\r\n', '\n'] as const)
          for (const read of Papa.parse<string[]>(text, { delimiter, newline }).data.flat()) {
            // Line ends at a cell's beginning are blank lines to it.
            const cell = read.replace(/^[\r\n]+/, '');
            expect(neutralise(cell)).toBe(cell);
          }
      }),
      { numRuns: 3000 },
    );
  },
);

test.each([';', '|', '\t'])('nor one that is split at %j whatever quotes say', (delimiter) => {
  fc.assert(
    fc.property(records, (rows) => {
      for (const row of rows) {
        const cells = row.map((cell) => cell.replaceAll(/[\r\n]/g, ''));
        const pieces = csvRecord(['x', ...cells, 'ok'])
          .trimEnd()
          .split(delimiter);
        for (const piece of pieces.slice(1, -1)) {
          const bare = piece.replace(/^[\s"]+/, '');
          expect(neutralise(bare)).toBe(bare);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('without other delimiters, a cell differs by a leading apostrophe at most', () => {
  const plain = fc.string().map((text) => text.replaceAll(/[;|\t\r\n]/g, ''));
  fc.assert(
    fc.property(fc.array(plain, { minLength: 1, maxLength: 6 }), (cells) => {
      const [row] = Papa.parse<string[]>(csvRecord(cells), {
        delimiter: ',',
        newline: '\r\n',
      }).data;
      for (const [i, cell] of cells.entries()) expect([cell, `'${cell}`]).toContain(row?.[i]);
    }),
  );
});
