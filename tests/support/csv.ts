import { DomainError } from '../../functions/errors.ts';
import { decode } from '../../functions/csv/decode.pure.ts';
import { readRows } from '../../functions/csv/read-rows.pure.ts';

export type Table = { header: string[]; rows: string[][] };

/** Pieces as an upload brings them: their memory is used again. */
async function* inOneMemory(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    // Not `slice`: that of a Buffer is no copy.
    const memory = new Uint8Array(piece);
    yield memory;
    memory.fill(0x21);
  }
}

/** What is known of a file at its end; `skips` by the row's index in the file. */
export type FileRead = Table & {
  headerLine: number;
  skips: Record<number, string>;
  warnings: readonly string[];
};

/** Reads bytes that come in the given pieces, as an upload does. */
export async function readFile(pieces: Iterable<Uint8Array>, charset?: string): Promise<FileRead> {
  const read: FileRead = { header: [], headerLine: 0, rows: [], skips: {}, warnings: [] };
  for await (const batch of readRows(decode(inOneMemory(pieces), charset))) {
    const { header, headerLine, warnings } = batch;
    Object.assign(read, { header, headerLine, warnings });
    for (const [index, note] of batch.skips) read.skips[read.rows.length + index] = note;
    for (const row of batch.rows) read.rows.push(row);
  }
  return read;
}

/** Header and rows of bytes that come in the given pieces. */
export async function readCsv(pieces: Iterable<Uint8Array>, charset?: string): Promise<Table> {
  const { header, rows } = await readFile(pieces, charset);
  return { header, rows };
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The rows of a file that are to be worked, as wide as its header; how many are not. */
export async function readTable(
  file: Uint8Array | string,
): Promise<Table & { skipped: number; warnings: readonly string[] }> {
  const read = await readFile([typeof file === 'string' ? utf8(file) : file]);
  const { header, skips, warnings } = read;
  const rows = read.rows
    .filter((_, i) => !(i in skips))
    .map((row) => [...row, ...header.slice(row.length).map(() => '')]);
  return { header, rows, skipped: Object.keys(skips).length, warnings };
}

export const readText = (text: string): Promise<Table> => readCsv([utf8(text)]);

/** What the refusal of a file says; throws when it is accepted. */
export async function csvRefusal(
  pieces: Iterable<Uint8Array>,
  charset?: string,
): Promise<{ line: unknown; reason: unknown }> {
  try {
    await readCsv(pieces, charset);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'csv_invalid') throw error;
    return { line: error.extra['line'], reason: error.extra['reason'] };
  }
  throw new Error('The file was accepted.');
}

/** What bytes are read as, or the encodings that they may be in. */
export async function decoded(
  pieces: Iterable<Uint8Array>,
  charset?: string,
): Promise<
  { text: string; encoding: string } | { candidates: unknown; line: unknown; detail: unknown }
> {
  let [all, encoding] = ['', ''];
  try {
    for await (const piece of decode(inOneMemory(pieces), charset)) {
      all += piece.text;
      ({ encoding } = piece);
    }
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'encoding_unknown') throw error;
    const { candidates, line } = error.extra;
    return { candidates, line, detail: error.detail };
  }
  return { text: all, encoding };
}

export const cutBytes = (data: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(data.length / size) }, (_, i) =>
    data.subarray(i * size, (i + 1) * size),
  );

/** Characters of Windows-1252 at 0x80 to 0x9f; the gaps stand for themselves. */
const windows1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

function codeOf1252(char: string): number {
  const special = windows1252.indexOf(char);
  return special < 0 ? (char.codePointAt(0) ?? 0) : 0x80 + special;
}

/** Characters that Windows-1252 has, apart from ASCII. */
export const charactersOf1252 = [
  ...windows1252.split(''),
  ...Array.from({ length: 96 }, (_, i) => String.fromCodePoint(0xa0 + i)),
];

export const encodings = {
  'UTF-8': utf8,
  'UTF-8 with a mark': (text: string) => utf8(`\ufeff${text}`),
  'UTF-16LE': (text: string) => utf16(`\ufeff${text}`, true),
  'UTF-16BE': (text: string) => utf16(`\ufeff${text}`, false),
  'UTF-16LE without a mark': (text: string) => utf16(text, true),
  'UTF-16BE without a mark': (text: string) => utf16(text, false),
  'Windows-1252': (text: string) => Uint8Array.from(text.split(''), codeOf1252),
} as const;

function utf16(text: string, isLittleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i += 1)
    view.setUint16(i * 2, text.charCodeAt(i), isLittleEndian);
  return bytes;
}
