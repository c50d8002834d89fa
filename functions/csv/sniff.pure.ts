import { exportAsCsv } from './limits.pure.ts';

/** LF stands for CRLF too, and for both in one file. */
export type Newline = '\n' | '\r';

/** How a file's text is cut into cells. PapaParse guesses both wrongly at times: we look ourselves. */
export type Dialect = {
  delimiter: Delimiter;
  newline: Newline;
  /** Characters at the file's start that are no data: Excel's `sep=;` with its line end. */
  skip: number;
};

const delimiters = [',', ';', '\t', '|'] as const;
type Delimiter = (typeof delimiters)[number];

const isDelimiter = (char: string): char is Delimiter =>
  (delimiters as readonly string[]).includes(char);

/** Excel's own first line, which names the delimiter; a quote before it is closed behind it. */
const excelSep = /^(?:sep=([,;\t|])|"sep=([,;\t|])")(\r\n|\r(?!$)|\n|\r?$)/i;

/** Lines that vote on the delimiter. */
const sampleLines = 20;

/** Delimiters outside quotes, one record per line that is not blank, and the first line end. */
function survey(
  text: string,
  maxLines: number,
): { lines: Record<Delimiter, number>[]; newline: Newline | undefined } {
  const none = { ',': 0, ';': 0, '\t': 0, '|': 0 };
  const lines: Record<Delimiter, number>[] = [];
  let newline: Newline | undefined;
  let line = { ...none };
  let [isQuoted, isCellStart, isBlank] = [false, true, true];
  for (let i = 0; i < text.length && lines.length < maxLines; i += 1) {
    const char = text.charAt(i);
    if (isQuoted) {
      if (char !== '"') continue;
      if (text[i + 1] === '"') i += 1;
      else isQuoted = false;
    } else if (char === '\n' || (char === '\r' && newline !== '\n')) {
      // A CR at the very end may be half of a CRLF.
      if (char === '\r' && i + 1 < text.length) newline ??= text[i + 1] === '\n' ? '\n' : '\r';
      else if (char === '\n') newline ??= '\n';
      if (!isBlank) lines.push(line);
      [line, isCellStart, isBlank] = [{ ...none }, true, true];
    } else {
      isBlank &&= char === ' ' || char === '\r';
      isQuoted = char === '"' && isCellStart;
      isCellStart = isDelimiter(char);
      if (isDelimiter(char)) line[char] += 1;
    }
  }
  if (!isBlank) lines.push(line);
  return { lines, newline };
}

/** The line end of a file by its first line; undefined while the text has none outside quotes. */
export const sniffNewline = (text: string): Newline | undefined => survey(text, 1).newline;

/**
 * Reads delimiter and newline off the beginning of a file, outside quotes. Of the delimiters in the
 * header the one wins that the lines below have as often as the header; of several, the most frequent.
 * A file without any has one column. CR is the newline if the first line ends with one alone.
 */
export function sniffDialect(text: string): Dialect {
  const named = excelSep.exec(text);
  const { lines, newline = '\n' } = survey(text, sampleLines);
  const byName = named?.[1] ?? named?.[2];
  if (named && byName !== undefined && isDelimiter(byName))
    return { delimiter: byName, newline, skip: named[0].length };
  const [header] = lines;
  const score = (candidate: Delimiter): number => {
    const count = header?.[candidate] ?? 0;
    const agreeing = lines.filter((line) => line[candidate] === count).length;
    return count === 0 ? 0 : agreeing * text.length + count;
  };
  const delimiter = delimiters.reduce((best, candidate) =>
    score(candidate) > score(best) ? candidate : best,
  );
  return { delimiter, newline, skip: 0 };
}

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
