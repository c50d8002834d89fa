import { exportAsCsv } from './limits.pure.ts';

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** First bytes of files that are often sent in place of a CSV. */
const magics: [what: string, bytes: number[]][] = [
  ['a zip file or an Excel workbook', [0x50, 0x4b, 0x03, 0x04]],
  ['an old Excel workbook', [0xd0, 0xcf, 0x11, 0xe0]],
  ['a gzip file', [0x1f, 0x8b]],
  ['a PDF', [0x25, 0x50, 0x44, 0x46, 0x2d]],
];

const startsWith = (bytes: Uint8Array, magic: number[]): boolean =>
  magic.every((byte, i) => bytes[i] === byte);

/**
 * The encoding of a file by its first bytes (`mark`: bytes of its byte order mark), or the reason why
 * it is no text. Without a mark it is UTF-16 if every other byte, and only of those, is mostly NUL.
 */
export function sniffEncoding(
  bytes: Uint8Array,
): { encoding: Encoding; mark: number } | { refused: string } {
  const magic = magics.find(([, start]) => startsWith(bytes, start));
  if (magic) return { refused: `The file is ${magic[0]}, not text. ${exportAsCsv}` };
  if (startsWith(bytes, [0xef, 0xbb, 0xbf])) return { encoding: 'utf-8', mark: 3 };
  if (startsWith(bytes, [0xff, 0xfe])) return { encoding: 'utf-16le', mark: 2 };
  if (startsWith(bytes, [0xfe, 0xff])) return { encoding: 'utf-16be', mark: 2 };
  const nuls = [0, 0];
  for (let found = bytes.indexOf(0); found >= 0; found = bytes.indexOf(0, found + 1))
    nuls[found % 2] = (nuls[found % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = nuls;
  if (even === 0 && odd === 0) return { encoding: 'utf-8', mark: 0 };
  const enough = bytes.length / 4;
  if (even === 0 && odd > enough) return { encoding: 'utf-16le', mark: 0 };
  if (odd === 0 && even > enough) return { encoding: 'utf-16be', mark: 0 };
  return { refused: `The file is binary, not text. ${exportAsCsv}` };
}
