import { DomainError } from '../../errors.ts';
import { codePages } from './code-pages.pure.ts';

/** All that an `encoding_unknown` names. */
const maxCandidates = 6;

/** What files are in when they are not UTF-8, for who names an encoding that nobody knows. */
const common = ['utf-8', 'windows-1252', 'windows-1250', 'windows-1251', 'shift_jis', 'gb18030'];

/** Names that are not a label with capitals. */
const names: Record<string, string> = {
  macintosh: 'Mac Roman',
  'x-mac-cyrillic': 'Mac Cyrillic',
  shift_jis: 'Shift_JIS',
  big5: 'Big5',
  gbk: 'GBK',
  ibm850: 'code page 850 (CSV for MS-DOS)',
  ibm852: 'code page 852 (CSV for MS-DOS)',
};

/** Labels of the Encoding Standard that it reads as Windows-1252, and that say no more than a sender's default. */
const ascii = new Set(['us-ascii', 'ascii', 'ansi_x3.4-1968']);

const ofManyBytes = new Set([
  'shift_jis',
  'euc-jp',
  'iso-2022-jp',
  'gbk',
  'gb18030',
  'big5',
  'euc-kr',
]);

/** An encoding as people write it: `Windows-1251`. */
export const encodingName = (encoding: string): string =>
  names[encoding] ??
  (encoding.startsWith('windows') ? encoding.replace('w', 'W') : encoding.toUpperCase());

export const isUnicode = (encoding: string): encoding is 'utf-8' | 'utf-16le' | 'utf-16be' =>
  encoding.startsWith('utf-');

/** Whether each character takes one byte: any bytes at all are text in such an encoding. */
export const isSingleByte = (encoding: string): boolean =>
  !isUnicode(encoding) && !ofManyBytes.has(encoding);

/**
 * The WHATWG name of a `charset`, which is a label of the Encoding Standard; undefined for ASCII, which a
 * file with other characters is not in. Throws `encoding_unknown`.
 */
export function encodingOf(charset: string): string | undefined {
  if (ascii.has(charset.trim().toLowerCase())) return undefined;
  try {
    return new TextDecoder(charset).encoding;
  } catch {
    const detail = `There is no charset "${charset.slice(0, 60)}". Send the upload with one that there is, such as Content-Type: text/csv; charset=windows-1252, or save the file as "CSV UTF-8".`;
    throw new DomainError('encoding_unknown', detail, { extra: { candidates: common } });
  }
}

/** The file is sent as `declared`, but its bytes are UTF-8 or may be. */
export function encodingDoubted(declared: string): DomainError {
  const detail = `The file was sent as ${encodingName(declared)}, but its text looks like UTF-8. Save the file as "CSV UTF-8", and send it as Content-Type: text/csv; charset=utf-8.`;
  return new DomainError('encoding_unknown', detail, {
    extra: { candidates: ['utf-8', declared] },
  });
}

/**
 * `candidates`: WHATWG names, the likeliest first, and encodings that nothing here reads. `line`: the first
 * one that is not UTF-8, counted from 1.
 */
export function encodingUnknown(candidates: readonly string[], line?: number): DomainError {
  const likely = [...new Set(candidates)].slice(0, maxCandidates);
  const readable = likely.filter((label) => !(label in codePages));
  const listed = new Intl.ListFormat('en', { type: 'disjunction' }).format(
    likely.map(encodingName),
  );
  const what = likely.length === 0 ? '' : ` It may be ${listed}.`;
  const where = line === undefined ? 'The file is not' : `Line ${line} has a character that is not`;
  const detail = `${where} UTF-8, and the file's text does not tell which encoding it is in.${what} Save the file as "CSV UTF-8", or say which it is: Content-Type: text/csv; charset=${readable[0] ?? 'windows-1252'}.`;
  const extra = { candidates: readable, ...(line === undefined ? {} : { line }) };
  return new DomainError('encoding_unknown', detail, { extra });
}
