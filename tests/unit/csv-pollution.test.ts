import { describe, expect, test } from 'vitest';
import { csvRefusal, readTable, utf8 } from '../support/csv.ts';

/**
 * Files that went wrong in one way each. The kinds are those of Pollock (Vitagliano et al., "Pollock: A Data
 * Loading Benchmark", PVLDB 2023; HPI-Information-Systems/Pollock); table and files are ours.
 */
const header = ['Date', 'Company', 'City', 'Price', 'Description', 'URL', 'Comments'];
const rows = Array.from({ length: 12 }, (_, i) => [
  `2026-11-${String(i + 1).padStart(2, '0')}`,
  `Firm ${i}, Ltd`,
  'Köln',
  `$${i * 7}.50`,
  `Model "${i}" of the year; light, warm`,
  `https://firm-${i}.example/`,
  i % 3 === 0 ? '' : `row ${i}`,
]);

type Style = { delimiter?: string; newline?: string; quoteAll?: boolean };

const cellText = (cell: string, { quoteAll = true }: Style): string =>
  quoteAll || /[",;\t|\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;

const lineOf = (cells: readonly string[], style: Style = {}): string =>
  cells.map((cell) => cellText(cell, style)).join(style.delimiter ?? ',');

function file(style: Style = {}, lines = [header, ...rows].map((row) => lineOf(row, style))) {
  return (style.newline ?? '\r\n') === '' ? '' : lines.join(style.newline ?? '\r\n');
}

const lines = [header, ...rows].map((row) => lineOf(row));
const withLine = (at: number, line: string): string =>
  [...lines.slice(0, at), line, ...lines.slice(at + 1)].join('\r\n');
const whole = { header, rows };

describe('read as if nothing was wrong', () => {
  test.each<[what: string, text: string]>([
    ['as it should be', `${file()}\r\n`],
    ['no line end at the end', file()],
    ['two line ends at the end', `${file()}\r\n\r\n`],
    ['LF', file({ newline: '\n' })],
    ['CR', file({ newline: '\r' })],
    ['semicolons', file({ delimiter: ';' })],
    ['tabs', file({ delimiter: '\t' })],
    ['pipes', file({ delimiter: '|' })],
    ['quotes only where needed', file({ quoteAll: false })],
    ['semicolons, quotes only where needed', file({ delimiter: ';', quoteAll: false })],
    ['a title above', `Price list 2026\r\n${file()}`],
    ['a title above, a blank line', `Price list 2026\r\n\r\n${file()}`],
    ['a title above with delimiters', `Price list 2026,,,,,,\r\n${file()}`],
    ['two lines above', `Price list\r\nall regions\r\n${file()}`],
    ['a blank line above', `\r\n${file()}`],
    [
      'blank lines between',
      file(
        {},
        lines.flatMap((line) => [line, '']),
      ),
    ],
    [
      'mixed line ends',
      file({}, lines.slice(0, 6)) + `\r\n` + file({ newline: '\n' }, lines.slice(6)),
    ],
  ])('%s', async (_what, text) => {
    const { header: names, rows: read } = await readTable(text);
    expect({ header: names, rows: read }).toEqual(whole);
  });
});

describe('one row is wrong, the others are read', () => {
  test('a cell too few', async () => {
    const text = withLine(4, lineOf(rows[3]?.slice(0, 5) ?? []));
    const table = await readTable(text);
    expect(table.rows[3]).toEqual([...(rows[3]?.slice(0, 5) ?? []), '', '']);
    expect(table.rows.toSpliced(3, 1)).toEqual(rows.toSpliced(3, 1));
  });

  test('a cell too many: a column more', async () => {
    const table = await readTable(withLine(4, lineOf([...(rows[3] ?? []), 'extra'])));
    expect(table.header).toEqual([...header, 'column_8']);
    expect(table.rows[3]).toEqual([...(rows[3] ?? []), 'extra']);
    expect(table.rows[4]?.slice(0, 7)).toEqual(rows[4]);
  });

  test.each([
    ['inside of a cell', (line: string) => line.replace('light', 'li"ght')],
    ['behind a cell', (line: string) => line.replace('"Köln"', '"Köln""')],
    ['before a cell', (line: string) => line.replace('"Köln"', '""Köln"')],
  ])(
    'a quote too many %s: that row has its cells, or is refused by its line',
    async (_where, spoil) => {
      const spoilt = spoil(lines[4] ?? '');
      expect(spoilt).not.toBe(lines[4]);
      const text = withLine(4, spoilt);
      const table = await readTable(text).catch(() => undefined);
      if (table) {
        expect(table.rows.toSpliced(3, 1)).toEqual(rows.toSpliced(3, 1));
        expect(table.rows[3]).toHaveLength(7);
        expect(table.rows[3]?.[0]).toBe(rows[3]?.[0]);
        expect(table.warnings.join()).toContain('Line 5');
      } else expect((await csvRefusal([utf8(text)])).line).toBe(5);
    },
  );
});

describe('refused clearly', () => {
  test.each<[what: string, text: string, line: number]>([
    ['an empty file', '', 1],
    ['line ends alone', '\r\n\r\n', 1],
  ])('%s', async (_what, text, line) => {
    expect(await csvRefusal([utf8(text)])).toEqual({ line, reason: 'The file is empty.' });
  });
});
