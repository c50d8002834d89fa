import fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, test } from 'vitest';
import { DomainError } from '../../functions/errors.ts';
import { decodeText } from '../../functions/jobs/csv/decode.ts';
import { CsvReader } from '../../functions/jobs/csv/reader.pure.ts';

/** Reads bytes that come in the given pieces, as an upload does. */
async function read(pieces: Uint8Array[]): Promise<{ header: string[]; rows: string[][] }> {
  const reader = new CsvReader();
  const rows: string[][] = [];
  const body = (async function* () {
    yield* pieces;
  })();
  for await (const text of decodeText(body, () => undefined)) rows.push(...reader.push(text));
  rows.push(...reader.end());
  return { header: reader.header ?? [], rows };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const readText = (text: string) => read([bytes(text)]);

async function refusal(pieces: Uint8Array[]): Promise<{ line: unknown; reason: unknown }> {
  const error = await read(pieces).then(
    () => new Error('was accepted'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DomainError) || error.code !== 'csv_invalid') throw error as Error;
  return { line: error.extra['line'], reason: error.extra['reason'] };
}

const cut = (data: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(data.length / size) }, (_, i) =>
    data.subarray(i * size, (i + 1) * size),
  );

describe('reading a CSV', () => {
  test.each([
    ['comma, LF', 'a,b\n1,2\n'],
    ['semicolon, CRLF', 'a;b\r\n1;2\r\n'],
    ['tab, CR', 'a\tb\r1\t2\r'],
    ['bar, no newline at the end', 'a|b\n1|2'],
    ['byte order mark', '\ufeffa,b\n1,2\n'],
    ['blank lines', '\na,b\n\n1,2\n\n'],
  ])('%s', async (_, text) => {
    expect(await readText(text)).toEqual({ header: ['a', 'b'], rows: [['1', '2']] });
  });

  test('quotes hold delimiters, line ends and doubled quotes', async () => {
    const { rows } = await readText('a,b\n"x, y","line 1\nline ""2"""\n');
    expect(rows).toEqual([['x, y', 'line 1\nline "2"']]);
  });

  test('a delimiter inside the quoted header does not win', async () => {
    expect((await readText('"a,b,c";d\n1;2\n')).header).toEqual(['a,b,c', 'd']);
  });

  test('UTF-16 with a byte order mark', async () => {
    const text = 'a,b\nä,€\n';
    const le = new Uint8Array(2 + text.length * 2);
    le.set([0xff, 0xfe]);
    for (let i = 0; i < text.length; i += 1)
      new DataView(le.buffer).setUint16(2 + i * 2, text.charCodeAt(i), true);
    expect((await read([le])).rows).toEqual([['ä', '€']]);
  });

  test('every byte may be a piece of its own', async () => {
    const text = 'näme;"qu""ote"\r\n"zeile\r\nzwei";€\r\n';
    for (const size of [1, 2, 3, 7])
      expect(await read(cut(bytes(text), size))).toEqual({
        header: ['näme', 'qu"ote'],
        rows: [['zeile\r\nzwei', '€']],
      });
  });

  test('any table comes back as PapaParse wrote it, however it is cut', async () => {
    const cell = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom('', '"', '""', 'a,b', 'x\ny', 'x\r\ny', ';', '=1+1', ' ', 'ü€😀'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 5 }).chain((width) =>
          fc.array(fc.array(cell, { minLength: width, maxLength: width }), {
            minLength: 2,
            maxLength: 12,
          }),
        ),
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 50 }),
        async (table, newline, size) => {
          // NUL means a binary file; a byte order mark is dropped from the start of a file.
          fc.pre(!table.flat().some((text) => text.includes('\0') || text.includes('\ufeff')));
          const wellFormed = table.map((row) => row.map((text) => text.toWellFormed()));
          const header = wellFormed[0]?.map((text, i) => `${i}${text}`) ?? [];
          const text = Papa.unparse([header, ...wellFormed.slice(1)], { newline, quotes: true });
          const result = await read(cut(bytes(text), size));
          expect(result).toEqual({ header, rows: wellFormed.slice(1) });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('more text than one batch, with quoted line ends throughout', async () => {
    const rows = Array.from({ length: 9000 }, (_, i) => [`${i}`, `line ${i}\nnext, "${i}"`]);
    const result = await read(cut(bytes(Papa.unparse([['n', 'text'], ...rows])), 4096));
    expect(result.rows).toEqual(rows);
  });
});

describe('what cannot be read says which line and why', () => {
  test.each([
    ['empty file', '', 1, /empty/],
    ['blank file', ' \n\n', 1, /empty/],
    ['too few cells', 'a,b\n1,2\n3\n', 3, /1 cells where the header has 2/],
    ['too many cells', 'a,b\n1,2,3\n', 2, /3 cells where the header has 2/],
    ['the line is counted through quoted line ends', 'a,b\n"1\n1",2\n3\n', 4, /1 cells/],
    ['quote never closed', 'a,b\n1,"2\n', 2, /quote/i],
    ['binary with NUL', 'a,b\n1,\0\n', 1, /binary/],
  ])('%s', async (_, text, line, reason) => {
    const refused = await refusal([bytes(text)]);
    expect(refused.line).toBe(line);
    expect(refused.reason).toMatch(reason);
  });

  test('bytes that are not UTF-8', async () => {
    const refused = await refusal([
      new Uint8Array([...bytes('name\nM'), 0xfc, ...bytes('ller\n')]),
    ]);
    expect(refused.reason).toMatch(/UTF-8/);
  });

  test('a row that never ends is refused before it fills the memory', async () => {
    const piece = bytes('x'.repeat(65_536));
    const endless = [bytes('a,b\n"'), ...Array.from({ length: 40 }, () => piece)];
    expect((await refusal(endless)).reason).toMatch(/quote missing/);
  });

  test('more columns than allowed', async () => {
    const header = Array.from({ length: 1001 }, (_, i) => `c${i}`).join(',');
    expect((await refusal([bytes(`${header}\n`)])).reason).toMatch(/1001 columns/);
  });
});
