import { describe, expect, test } from 'vitest';
import { csvRefusal, cutBytes, decoded, readFile, utf8 } from '../support/csv.ts';
import { encodeLegacy } from '../support/legacy-encode.ts';
import { leads, type Language, leadsCsv } from '../support/legacy-leads.ts';

const bytesOf = (label: string, text: string): Uint8Array => {
  const bytes = encodeLegacy(label, text);
  if (!bytes) throw new Error(`${label} has not all of: ${text.slice(0, 200)}`);
  return bytes;
};

describe('UTF-8 that is sent as an encoding of single bytes is read as UTF-8, and that is said', () => {
  test.each([
    ['Müller', 'iso-8859-1', 'ISO-8859-1'],
    ['Łódź', 'windows-1252', 'Windows-1252'],
    ['Smith’s', 'ISO-8859-1', 'ISO-8859-1'],
    ['“Acme”', 'latin1', 'LATIN1'],
    ['5 €', 'Windows-1252', 'Windows-1252'],
    ['Acme™', 'windows-1252', 'Windows-1252'],
    ['20°C', 'iso-8859-15', 'ISO-8859-15'],
    ['Wait…', 'windows-1252', 'Windows-1252'],
    ['Acme 🚀', 'iso-8859-1', 'ISO-8859-1'],
    ['Москва', 'windows-1251', 'Windows-1251'],
    ['Ёж', 'windows-1251', 'Windows-1251'],
    ['Ελλάδα', 'windows-1253', 'Windows-1253'],
    ['株式会社', 'iso-8859-1', 'ISO-8859-1'],
    ['हिन्दी', 'iso-8859-1', 'ISO-8859-1'],
    ['José', 'macintosh', 'Mac Roman'],
  ])('%s as %s', async (word, charset, name) => {
    const text = `name,city\n${'Ada,Bonn\n'.repeat(2000)}${word},Rom\n`;
    for (const size of [1, 1000, 1_000_000]) {
      const { rows, warnings } = await readFile(cutBytes(utf8(text), size), charset);
      expect(rows.at(-1)).toEqual([word, 'Rom']);
      expect(warnings).toEqual([`The file was read as UTF-8, although it was sent as ${name}.`]);
    }
  });

  test('us-ascii says nothing', async () => {
    const german = leadsCsv('german', 10, 1);
    for (const charset of ['us-ascii', 'US-ASCII', 'ascii']) {
      expect(await decoded([utf8('a\nMüller\n')], charset)).toMatchObject({ text: 'a\nMüller\n' });
      expect((await readFile([utf8('a\nMüller\n')], charset)).warnings).toEqual([]);
      const read = await decoded([bytesOf('windows-1252', german)], charset);
      expect(read).toEqual({ text: german, encoding: 'windows-1252' });
    }
  });

  test('one broken character in it is named with its line', async () => {
    const file = Uint8Array.from([...utf8('a\nMüller\nKöln\nBj'), 0xf6, ...utf8('rn\nGöteborg\n')]);
    expect(await csvRefusal([file], 'iso-8859-1')).toMatchObject({ line: 4 });
  });

  test('below many rows of another encoding it is asked for', async () => {
    const above = bytesOf('windows-1252', `a\n${'Müller GmbH,Köln\n'.repeat(9000)}`);
    const below = Array.from({ length: 9 }, (_, i) => utf8(`Łódź ${i} Kraków${i}ó,Gdańsk${i}ń\n`));
    const file = Uint8Array.from([above, ...below].flatMap((part) => [...part]));
    expect(await decoded(cutBytes(file, 65_536), 'iso-8859-1')).toMatchObject({
      candidates: ['utf-8', 'windows-1252'],
    });
  });
});

describe('an encoding of single bytes that is sent is believed', () => {
  test.each([
    ['windows-1252', ['german', 'french', 'spanish', 'portuguese', 'swedish', 'danish']],
    ['macintosh', ['german', 'french', 'spanish', 'portuguese']],
    ['windows-1250', ['polish', 'czech', 'hungarian']],
    ['windows-1251', ['russian']],
    ['koi8-r', ['russian']],
    ['windows-1253', ['greek']],
    ['windows-1256', ['arabic']],
  ] as [string, Language[]][])('%s, cell by cell', async (label, languages) => {
    for (const language of languages)
      for (const cell of [leads[language].names, leads[language].companies].flat()) {
        const text = `name\n${cell}\n`;
        expect(await decoded([bytesOf(label, text)], label)).toMatchObject({ text });
        const capitals = text.toLocaleUpperCase().replaceAll('İ', 'I');
        const bytes = encodeLegacy(label, capitals);
        if (bytes) expect(await decoded([bytes], label)).toMatchObject({ text: capitals });
      }
  });

  test.each([
    ['windows-1252', 'NESTLÉ®'],
    ['windows-1252', 'CAFÉ™'],
    ['windows-1252', 'Müller und NESTLÉ®'],
    ['windows-1252', '“WEIß”'],
    ['windows-1252', 'auf dem Fuß»'],
    ['windows-1252', 'Strauß’ Werke'],
    ['macintosh', 'L’École'],
    ['macintosh', '“Über”'],
  ])('%s: %s', async (label, word) => {
    const text = `name\n${word}\n`;
    expect(await decoded([bytesOf(label, text)], label)).toMatchObject({ text });
  });

  test('another one than the words are in, too', async () => {
    const text = leadsCsv('german', 3, 1);
    const read = await decoded([bytesOf('windows-1252', text)], 'iso-8859-2');
    expect(read).toHaveProperty('encoding', 'iso-8859-2');
  });
});

test('what most words of a damaged file are in is named first', async () => {
  const bytes = bytesOf('macintosh', 'a\nChloë\nVélez\nSkarsgård\nRodr’guez\nCer—n\n');
  const read = await decoded([bytes]);
  expect(read).toHaveProperty('candidates.0', 'macintosh');
  expect(read).toHaveProperty('line', 2);
});

describe('one byte that is not UTF-8 in a file of ASCII is asked for with its line', () => {
  test.each([
    ['behind a word', [0x43, 0x61, 0x66, 0xc3]],
    ['inside a word', [0x42, 0xff, 0x62]],
    ['half an emoji', [0x48, 0x69, 0xf0, 0x9f]],
  ])('%s', async (_, word) => {
    const bytes = [...utf8('name,city\nAda,Bonn\n'), ...word, ...utf8(',x\nzo,y\n')];
    const read = await decoded([Uint8Array.from(bytes)]);
    expect(read).toMatchObject({ line: 3 });
    expect(read).toHaveProperty('candidates.0', 'windows-1252');
    expect(read).toHaveProperty(
      'detail',
      expect.stringMatching(/^Line 3 has a character that is not UTF-8, /),
    );
  });
});

describe('a declared charset', () => {
  const shiftJis = bytesOf('shift_jis', leadsCsv('japanese', 3, 1));
  test.each([
    ['bytes that it does not allow', 'a\nb\nc\nü\n', 'utf-8', 4, 'UTF-8'],
    ['of East Asia, likewise', 'a\nb\nc\n,ü\n', 'Shift_JIS', 4, 'Shift_JIS'],
  ])('%s are named with their line', async (_, text, charset, line, name) => {
    for (const size of [1, 5, 100])
      expect(await csvRefusal(cutBytes(bytesOf('windows-1252', text), size), charset)).toEqual({
        line,
        reason: `The text is not ${name} here. Save the file as "CSV UTF-8".`,
      });
  });

  test('gives way to a byte order mark', async () => {
    expect(await decoded([utf8('\ufeffü,ö\n')], 'shift_jis')).toEqual({
      text: 'ü,ö\n',
      encoding: 'utf-8',
    });
  });

  test('that nobody knows is asked for', async () => {
    expect(await decoded([shiftJis], 'klingon')).toHaveProperty('candidates');
    expect(await decoded([shiftJis], ' SJIS ')).toHaveProperty('encoding', 'shift_jis');
  });
});

describe('UTF-8 with a broken character is not read as something else', () => {
  test.each([
    ['valid ones before', 'ü,é\n\xff,1\n', 2],
    ['valid ones behind it only', 'a,b\n\xff,1\nü,é\nß,ñ\n', 2],
    ['a character of three bytes cut', 'a,b\n€\xe2\x82,1\n漢字,2\n', 2],
  ])('%s', async (_, text, line) => {
    const bytes = Array.from(text, (char) =>
      /[\x80-\xff]/.test(char) && !/[üéßñ]/.test(char) ? [char.charCodeAt(0)] : [...utf8(char)],
    );
    for (const size of [1, 100, 65_536])
      expect(await csvRefusal(cutBytes(Uint8Array.from(bytes.flat()), size))).toEqual({
        line,
        reason: 'The text is not UTF-8 here. Save the file as "CSV UTF-8".',
      });
  });
});
