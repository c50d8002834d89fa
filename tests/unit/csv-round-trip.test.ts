import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  charactersOf1252,
  cutBytes,
  encodings,
  readCsv,
  readFile,
  type Table,
  utf8,
} from '../support/csv.ts';

type Shape = {
  delimiter: string;
  /** The end of each line, in turn. */
  newlines: string[];
  /** Quotes cells that would not need it too. */
  quoteAll: boolean;
  atEnd: boolean;
  excel: boolean;
};

const shape: fc.Arbitrary<Shape> = fc.record({
  delimiter: fc.constantFrom(',', ';', '\t', '|'),
  newlines: fc.constantFrom(['\n'], ['\r\n'], ['\r'], ['\n', '\r\n'], ['\r\n', '\n', '\n']),
  quoteAll: fc.boolean(),
  atEnd: fc.boolean(),
  excel: fc.boolean(),
});

const nasty = ['', '"', '""', ',', ';', '\t', '|', '\n', '\r', '\r\n', ' ', '\r"', '"\n', '=1+1'];

/** A cell of nasty bits and of characters that `letters` gives. */
const cellOf = (letters: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.constantFrom(...nasty), letters), { maxLength: 5 })
    .map((bits) => bits.join(''));

/** Rows of any lengths; one that reads as a blank line is none. */
const tableOf = (cell: fc.Arbitrary<string>): fc.Arbitrary<string[][]> =>
  fc.array(fc.array(cell, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 });

/** Quotes where RFC 4180 asks for it, and where a cell would read as part of something else. */
function written(
  table: string[][],
  { delimiter, newlines, quoteAll, atEnd, excel }: Shape,
): string {
  const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
  const lines = table.map((row) =>
    row
      .map((cell) => (quoteAll || /["\r\n,;|\t]/.test(cell) ? quoted(cell) : cell))
      .join(delimiter),
  );
  const end = (i: number): string => newlines[i % newlines.length] ?? '';
  const first = excel ? `sep=${delimiter}${end(0)}` : '';
  return (
    first + lines.map((line, i) => line + (atEnd || i < lines.length - 1 ? end(i) : '')).join('')
  );
}

/**
 * What must come out: blank lines are no rows, emptied ones have no cells, the header is as wide as the
 * widest row.
 */
function expected([header = [], ...rows]: string[][]): Table {
  const kept = rows
    .filter((row) => row.length > 1 || row[0]?.trim() !== '')
    .map((row) => (row.every((cell) => cell === '') ? [] : row));
  const width = Math.max(header.length, ...kept.map((row) => row.length));
  const wide = Array.from({ length: width }, (_, i) => header[i] ?? `column_${i + 1}`);
  return { header: wide, rows: kept };
}

/** The file says by itself what its delimiter is, and its header is no blank line and no title. */
const withHeader = (table: string[][]): string[][] => [
  ['name', ...(table[0] ?? []).map((cell, i) => `column ${'abcde'.charAt(i)} ${cell}`)],
  ...table.slice(1),
];

const letters = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }),
  fc.constantFrom('ü', '€', '😀', '\ufeff', '\u2028', '\u0001', '中'),
);

test('any table comes back byte for byte, in every dialect, cut into pieces of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      tableOf(cellOf(letters)).map(withHeader),
      shape,
      fc.integer({ min: 1, max: 40 }),
      async (table, dialect, size) => {
        fc.pre(!table.flat().some((cell) => cell.includes('\0')));
        const text = written(table, dialect);
        expect(await readCsv(cutBytes(utf8(text), size))).toEqual(expected(table));
      },
    ),
    { numRuns: 1500 },
  );
});

test('the text cut at every byte into two gives the same rows', async () => {
  // A first row that fills a batch: what is cut behind it is parsed in two parts.
  const filler = 'x'.repeat(66_000);
  await fc.assert(
    fc.asyncProperty(
      tableOf(cellOf(letters)).map(withHeader),
      shape,
      fc.constantFrom<keyof typeof encodings>('UTF-8', 'UTF-8 with a mark', 'UTF-16LE', 'UTF-16BE'),
      async ([header = [], ...rows], dialect, encoding) => {
        const table = [header, [filler, 'y'], ...rows];
        fc.pre(!table.flat().some((cell) => cell.includes('\0')));
        const bytes = encodings[encoding](written(table, dialect));
        const whole = expected(table);
        const behind = encodings[encoding](written([header, [filler]], dialect)).length;
        for (let at = behind - 3; at <= bytes.length; at += 1)
          expect(await readCsv([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
      },
    ),
    { numRuns: 25 },
  );
});

/** Bytes from 0x80 and from 0xc2 on in Windows-1252: in UTF-8 the one goes on with a character that the other begins. */
const [goingOn, beginning] = [charactersOf1252.slice(0, 0x40), charactersOf1252.slice(0x42, 0x75)];
const likeUtf8 = new RegExp(`([${beginning.join('')}])(?=[${goingOn.join('')}])`, 'g');

/** A file of little but words that are UTF-8 by chance is UTF-8, whatever its sender says. */
const unlikeUtf8 = (cell: string): string => cell.replaceAll(likeUtf8, '$1a');

test('every encoding gives the same cells, whatever the first piece shows of it', async () => {
  const western = fc.constantFrom(...charactersOf1252, 'a', 'Z', '7');
  await fc.assert(
    fc.asyncProperty(
      tableOf(cellOf(western)).map(withHeader),
      shape,
      fc.constantFrom(...Object.entries(encodings)),
      fc.integer({ min: 1, max: 6000 }),
      fc.integer({ min: 0, max: 200 }),
      async (table, dialect, [name, encode], size, asciiRows) => {
        const plain = Array.from({ length: asciiRows }, (_, i) => [
          `row ${i}`,
          'only plain letters',
        ]);
        const [header = [], ...rows] = table;
        const told = name === 'Windows-1252' ? rows.map((row) => row.map(unlikeUtf8)) : rows;
        const all = [header.map((cell) => cell.replaceAll(/[^ -~]/g, '')), ...plain, ...told];
        // Without a mark the NULs must be plain: that takes some ASCII.
        if (name.endsWith('without a mark')) all.splice(1, 0, ['x'.repeat(2100), 'ASCII']);
        const bytes = encode(written(all, dialect));
        // Such text tells no encoding: the sender does.
        const charset = name === 'Windows-1252' ? name : undefined;
        expect(await readCsv(cutBytes(bytes, size), charset)).toEqual(expected(all));
      },
    ),
    { numRuns: 300 },
  );
});

test('a file of one column keeps its quoted empty cells', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('', 'x', '"', '\n', ' '), { minLength: 1, maxLength: 12 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.integer({ min: 1, max: 9 }),
      async (cells, newline, size) => {
        const lines = ['name', ...cells].map((cell) => `"${cell.replaceAll('"', '""')}"`);
        const bytes = utf8(lines.join(newline));
        expect((await readCsv(cutBytes(bytes, size))).rows).toEqual(
          cells.map((cell) => (cell === '' ? [] : [cell])),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('a report comes back as it is meant: title, header, rows, emptied rows, footer', async () => {
  const cell = cellOf(letters).filter((text) => text.trim() !== '' && !text.includes('\0'));
  const row = fc.oneof(
    { weight: 4, arbitrary: fc.array(cell, { minLength: 4, maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constant<string[]>(['', '', '', '']) },
  );
  const gaps: string[][][] = [[], [['']], [['', '', '', '']]];
  await fc.assert(
    fc.asyncProperty(
      fc.array(cell, { maxLength: 3 }),
      fc.array(row, { minLength: 4, maxLength: 12 }),
      fc.array(cell, { maxLength: 2 }),
      fc.constantFrom(...gaps),
      shape,
      fc.integer({ min: 1, max: 40 }),
      async (titles, rows, footer, gap, dialect, size) => {
        const header = ['name', 'who', 'what', 'Ort'];
        // More than lines below them, or they are no table to have a title.
        const full = Array.from({ length: 6 }, (_, i) => header.map((name) => `${name} of ${i}`));
        const known = ['All rights reserved.', 'Page 1 of 2', '(12 rows)'];
        const below =
          footer.length === 0 ? [] : [...footer.slice(1), ...known, ...footer.slice(0, 1)];
        const table = [
          ...titles.map((title) => [title]),
          ...gap,
          header,
          ...rows,
          ...full,
          ['', '', '', ''],
          ...below.map((line) => [line]),
        ];
        const read = await readFile(cutBytes(utf8(written(table, dialect)), size));
        const all = [...rows, ...full, ['', '', '', ''], ...below.map((line) => [line])];
        expect(read).toMatchObject({
          header,
          rows: all.map((cells) => (cells.every((text) => text === '') ? [] : cells)),
        });
        const notes = all.map((cells) => {
          if (cells.length === 1) return 'below the table';
          return cells[0] === '' ? 'empty row' : undefined;
        });
        expect(all.map((_, i) => read.skips[i])).toEqual(notes);
        expect(read.warnings).toHaveLength(Number(titles.length > 0) + Number(below.length > 0));
      },
    ),
    { numRuns: 500 },
  );
});

test('whatever a file holds it reads alike, or is refused alike, however it is cut', async () => {
  const bits = fc.constantFrom('"', '"', ',', ',', ';', '\n', '\n', '\r\n', '\r', ' ', 'a', '1');
  const filler = 'x,y\n'.repeat(10_000);
  const outcome = (pieces: Uint8Array[]): Promise<unknown> =>
    readFile(pieces).catch((error: unknown) => String(error));
  await fc.assert(
    fc.asyncProperty(
      fc.array(bits, { maxLength: 60 }).map((list) => list.join('')),
      fc.nat({ max: 65_000 }),
      fc.integer({ min: 300, max: 70_000 }),
      async (text, at, size) => {
        const bytes = utf8(`name,city\n${filler.slice(0, at)}\n${text}\n${filler.repeat(2)}`);
        expect(await outcome(cutBytes(bytes, size))).toEqual(await outcome([bytes]));
      },
    ),
    { numRuns: 60 },
  );
});
