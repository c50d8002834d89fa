import { describe, expect, test } from 'vitest';
import { readRows } from '../../functions/csv/read-rows.pure.ts';
import { cutBytes, readFile, readText, utf8 } from '../support/csv.ts';

const read = (text: string) => readFile([utf8(text)]);

describe('the delimiter is decided over several lines', () => {
  test.each([
    [
      'a title with another above',
      'Leads; all, of 2026\nname,city,tel\nA,B,1\nC,D,2\n',
      ['name', 'city', 'tel'],
    ],
    ['a title with more of another', 'a;b;c;d;e;f\nname,city\nA,B\nC,D\nE,F\n', ['name', 'city']],
    ['decimal commas', 'Firma;Umsatz, EUR\nA;1,50\nB;2,30\n', ['Firma', 'Umsatz, EUR']],
    [
      'decimal commas below a title',
      'Liste\nFirma;Preis\nA;1,50\nB;2\nC;3,10\n',
      ['Firma', 'Preis'],
    ],
    ['ragged rows', 'a,b\n1\n1,2\n1;2;3\n4;5;6\n', ['a', 'b']],
    ['an open quote', `Leads\nname,city\n"A,B\n${'C,D\n'.repeat(200)}`, ['name', 'city']],
    ['an open quote with a long text', `a,b\n"${'x;y;z\n'.repeat(20_000)}",2\n`, ['a', 'b']],
  ])('%s', async (_, text, header) => {
    expect((await read(text)).header).toEqual(header);
  });

  test.each([
    ['0 to 3 commas', ['a, b', 'plain', 'a,b,c,d', 'a, b, c', 'plain too', 'x,y']],
    ['a comma in each', ['Hello, Ann', 'Hello, Bob', 'Dear, Cy']],
    ['addresses', ['1 Main St, Rome, Italy', '2 Low St, Bonn, Germany']],
    ['names, one without a blank', ['Roe, Jane', 'Smith, Ann', 'Poe, Al', 'Doe,John']],
    ['companies', ['Acme, Inc.', 'Beta, LLC', '1,000 Islands Tours', 'Gamma, Ltd.']],
    ['commas far below', ['plain', 'plain too', 'third', 'x,y']],
    ['no delimiter at all, then all', [...Array.from({ length: 99 }, (_, i) => `${i}`), 'a;b\t|,']],
  ])('a file of one column with %s has one column', async (_, notes) => {
    const text = ['note', ...notes].join('\n');
    expect(await readText(text)).toEqual({
      header: ['note'],
      rows: notes.map((note) => [note]),
    });
  });
});

test('a list of one column below a gap has one column', async () => {
  const { header, rows } = await readText('Name\n\nRoe, Jane\nSmith, Ann\nPoe,Al\n');
  expect([header, rows]).toEqual([['Name'], [['Roe, Jane'], ['Smith, Ann'], ['Poe,Al']]]);
});

describe('lines above the header', () => {
  const table = [
    ['Name', 'Company', 'City'],
    ['Jane', 'Acme', 'Rome'],
    ['Bob', 'Umbra', 'Bonn'],
  ];
  const [header = [], ...rows] = table;
  test.each([
    ['a title', ['Leads export 2026-11-01'], 1],
    ['a quoted title', ['"Leads, all of them"'], 1],
    ['a title with quotes', ['"Leads" of 2026'], 1],
    ['a title of one word', ['Leads'], 1],
    ['a title and a blank line', ['Leads', ''], 1],
    ['a title that Excel saved', ['Leads export,,', ',,'], 1],
    ['several', ['Leads export', 'of Jane Roe', '', ',,', 'November'], 3],
    ['a dated title with a comma', ['Leads export, 1 November 2026'], 1],
    ['what a report states', ['Leads', 'Date:,2026-11-01', 'By:,Jane', ''], 3],
    ["a title below Excel's line", ['sep=,', 'Leads export'], 1],
    ['emptied lines alone', [',,', '', ',,'], 0],
  ])('%s', async (_, above, count) => {
    for (const end of ['\n', '\r\n', '\r']) {
      const file = await read([...above, ...table.map((row) => row.join(','))].join(end));
      expect(file).toMatchObject({ header, rows, headerLine: above.length + 1 });
      const lines =
        count === 1 ? '1 line above the header was' : `${count} lines above the header were`;
      const isAll = file.warnings.filter((warning) => !warning.includes('quote'));
      expect(isAll).toEqual(count === 0 ? [] : [`${lines} left out.`]);
    }
  });

  test.each([
    ['a title in another column', ',,,Spend of July\n', 'No,Name,Name,Sum\n1,A,B,£2\n2,C,D,£3\n'],
    ['a word over two columns', 'Leads\n', 'Name,City\nA,Rome\nB,Bonn\n'],
    ['a title over numbers', 'Sales by region\n', 'x,y,z\nA,B,1\nC,D,2\nE,F,3\n'],
    ['a title over a table alone', 'Our list\n\n', 'x,y,z\nA,B,C\nC,D,E\n'],
    ['a header of two lines', 'Person,,Company,\n', 'First,Last,Name,City\nA,B,C,D\nE,F,G,H\n'],
    ['a title over a header alone', 'Lead list 2024\n', 'Company,City,Country\n'],
    ['a header on each page', 'Spend\n\n', 'Name,Sum\nA,£2\nName,Sum\nB,£3\n'],
  ])('%s', async (_, above, text) => {
    const file = await read(above + text);
    const { header, rows } = await readText(text);
    expect(file).toMatchObject({ header, rows });
    expect(file.warnings).toEqual(['1 line above the header was left out.']);
  });

  test.each([
    ['fewer names than cells', 'a,b\n1,2,3\n4,5,6\n', ['a', 'b', 'column_3']],
    ['one name over numbers', 'a\n1,2\n3,4\n', ['a', 'column_2']],
    ['one name over mail addresses', 'name\nJane,j@x.org\nBob,b@x.org\n', ['name', 'column_2']],
    [
      'one name over what recurs',
      'city\nRome,Italy\nBonn,Germany\nPisa,Italy\n',
      ['city', 'column_2'],
    ],
    ['a comma at the end of rows', 'name\nJane,\nBob,\n', ['name', 'column_2']],
    [
      'two names, a comma at the end of rows',
      'name,line 2\nJane,x,\nBob,y,\n',
      ['name', 'line 2', 'column_3'],
    ],
    ['a header, then one wide row', 'a,b\nx,y\nu,v,w,z\nm,n\n', ['a', 'b', 'column_3', 'column_4']],
    ['names that are empty', 'name,,\nJane,x,y\nBob,u,v\n', ['name', '', '']],
    ['an empty first name', ',name,city\n0,Jane,Rome\n1,Bob,Bonn\n', ['', 'name', 'city']],
    ['one column', 'note\nfirst\nsecond\n', ['note']],
    ['one line below', 'a\nx,y\n', ['a', 'column_2']],
    ['a header alone', 'a,b\n', ['a', 'b']],
  ])('a header is no title: %s', async (_, text, header) => {
    expect(await read(text)).toMatchObject({ header, headerLine: 1, warnings: [] });
  });

  test.each<[string, string[]]>([
    ['Company', ['Company', 'column_2', 'column_3', 'column_4']],
    ['Company,,,', ['Company', '', '', '']],
    ['Company name', ['Company name', 'column_2', 'column_3', 'column_4']],
    ['Kontakt der Messe', ['Kontakt der Messe', 'column_2', 'column_3', 'column_4']],
    ['Firma:,,,', ['Firma:', '', '', '']],
    ['Company,Contact,Event 2024,', ['Company', 'Contact', 'Event 2024', '']],
    ['Company,Contact,Event 2024', ['Company', 'Contact', 'Event 2024', 'column_4']],
    ['Company:,Contact:,City:,', ['Company:', 'Contact:', 'City:', '']],
    ['Company\n', ['Company', 'column_2', 'column_3', 'column_4']],
    ['Company,Contact\n', ['Company', 'Contact', 'column_3', 'column_4']],
    ['Alpha,Beta\n', ['Alpha', 'Beta', 'column_3', 'column_4']],
    ['Lieferant\n', ['Lieferant', 'column_2', 'column_3', 'column_4']],
    ['Alpha,Beta,Event 2024\n', ['Alpha', 'Beta', 'Event 2024', 'column_4']],
  ])('no lead below %j is taken for the header', async (above, header) => {
    const rows = [
      ['Acme', 'Jane', 'Bonn', 'warm'],
      ['Beta', 'John', 'Rome', 'cold'],
      ['Firm', 'Al', 'Pisa', 'met at the booth'],
    ];
    const text = [above, ...rows.map((row) => row.join(','))].join('\n');
    expect(await read(text)).toMatchObject({ header, rows, headerLine: 1, warnings: [] });
  });

  test('a title is seen however the text comes, above 64 KB too', async () => {
    const long = `Leads export\nname,city\n${'Jane,Rome\n'.repeat(9000)}`;
    const whole = await read(long);
    expect(whole.rows).toHaveLength(9000);
    expect(whole.header).toEqual(['name', 'city']);
    expect(await readFile(cutBytes(utf8(long), 1))).toEqual(whole);
  });
});

describe('rows without content', () => {
  test("Excel's emptied rows are rows that are skipped; blank lines are none", async () => {
    const { rows, skips, header } = await read('a,b\n,\n1,2\n\n ,\n,,,,\n"",""\n3,\n');
    expect(header).toEqual(['a', 'b']);
    expect(rows).toEqual([[], ['1', '2'], [' ', ''], [], [], ['3', '']]);
    const note = 'empty row';
    expect(skips).toEqual({ 0: note, 2: note, 3: note, 4: note });
  });

  test('an emptied row wider than any limit is no column', async () => {
    const { header, rows } = await read(`a,b\n1,2\n${','.repeat(16_383)}\n`);
    expect([header, rows]).toEqual([
      ['a', 'b'],
      [['1', '2'], []],
    ]);
  });

  test('a quoted empty cell in one column is skipped too', async () => {
    const { rows, skips } = await read('a\n""\nx\n" "\n');
    expect(rows).toEqual([[], ['x'], [' ']]);
    expect(skips).toEqual({ 0: 'empty row', 2: 'empty row' });
  });

  test('each batch names its own rows', async () => {
    const text = `a,b\n${`${'x'.repeat(99)},y\n,\n`.repeat(3000)}`;
    const { rows, skips } = await readFile([utf8(text.slice(0, 99_999)), utf8(text.slice(99_999))]);
    expect(rows).toHaveLength(6000);
    for (const [index, row] of rows.entries())
      expect(skips[index]).toBe(row.length === 0 ? 'empty row' : undefined);
  });
});

describe('warnings', () => {
  async function warningsIn(encoding: string): Promise<readonly string[]> {
    let warnings: readonly string[] = [];
    const pieces = (async function* () {
      yield { text: 'a,b\n', bytes: 4, line: 2, encoding: 'utf-8' };
      yield { text: '1,2\n', bytes: 4, line: 3, encoding };
    })();
    for await (const batch of readRows(pieces)) ({ warnings } = batch);
    return warnings;
  }

  test.each([
    ['windows-1251', 'Windows-1251'],
    ['shift_jis', 'Shift_JIS'],
    ['gb18030', 'GB18030'],
    ['iso-8859-2', 'ISO-8859-2'],
    ['macintosh', 'Mac Roman'],
  ])('%s is told as %s', async (label, name) => {
    expect(await warningsIn(label)).toEqual([`The file was read as ${name}.`]);
  });

  test.each(['utf-8', 'utf-16le', 'utf-16be'])('%s is not told', async (label) => {
    expect(await warningsIn(label)).toEqual([]);
  });

  test('all at once are at most 20', async () => {
    const text = `All leads\na,b,c\n1,2,3\n4,5,6\n${'"1" x,2,3\n'.repeat(20)}${'7,8,9\n'.repeat(2000)}\nPage 1 of 1\n`;
    const { warnings } = await read(text);
    expect(warnings).toHaveLength(16);
    expect([warnings[0], warnings.at(-1)]).toEqual([
      '1 line above the header was left out.',
      '1 line below the table was not worked.',
    ]);
  });
});
