import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutBytes, decoded, utf8 } from '../support/csv.ts';
import { encodeLegacy } from '../support/legacy-encode.ts';
import { leads, type Language, leadsCsv } from '../support/legacy-leads.ts';

const western = ['german', 'french', 'spanish', 'portuguese', 'swedish', 'danish'] as const;
const central = ['polish', 'czech', 'hungarian'] as const;

/** Encodings with the languages that are written in them, and how many files of one row may be asked for. */
const plan: [label: string, languages: readonly Language[], askedOfTen: number][] = [
  ['shift_jis', ['japanese'], 0],
  ['euc-jp', ['japanese'], 0],
  ['iso-2022-jp', ['japanese'], 0],
  ['gb18030', ['simplified'], 0],
  ['gbk', ['simplified'], 0],
  ['big5', ['traditional'], 0],
  ['euc-kr', ['korean'], 0],
  ['windows-1250', central, 2],
  ['windows-1251', ['russian'], 0],
  ['windows-1252', western, 1],
  ['windows-1253', ['greek'], 0],
  ['windows-1254', ['turkish'], 1],
  ['windows-1255', ['hebrew'], 0],
  ['windows-1256', ['arabic'], 0],
  ['windows-1257', ['latvian', 'lithuanian'], 2],
  ['iso-8859-2', central, 3],
  ['iso-8859-15', western.filter((language) => language !== 'french'), 1],
  ['koi8-r', ['russian'], 0],
  ['macintosh', western, 1],
  ['x-mac-cyrillic', ['russian'], 0],
  ['ibm866', ['russian'], 0],
];

const plain = (text: string): string => text.replace(/^.*/, 'name,company,city,e-mail');

const bytesOf = (label: string, text: string): Uint8Array => {
  const bytes = encodeLegacy(label, text);
  if (!bytes) throw new Error(`${label} has not all of: ${text.slice(0, 200)}`);
  return bytes;
};

/** Files of many rows are much alike: their words are all that there are. */
const seedsOf: Record<number, number> = { 1: 25, 3: 15, 10: 3 };

/** How many files come out right, and how many are asked for; none may come out as another text. */
async function outcome(label: string, languages: readonly Language[], rows: number) {
  const count = { right: 0, asked: 0 };
  for (const language of languages)
    for (let seed = 0; seed < (seedsOf[rows] ?? 1); seed += 1) {
      const text = leadsCsv(language, rows, seed * 7919 + rows);
      for (const file of [text, plain(text)]) {
        const read = await decoded([bytesOf(label, file)]);
        if ('text' in read) expect(read.text).toBe(file);
        count['text' in read ? 'right' : 'asked'] += 1;
      }
    }
  return count;
}

describe('a legacy encoding is recognised by its words, or asked for; no other text comes out', () => {
  test.each(plan)('%s', async (label, languages, askedOfTen) => {
    for (const rows of [1, 3, 10, 200]) {
      const { right, asked } = await outcome(label, languages, rows);
      if (process.env['COUNTS']) process.stdout.write(`${label} ${rows}: ${right}/${asked}\n`);
      const share = asked / (right + asked);
      expect(share).toBeLessThanOrEqual(rows === 1 ? askedOfTen / 10 : rows === 3 ? 0.06 : 0);
    }
  });
});

describe('Windows-1252 of a file with a word or two', () => {
  test.each([
    'José',
    'Müller',
    'Zoë',
    'Peña',
    'François',
    'Straße 5',
    'São Paulo',
    'Smith’s',
    'O’Neill',
    '“Köln”',
    '5 €',
    '5€',
    '£100',
    '20°C',
    'Acme™',
    'Acme®',
    'CAFÉ',
    'MÜLLER',
    'STRAßE',
    'Köln – Bonn',
    '2020–2021',
    '½',
    'Ångström',
    'Curaçao',
    'Nº 5',
    '20\u00a0000 €',
    'Soon…',
  ])('%s', async (word) => {
    const text = `name,city\nAda,Bonn\n${word},Rom\n`;
    expect(await decoded([bytesOf('windows-1252', text)])).toMatchObject({ text });
  });
});

test('Mac Roman is never read as Windows-1252', async () => {
  for (const language of western)
    for (const text of Object.values(leads[language]).flat()) {
      const read = await decoded([bytesOf('macintosh', `name\n${text}\n`)]);
      // `Luís` and `Jundiaí` of a file that has no other word are `Lu’s` and `Jundia’`.
      if ('text' in read && !/Luís|Jundiaí/.test(text)) expect(read.text).toBe(`name\n${text}\n`);
    }
});

describe('a word that is another in an MS-DOS code page is asked for', () => {
  test.each([
    ['Malm”', 'Malmö'],
    ['Troms›', 'Tromsø'],
    ['Weiá', 'Weiß'],
    ['Bogot\u00a0', 'Bogotá'],
    ['M\u00a0laga', 'Málaga'],
    ['Societ…', 'Società'],
  ])('%s may be %s', async (word) => {
    const file = `name,city\nAda,Bonn\n${word},Rom\n`;
    const read = await decoded([bytesOf('windows-1252', file)]);
    expect(read).toHaveProperty('candidates.0', 'windows-1252');
    // Beside words of Windows-1252 it is what it looks like.
    const text = `${file}Müller,Köln\nBjörk,Jönköping\n“Für,dich”\n`;
    if (word !== 'Troms›')
      expect(await decoded([bytesOf('windows-1252', text)])).toMatchObject({ text });
  });

  test('two letters that stand alone are nobody’s words', async () => {
    expect(await decoded([bytesOf('macintosh', 'a\nÉ\nü\n')])).toHaveProperty('candidates');
  });
});

test('words of several western languages are not taken for Baltic ones', async () => {
  const read = await decoded([bytesOf('windows-1252', 'a\nGoiânia\nBodø\nJürgen\n')]);
  expect(read).toHaveProperty('candidates');
});

describe('running text of East Asia is recognised by a note or two', () => {
  test.each([
    ['shift_jis', '来週の会議について,見積書を送ってください'],
    ['euc-jp', '来週の会議について,見積書を送ってください'],
    ['gb18030', '客户已经回复邮件,下周再联系'],
    ['big5', '客戶已經回覆郵件,下週再聯絡'],
    ['euc-kr', '견적서를 보내 주세요,다음 주에 다시 연락'],
  ])('%s', async (label, notes) => {
    const text = `name,note\n${notes}\n`;
    expect(await decoded([bytesOf(label, text)])).toMatchObject({ text });
  });
});

/** What Excel saves as "CSV (MS-DOS)" and, in the east, as "CSV (Macintosh)": nothing here can read it. */
describe('an encoding that is not known is asked for', () => {
  const dos = 'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»';
  const mac =
    'ÄĀāÉĄÖÜáąČäčĆćéŹźĎíďĒēĖóėôöõúĚěü†°Ę£§•¶ß®©™ę¨≠ģĮįĪ≤≥īĶ∂∑łĻļĽľĹĺŅņŃ¬√ńŇ∆«»…\u00a0ňŐÕőŌ–—“”‘’÷◊ōŔŕŘ‹›řŖŗŠ‚„šŚśÁŤťÍŽžŪÓÔūŮÚůŰűŲųÝýķŻŁżĢˇ';
  test.each([
    ['CP850', dos, western],
    ['Mac Central European', mac, central],
  ])('%s', async (_, table, languages) => {
    for (const language of languages)
      for (const rows of [1, 3, 10, 50])
        for (let seed = 0; seed < (rows < 10 ? 10 : 3); seed += 1) {
          const text = leadsCsv(language, rows, seed);
          const bytes = Array.from(text, (char) => {
            const at = table.indexOf(char);
            return at >= 0 ? 0x80 + at : char < '\u0080' ? char.charCodeAt(0) : 0x3f;
          });
          if (bytes.every((byte) => byte < 0x80)) continue;
          const read = await decoded([Uint8Array.from(bytes)]);
          // A letter that both have at one place is the same in both.
          if ('text' in read) expect(read.text).toBe(text);
        }
  });
});

test('characters that are UTF-8 by chance make a file of a few words no broken UTF-8', async () => {
  // Five of these, against four places that are none; no word is UTF-8 as a whole.
  const text = 'a,b\r\nname,company,city,e-mail\r\n杨帆,小米科技,武汉,info0@example.com\r\n';
  for (const label of ['gb18030', 'gbk'])
    for (const size of [1, 5, 100])
      expect(await decoded(cutBytes(bytesOf(label, text), size))).toMatchObject({ text });
});

test('a character that is UTF-8 by chance where a piece ends proves nothing', async () => {
  for (const [label, names] of [
    ['windows-1251', 'Фёдор Жуков,ООО Ромашка,Нижний Новгород'],
    ['koi8-r', 'Фёдор Жуков,ООО Ромашка,Нижний Новгород'],
  ] as const) {
    const text = `a,b\r\n${'1,2\r\n'.repeat(813)}name,company,city\r\n${names}\r\n`;
    for (const size of [1, 100, 4096])
      expect(await decoded(cutBytes(bytesOf(label, text), size))).toMatchObject({ text });
  }
});

test('capitals of Mac Cyrillic are not quotes that nothing closes', async () => {
  for (const words of [
    ['Уфа', 'Сбербанк'],
    ['Уфа', 'Уралсиб'],
    ['Сочи', 'Сбербанк'],
    ['Владимир', 'Вологда'],
  ]) {
    const text = `name,city\n${words.map((word) => `${word},1\n`).join('')}`;
    const read = await decoded([bytesOf('x-mac-cyrillic', text)]);
    if ('text' in read) expect(read.text).toBe(text);
  }
});

test('UTF-8 that lost some bytes is never read as something else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(leads)),
      fc.nat(1000),
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
      async (language, seed, rows, lost) => {
        const bytes = [...utf8(plain(leadsCsv(language as Language, rows, seed)))];
        for (const nth of lost) {
          const beyond = bytes.flatMap((byte, i) => (byte > 0x7f ? [i] : []));
          if (beyond.length > 0) bytes.splice(beyond[nth % beyond.length] ?? 0, 1);
        }
        const read = await decoded([Uint8Array.from(bytes)]).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'csv_invalid' });
          return undefined;
        });
        // All bytes of a character may be lost, and of each that there is.
        if (read && 'text' in read) expect(read.encoding).toBe('utf-8');
      },
    ),
    { numRuns: 200 },
  );
});

test('pieces cut anywhere give the same, and charset is believed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...plan),
      fc.nat(1000),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.nat(9000),
      async ([label, languages], seed, rows, size, ascii) => {
        const language = languages[seed % languages.length] ?? 'german';
        const text = `a,b\r\n${'1,2\r\n'.repeat(ascii / 5)}${plain(leadsCsv(language, rows, seed))}`;
        const bytes = bytesOf(label, text);
        const whole = await decoded([bytes]);
        expect(await decoded(cutBytes(bytes, size))).toEqual(whole);
        if ('text' in whole) expect(whole.text).toBe(text);
        expect(await decoded(cutBytes(bytes, size), label)).toMatchObject({ text });
      },
    ),
    { numRuns: 80 },
  );
});

test('words of any language in any encoding come out right, or the file is refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...plan),
      fc.array(fc.tuple(fc.nat(50), fc.constantFrom('names', 'companies', 'cities')), {
        minLength: 2,
        maxLength: 12,
      }),
      async ([label, languages], picks) => {
        const words = picks.map(([n, list]) => {
          const all = leads[languages[n % languages.length] ?? 'german'][list];
          return all[n % all.length] ?? '';
        });
        const text = `name,city\n${words.map((word) => `${word},1\n`).join('')}`;
        const read = await decoded([bytesOf(label, text)]).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'csv_invalid' });
          return undefined;
        });
        if (read && 'text' in read) expect(read.text).toBe(text);
      },
    ),
    { numRuns: 700 },
  );
});

describe('the whole file must be in what its first words are in', () => {
  const german = leadsCsv('german', 3000, 1);
  test.each([
    ['another encoding in the last rows', 'windows-1251', leadsCsv('russian', 300, 1)],
    ['Mac Roman below Windows-1252', 'macintosh', leadsCsv('german', 600, 2)],
  ])('%s', async (_, label, below) => {
    const bytes = [...bytesOf('windows-1252', german), ...bytesOf(label, below)];
    expect(await decoded(cutBytes(Uint8Array.from(bytes), 65_536))).toHaveProperty('candidates');
  });
});
