import { DomainError } from '../../errors.ts';

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
};

/** An encoding as people write it: `Windows-1251`. */
export const encodingName = (encoding: string): string =>
  names[encoding] ??
  (encoding.startsWith('windows') ? encoding.replace('w', 'W') : encoding.toUpperCase());

export const isUnicode = (encoding: string): encoding is 'utf-8' | 'utf-16le' | 'utf-16be' =>
  encoding.startsWith('utf-');

/** The WHATWG name of a `charset`, which is a label of the Encoding Standard. Throws `encoding_unknown`. */
export function encodingOf(charset: string): string {
  try {
    return new TextDecoder(charset).encoding;
  } catch {
    const detail = `There is no charset "${charset.slice(0, 60)}". Send the upload with one that there is, such as Content-Type: text/csv; charset=windows-1252, or save the file as "CSV UTF-8".`;
    throw new DomainError('encoding_unknown', detail, { extra: { candidates: common } });
  }
}

/** `candidates`: WHATWG names, the likeliest first. */
export function encodingUnknown(candidates: readonly string[]): DomainError {
  const likely = [...new Set(candidates)].slice(0, maxCandidates);
  const listed = new Intl.ListFormat('en', { type: 'disjunction' }).format(
    likely.map(encodingName),
  );
  const what = likely.length === 0 ? '' : ` It may be ${listed}.`;
  const detail = `The file is not UTF-8, and its text does not tell which encoding it is in.${what} Save the file as "CSV UTF-8", or say which it is: Content-Type: text/csv; charset=${likely[0] ?? 'windows-1252'}.`;
  return new DomainError('encoding_unknown', detail, { extra: { candidates: likely } });
}
