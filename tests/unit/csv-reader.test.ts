import Papa from 'papaparse';
import { describe, expect, test } from 'vitest';
import { csvRefusal, cutBytes, readCsv, readText, utf8 } from '../support/csv.ts';

describe('reading a CSV', () => {
  test.each([
    ['comma, LF', 'a,b\n1,2\n'],
    ['semicolon, CRLF', 'a;b\r\n1;2\r\n'],
    ['tab, CR', 'a\tb\r1\t2\r'],
    ['bar, no newline at the end', 'a|b\n1|2'],
    ['byte order mark', '\ufeffa,b\n1,2\n'],
    ['blank lines', '\na,b\n\n  \n1,2\n\n'],
    ['blank lines, CRLF', '\r\na,b\r\n\r\n1,2\r\n\r\n'],
    ['LF, then CRLF', 'a,b\n1,2\r\n'],
    ['CRLF, then LF', 'a,b\r\n1,2\n'],
    ['CRLF behind quotes', '"a","b"\r\n"1","2"\r\n'],
    ['quotes, LF above, a CR at the end', 'a,b\n1,"2"\r'],
    ['quotes, CR', '"a","b"\r"1","2"\r'],
    ['quotes and blanks behind them', '"a" ,"b"\n"1","2"  '],
    ["Excel's first line", 'sep=;\r\na;b\r\n1;2\r\n'],
    ["Excel's first line, quoted", '"sep=|"\na|b\n1|2\n'],
    ["Excel's first line, CR, tab", '\ufeffsep=\t\ra\tb\r1\t2'],
    ['commas in a header that the rows do not have', 'a;b\n1;2\n'],
  ])('%s', async (_, text) => {
    expect(await readText(text)).toEqual({ header: ['a', 'b'], rows: [['1', '2']] });
  });

  test('a column whose name is a text of its own is refused: the header is missing, or a quote', async () => {
    expect(await csvRefusal([utf8(`a,${'b'.repeat(1001)}\n1,2\n`)])).toMatchObject({ line: 1 });
    expect((await readText(`a,${'b'.repeat(1000)}\n1,2\n`)).rows).toEqual([['1', '2']]);
  });

  test('quotes hold delimiters, line ends and doubled quotes', async () => {
    const { rows } = await readText('a,b\n"x, y","line 1\nline ""2"""\n');
    expect(rows).toEqual([['x, y', 'line 1\nline "2"']]);
  });

  test.each([
    ['a quoted delimiter', '"a,b,c";d\n1;2\n', ['a,b,c', 'd']],
    ['a quote inside a cell', 'size 5" x;y\n1;2\n', ['size 5" x', 'y']],
    [
      'more of another in the header',
      'name;sum (net, EUR, 2025)\nx;1\ny;2\n',
      ['name', 'sum (net, EUR, 2025)'],
    ],
  ])('the delimiter is found beside %s', async (_, text, header) => {
    expect((await readText(text)).header).toEqual(header);
  });

  test('the delimiter that Excel names wins over the one that stands most often', async () => {
    expect(await readText('sep=;\na,b,c;d\n1,2,3;4\n')).toEqual({
      header: ['a,b,c', 'd'],
      rows: [['1,2,3', '4']],
    });
  });

  test('a CR that is no line end is data, quoted or not', async () => {
    expect((await readText('a,b\n1\r1,"2\r"\r\n"\r","\r""\r"\n3,x\ry\n')).rows).toEqual([
      ['1\r1', '2\r'],
      ['\r', '\r"\r'],
      ['3', 'x\ry'],
    ]);
  });

  test('a line with a quoted empty cell is a row where there is one column, else it is blank', async () => {
    expect((await readText('a\n""\n\nx\n""\r\n')).rows).toEqual([[], ['x'], []]);
    expect((await readText('a,b\n""\n\n1,2\n')).rows).toEqual([['1', '2']]);
  });

  test('1,000 columns', async () => {
    const cells = (prefix: string) => Array.from({ length: 1000 }, (_, i) => `${prefix}${i}`);
    const text = `${cells('c').join(';')}\r\n${cells('v').join(';')}\r\n`;
    expect(await readText(text)).toEqual({ header: cells('c'), rows: [cells('v')] });
  });

  test('a cell of a million characters', async () => {
    const long = 'x,"\n'.repeat(200_000);
    const text = Papa.unparse([
      ['a', 'b'],
      ['1', long],
    ]);
    expect((await readCsv(cutBytes(utf8(text), 65_536))).rows).toEqual([['1', long]]);
  });
});

describe('ragged rows', () => {
  test('short rows stay short; long ones widen the header by numbers', async () => {
    expect(await readText('a,b\n1\n1,2,3\n1,2,3,4\n1,2\n')).toEqual({
      header: ['a', 'b', 'column_3', 'column_4'],
      rows: [['1'], ['1', '2', '3'], ['1', '2', '3', '4'], ['1', '2']],
    });
  });

  test('a name that the file has already is not given twice', async () => {
    expect((await readText('column_3,Column_3_2\n1,2,3,4\n')).header).toEqual([
      'column_3',
      'Column_3_2',
      'column_3_3',
      'column_4',
    ]);
  });

  test('duplicate and empty header cells stay as they came', async () => {
    expect((await readText('a,,a, b \n1,2,3,4\n')).header).toEqual(['a', '', 'a', ' b ']);
  });
});

describe("PapaParse's defects do not reach the rows", () => {
  test('a CRLF cut between its halves is no false quote error', async () => {
    const text = '"a","b"\r\n'.repeat(9000);
    // Odd pieces: some batch ends right behind a CR, some right behind a quote.
    for (const size of [65_536, 65_537, 65_543])
      expect((await readCsv(cutBytes(utf8(text), size))).rows).toHaveLength(8999);
  });

  test('a first piece that ends in the first CRLF leaves no CR on the last cell', async () => {
    const header = `${`${'x'.repeat(1000)},`.repeat(65)}${'y'.repeat(465)},last`;
    const text = utf8(`${header}\r\n1,2\r\n`);
    const { header: read, rows } = await readCsv([
      text.subarray(0, header.length + 1),
      text.subarray(header.length + 1),
    ]);
    expect(read.at(-1)).toBe('last');
    expect(rows).toEqual([['1', '2']]);
  });

  test('a quoted newline with other delimiters does not mislead about the delimiter', async () => {
    expect(await readText('"a;x;y\n;;;;",b\n"1;\n;;",2\n')).toEqual({
      header: ['a;x;y\n;;;;', 'b'],
      rows: [['1;\n;;', '2']],
    });
  });

  test('multi-byte characters survive a cut at every byte', async () => {
    const text = utf8('näme;"qu""ote"\r\n"zeile\r\nzwei😀";€\r\n');
    for (let at = 0; at <= text.length; at += 1)
      expect(await readCsv([text.subarray(0, at), text.subarray(at)])).toEqual({
        header: ['näme', 'qu"ote'],
        rows: [['zeile\r\nzwei😀', '€']],
      });
  });

  test('numbers, dates and booleans stay the text that they are', async () => {
    expect((await readText('a,b,c\n007,true,1e5\n')).rows).toEqual([['007', 'true', '1e5']]);
  });

  test('a header named like a property of objects is a name as any other', async () => {
    expect(await readText('__proto__,constructor\n1,2\n')).toEqual({
      header: ['__proto__', 'constructor'],
      rows: [['1', '2']],
    });
  });
});

describe('what cannot be read says which line and why', () => {
  test.each([
    ['empty file', '', 1, /empty/],
    ['blank file', ' \n\n', 1, /empty/],
    ['a mark alone', '\ufeff', 1, /empty/],
    ["Excel's first line alone", 'sep=;\n', 1, /empty/],
    ['quote never closed', 'a,b\n1,2,"3\n', 2, /^A quoted cell has no closing quote/],
    ['the same before another', 'a,b\n1,2,"3\n"4",5\n', 2, /^A quoted cell has no closing quote/],
    ['quotes in quotes', 'a,b\n1,"2" x,3\n', 2, /Double the quotes inside a quoted cell/],
    ['the line is counted through quoted line ends', 'a,b\n"1\n1",2\n3,4,"\n', 4, /quote/i],
    ['the line where the record begins', 'a,b,c\n1,2,3\n1,"2\n2","4" x\n', 3, /quote/i],
    ['the line is counted in CRLF', 'a,b\r\n\r\n1,2\r\n3,"4" x,5\r\n', 4, /quote/i],
    ['the line is counted in CR', 'a,b\r1,2\r3,"4" x,5\r', 3, /quote/i],
    ["the line is counted below Excel's", 'sep=,\na,b\n3,"4" x,5\n', 3, /quote/i],
    ['the line is counted below a title', 'All leads\n\na,b\n1,2\n3,"4" x,5\n', 5, /quote/i],
  ])('%s', async (_, text, line, reason) => {
    expect(await csvRefusal([utf8(text)])).toEqual({ line, reason: expect.stringMatching(reason) });
  });

  test('a row is too long by its length, however the text comes', async () => {
    const row = (length: number) => utf8(`a,b\n1,2\n"${'x'.repeat(length - 5)}",1\n3,4\n`);
    for (const size of [1_200_000, 65_536, 99_991]) {
      expect((await readCsv(cutBytes(row(1_048_575), size))).rows).toHaveLength(3);
      expect(await csvRefusal(cutBytes(row(1_048_577), size))).toEqual({
        line: 3,
        reason: expect.stringMatching(/longer than 1048576 characters.*quote missing/),
      });
    }
  });

  test('a cell that never ends is refused before it fills the memory', async () => {
    let sent = 0;
    const endless = (function* () {
      yield utf8('a,b\n"');
      for (; sent < 400; sent += 1) yield utf8('x'.repeat(65_536));
    })();
    expect(await csvRefusal(endless)).toEqual({
      line: 2,
      reason: expect.stringMatching(/quote missing/),
    });
    expect(sent).toBeLessThan(20);
  });

  test.each([
    ['header', 1, `${'c,'.repeat(1000)}c\n`],
    ['row', 3, `a,b\n1,2\n${'c,'.repeat(1000)}c\n`],
  ])('a %s of more than 1,000 cells', async (_, line, text) => {
    expect(await csvRefusal([utf8(text)])).toEqual({
      line,
      reason: 'There are 1001 columns; the limit is 1000.',
    });
  });
});
