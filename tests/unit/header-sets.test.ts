import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBlankName, isSalutation } from '../../functions/processing/blank-names.pure.ts';
import { noCompany, planResearch } from '../../functions/processing/search-query.pure.ts';
import type { Research } from '../../functions/providers/research.ts';

type HeaderSet = {
  language: string;
  source: string;
  header: string[];
  rows: { cells: string[]; query: Research | null }[];
};

/** A set is four lines: `language: source`, its header, two rows. */
function readSet(block: string): HeaderSet {
  const [title = '', header = '', ...rows] = block.split('\n').filter((line) => line !== '');
  return {
    language: title.slice(0, 2),
    source: title.slice(4),
    header: header.split('|'),
    rows: rows.map((row) => {
      const [cells = '', asked = ''] = row.split(' => ');
      const [text = '', scope = ''] = asked.split(' # ');
      const query = asked === '-' ? null : { text, scope: scope as Research['scope'] };
      return { cells: cells.split('|'), query };
    }),
  };
}

const sets = readFileSync('tests/corpora/header-sets.txt', 'utf8')
  .split('\n\n')
  .filter((block) => block.trim() !== '' && !block.startsWith('#'))
  .map(readSet);

const queryOf = (header: readonly string[], row: readonly string[]): Research | null =>
  planResearch(header, undefined).query(row).query ?? null;

test('there are sixty sets or more in eight languages, and each names where it is from', () => {
  expect(sets.length).toBeGreaterThanOrEqual(60);
  const languages = sets.map(({ language }) => language);
  for (const language of ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'ja'])
    expect(languages.filter((other) => other === language).length).toBeGreaterThanOrEqual(4);
  for (const { source } of sets)
    expect(source).toMatch(/^made by hand|^[\w.-]+\/[\w./-]+|^help\.\S+ /);
  const found = sets.filter(({ source }) => !source.startsWith('made by hand'));
  expect(found.length).toBeGreaterThanOrEqual(50);
});

test.each(sets.map((set) => [set.language, set.source, set] as const))(
  '%s, %s: what is asked is what a careful person would type',
  (_, __, { header, rows }) => {
    expect(rows).toHaveLength(2);
    for (const { cells } of rows) expect(cells).toHaveLength(header.length);
    expect(rows.map(({ cells }) => queryOf(header, cells))).toEqual(rows.map(({ query }) => query));
  },
);

const anySet = fc.constantFrom(...sets);

test('the order of the columns does not change what is asked', () => {
  fc.assert(
    fc.property(anySet, fc.infiniteStream(fc.nat()), ({ header, rows }, keys) => {
      const order = header
        .map((_, i) => ({ i, key: keys.next().value ?? 0 }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ i }) => i);
      const moved = (cells: readonly string[]) => order.map((i) => cells[i] ?? '');
      for (const { cells, query } of rows)
        expect(queryOf(moved(header), moved(cells))).toEqual(query);
    }),
    { numRuns: 300 },
  );
});

const placeholders = [
  'N/A|n.a.|-|—|?|none|NULL|Unknown|test|k.A.|keine Angabe|inconnu|desconocido|sconosciuto|onbekend|不明|なし',
  'self-employed|Freelance|#N/A|(not set)|Herr|Frau|Mr.|Mme|Sra.|Dhr.|様| |',
].flatMap((list) => list.split('|'));

test('placeholders and salutations are never asked for, wherever they stand', () => {
  const cell = fc.oneof(
    fc.constantFrom(...placeholders),
    fc.constantFrom('Jana', 'Kestrel Ltd', 'a@b.example'),
  );
  fc.assert(
    fc.property(anySet, fc.array(cell, { minLength: 15, maxLength: 15 }), ({ header }, row) => {
      const query = queryOf(header, row.slice(0, header.length));
      if (query) {
        expect(isBlankName(query.text) || isSalutation(query.text)).toBe(false);
        for (const word of ['N/A', 'Herr', 'Frau', 'keine Angabe', '不明', 'Mme'])
          expect(query.text).not.toContain(word);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a row of placeholders asks nothing, and says why', () => {
  for (const { header } of sets)
    for (const text of placeholders) {
      const row = header.map(() => text);
      expect(planResearch(header, undefined).query(row)).toEqual({
        query: undefined,
        note: noCompany,
      });
    }
});

test('what is asked for people is for nobody else, and tells those of one name apart', () => {
  const header = ['First Name', 'Last Name', 'Email', 'City'];
  const rows = [
    ['Jane', 'Doe', 'jane1@gmail.com', 'Leeds'],
    ['Jane', 'Doe', 'jane2@gmail.com', 'Leeds'],
    ['Jane', 'Doe', '', 'Leeds'],
    ['Jane', 'Doe', '', 'Bath'],
    ['Jane', 'Doe', '', ''],
  ];
  const queries = rows.map((row) => queryOf(header, row));
  expect(new Set(queries.map((query) => query?.text)).size).toBe(rows.length);
  expect(new Set(queries.map((query) => query?.scope))).toEqual(new Set(['none']));
});

test('under a name or a customer a couple is shared with nobody, a company is with all', () => {
  for (const header of ['Name', 'Customer', 'Kunde']) {
    expect(queryOf([header, 'City'], ['Anna & Tom Roe', 'Bath'])?.scope).toBe('none');
    expect(queryOf([header, 'City'], ['Kestrel Software Ltd', 'Bath'])?.scope).toBe('company');
  }
});

test('columns about a company are not its name', () => {
  const others =
    'Company Size,Company Phone,Account Owner,Lead Source,Company ID,Company Address,Account Type,Parent Account,Previous Company,Company Description,Organization ID,Account Status,Firmennummer,Company Contact,会社コード,会社電話番号';
  for (const other of others.split(',')) {
    expect(queryOf([other, 'Company'], ['Wrong Ltd', 'Right Ltd'])?.text, other).toBe('Right Ltd');
    const { columns } = planResearch([other, 'Company'], undefined);
    expect(columns[0]).toBe('Company');
  }
});

test('pages on networks and mailboxes are no company, a company page tells its name', () => {
  const of = (cell: string, header = 'Website') => queryOf([header], [cell]);
  for (const cell of [
    'https://www.linkedin.com/in/jane',
    'facebook.com/kestrel',
    'https://instagram.com/kestrel',
    'x.com/kestrel',
    'https://linktr.ee/kestrel',
    'https://maps.google.com/?cid=1',
    'https://www.google.com/maps/place/x',
    'gmail.com',
    'www.example.com',
    'https://',
    'linkedin.com/company/123456',
  ])
    expect(of(cell), cell).toBeNull();
  expect(of('https://www.linkedin.com/company/kestrel-software/about/')?.text).toBe(
    'kestrel software',
  );
  expect(of('HTTPS://WWW.Kestrel.example:443/a?token=1')).toEqual({
    text: 'kestrel.example',
    scope: 'company',
  });
  expect(of('jane@kestrel.example', 'Company')?.text).toBe('kestrel.example');
  for (const host of [
    'gmail.com',
    'yahoo.co.jp',
    'gmx.at',
    'web.de',
    'qq.com',
    'docomo.ne.jp',
    'uol.com.br',
  ])
    expect(of(`jane@${host}`, 'Email'), host).toBeNull();
});

test('the columns in use are shown in the order of their use, by the names of a prompt', () => {
  const header = ['Email', 'Company', 'company', 'Size', 'Last Name', 'First Name'];
  expect(planResearch(header, undefined).columns).toEqual([
    'Company',
    'company_2',
    'Email',
    'First Name',
    'Last Name',
  ]);
  const pages = ['Person Linkedin Url', 'Company Linkedin Url', 'Contact owner', 'Title', 'Mr/Mrs'];
  expect(planResearch(pages, undefined).columns).toEqual(['Company Linkedin Url']);
  expect(planResearch(header, false).columns).toEqual([]);
  expect(planResearch(['x', 'y'], undefined).columns).toEqual([]);
});

test('a template of the user replaces the rule', () => {
  const header = ['Firma', 'Ort', 'Name'];
  const ask = (template: string, row: string[]) =>
    planResearch(header, { query: template }).query(row);
  expect(ask('{{firma}} {{Ort}}', ['Kestrel Ltd', 'Bath', ''])).toEqual({
    query: { text: 'Kestrel Ltd Bath', scope: 'user' },
  });
  expect(ask('{{Firma}}', ['Kestrel Ltd', 'Bath', '']).query?.scope).toBe('company');
  expect(ask('{{Firma}} {{Name}}', ['Kestrel Ltd', 'Bath', 'Ada Moss']).query?.scope).toBe('none');
  expect(ask('{{Firma}} news', ['{{Ort}}\nx', 'Bath', '']).query?.text).toBe('{{Ort}} x news');
  expect(ask('{{Firma}} {{Ort}}', ['n/a', ' ', 'Ada'])).toEqual({
    query: undefined,
    note: noCompany,
  });
  expect(ask('{{Firma}} {{Ort}}', ['n/a', 'Bath', 'Ada']).query?.text).toBe('Bath');
  expect(ask('{{Firma}}', ['x'.repeat(5000), '', '']).query?.text).toHaveLength(200);
  expect(planResearch(header, false).query(['Kestrel Ltd', '', ''])).toEqual({
    query: undefined,
    note: 'research is off',
  });
});

test('a header is read once, however wide it is and however many rows there are', () => {
  let reads = 0;
  const header = new Proxy(
    Array.from({ length: 1000 }, (_, i) => (i === 900 ? 'Company' : `Field ${i} of the export`)),
    {
      get: (names, key, receiver) => {
        if (/^\d+$/.test(String(key))) reads += 1;
        return Reflect.get(names, key, receiver) as unknown;
      },
    },
  );
  const row = header.map((_, i) => (i === 900 ? 'Kestrel Ltd' : 'x'));
  planResearch(header, undefined);
  const once = reads;
  expect(once).toBeLessThanOrEqual(10 * header.length);
  for (let i = 0; i < 1000; i += 1)
    expect(planResearch(header, undefined).query(row).query?.text).toBe('Kestrel Ltd');
  expect(reads).toBe(once);
});
