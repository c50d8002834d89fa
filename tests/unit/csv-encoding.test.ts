import { describe, expect, test } from 'vitest';
import {
  charactersOf1252,
  csvRefusal,
  cutBytes,
  decoded,
  encodings,
  readCsv,
  utf8,
} from '../support/csv.ts';

const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((p) => [...p]));

describe('Windows-1252', () => {
  test.each([
    ['at once', 0],
    ['after 300 KB of ASCII', 300_000],
  ])('its first byte may come %s; nothing before it changes', async (_, length) => {
    const ascii = `name,city\n${'Ada,Bonn\n'.repeat(length / 9)}`;
    const file = join(utf8(ascii), encodings['Windows-1252']('Müller,“Köln” – 5 €\n'));
    for (const size of [65_536, 400_000]) {
      const { rows } = await readCsv(cutBytes(file, size));
      expect(rows.slice(0, -1).every((row) => row.join() === 'Ada,Bonn')).toBe(true);
      expect(rows.at(-1)).toEqual(['Müller', '“Köln” – 5 €']);
    }
  });

  test('every byte of it is the right character', async () => {
    const all = charactersOf1252.join('');
    // A NUL-free ASCII letter keeps pairs from being UTF-8 by chance.
    const file = encodings['Windows-1252'](`a,b\né1,${all}\n`);
    for (const charset of ['windows-1252', 'ISO-8859-1', 'latin1'])
      expect((await readCsv([file], charset)).rows).toEqual([['é1', all]]);
  });

  test('a byte that would begin a character of UTF-8, cut off by the piece or by the end', async () => {
    const file = encodings['Windows-1252']('name\nJosé\nPelé');
    for (let at = 0; at <= file.length; at += 1)
      expect((await readCsv([file.subarray(0, at), file.subarray(at)])).rows).toEqual([
        ['José'],
        ['Pelé'],
      ]);
  });
});

describe('UTF-8 that breaks is not taken for Windows-1252', () => {
  test.each([
    ['with a character before', join(utf8('a,b\nü,1\n'), Uint8Array.of(0xfc), utf8(',2\n')), 3],
    ['with a mark', join(utf8('\ufeffa,b\n'), Uint8Array.of(0xfc), utf8(',2\n')), 2],
    ['cut in a character', utf8('a,b\nü,ü').subarray(0, -1), 2],
    [
      'far down',
      join(utf8(`a\nü\n${'xyz\n'.repeat(50_000)}`), Uint8Array.of(0xfc), utf8('\n')),
      50_003,
    ],
    ['with lines that end in CR', join(utf8('a,b\rü,1\r'), Uint8Array.of(0xfc), utf8('\r')), 3],
  ])('%s', async (_, file, line) => {
    for (const size of [1000, 65_536, 1_000_000])
      expect(await csvRefusal(cutBytes(file, size))).toEqual({
        line,
        reason: 'The text is not UTF-8 here. Save the file as "CSV UTF-8".',
      });
  });
});

describe('UTF-16', () => {
  test('without a mark, by its NULs', async () => {
    for (const encode of [
      encodings['UTF-16LE without a mark'],
      encodings['UTF-16BE without a mark'],
    ])
      expect(await readCsv([encode('company,city\nAcme,Łódź\n')])).toEqual({
        header: ['company', 'city'],
        rows: [['Acme', 'Łódź']],
      });
  });

  test.each([
    ['Japanese', '会社,都市\n株式会社日立,東京都\n一条工務店,一宮市\n'],
    ['Chinese', '公司,城市\r\n华为技术有限公司,北京市\r\n'],
    ['Korean', '회사,도시\r\n삼성전자 주식회사,서울\r\n'],
    ['Japanese of one column', '会社\n株式会社日立\n'],
    ['Russian', 'Имя,Город\r\nИван,Москва\r\n'],
    ['Greek', 'Όνομα;Πόλη\nΓιώργος;Αθήνα\n'],
    ['Arabic', 'الاسم,المدينة\nمحمد,الرياض\n'],
    ['much of it', `会社,都市\n${'株式会社日立,東京都\n'.repeat(9000)}`],
  ])('without a mark, %s', async (_, text) => {
    for (const encoding of ['UTF-16LE', 'UTF-16BE'] as const)
      for (const size of [1, 4095, 1_000_000]) {
        const file = encodings[`${encoding} without a mark`](text);
        const read = await decoded(
          size === 1 && file.length > 9999 ? [file] : cutBytes(file, size),
        );
        expect(read).toEqual({ text, encoding: encoding.toLowerCase() });
      }
  });

  test('is not what text with NULs in it is', async () => {
    for (const text of ['name\n\0Ada\n\0Bob\n', 'M\xfcller,K\xf6ln\n\0Bj\xf6rn,x\n\0'])
      for (const start of ['', 'x']) {
        const file = Uint8Array.from(start + text, (char) => char.charCodeAt(0));
        expect(await csvRefusal([file])).toMatchObject({ reason: expect.stringMatching(/binary/) });
      }
  });

  test.each([
    ['half a character', encodings['UTF-16LE']('a,b\n1,2\n').subarray(0, -1), 2],
    ['half a pair', encodings['UTF-16BE']('a,b\n1,😀').subarray(0, -2), 2],
  ])('%s at the end is named with its line', async (_, file, line) => {
    const { line: found, reason } = await csvRefusal([file]);
    expect(found).toBe(line);
    expect(reason).toMatch(/not UTF-16/);
  });
});

describe('binary files are told apart, with advice', () => {
  test.each([
    ['an Excel workbook', join(utf8('PK\u0003\u0004'), Uint8Array.of(0x14, 0, 6, 0)), /Excel/],
    ['an old Excel workbook', Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1), /Excel/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /gzip/],
    ['PDF', utf8('%PDF-1.7\n%âãÏÓ\n'), /PDF/],
    ['NULs at odd places only, but few', join(utf8('abc\0defghijklmnop\n'.repeat(9))), /binary/],
  ])('%s', async (_, file, reason) => {
    const refused = await csvRefusal(cutBytes(file, 3));
    expect(refused).toEqual({ line: 1, reason: expect.stringMatching(reason) });
    expect(refused.reason).toMatch(/Export it as CSV/);
  });

  test.each([
    ['in the second line', 'a,b\n1,\0\n', 2],
    ['in line 3002 of a short file', `a,b\n${'1,2\n'.repeat(3000)}3,\0\n4,5\n`, 3002],
  ])('a NUL %s is named with it, however the file comes', async (_, text, line) => {
    for (const size of [100, 4096, 65_536, 1_000_000])
      expect(await csvRefusal(cutBytes(utf8(text), size))).toEqual({
        line,
        reason: 'The file is binary, not text. Export it as CSV.',
      });
  });

  test('a NUL far down is named with its line', async () => {
    const file = utf8(`a\n${'xyz\n'.repeat(30_000)}x\0\n`);
    expect(await csvRefusal(cutBytes(file, 65_536))).toEqual({
      line: 30_002,
      reason: expect.stringMatching(/binary/),
    });
  });

  test.each([
    ['LF, with a CR in the quoted header', '"a\rb",c\n', 'x\ry,z\n'],
    ['CRLF', 'a\r\n', 'xyz\r\n'],
    ['CR, with an LF in the quoted header', '"a\nb",c\r', '"x\ny",z\r'],
  ])('its line is counted by the line end of the file: %s', async (_, header, row) => {
    const file = utf8(`${header}${row.repeat(20_000)}x\0`);
    for (const size of [4096, 4097, 65_536])
      expect(await csvRefusal(cutBytes(file, size))).toMatchObject({ line: 20_002 });
  });
});
