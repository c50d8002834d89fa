import { isSeparator } from './encoding/word-sample.pure.ts';
import type { Unicode } from './first-bytes.pure.ts';

/** Bytes that a UTF-8 character takes, by its first; 1 for a byte that cannot begin one. */
function utf8Length(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** How many bytes hold whole characters: the last one may be cut off. */
export function wholeLength(bytes: Uint8Array, encoding: Unicode): number {
  const { length } = bytes;
  if (encoding === 'utf-8') {
    let lead = length - 1;
    while (lead > length - 4 && ((bytes[lead] ?? 0) & 0xc0) === 0x80) lead -= 1;
    return lead >= 0 && utf8Length(bytes[lead] ?? 0) > length - lead ? lead : length;
  }
  const even = length - (length % 2);
  const high = bytes[encoding === 'utf-16le' ? even - 1 : even - 2] ?? 0;
  return (high & 0xfc) === 0xd8 ? even - 2 : even;
}

/** Where the first byte stands that is no ASCII; -1: nowhere. */
export function beyondAscii(bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i += 1) if ((bytes[i] ?? 0) > 0x7f) return i;
  return -1;
}

/** UTF-8 that breaks has so many characters for each place that is none, if most of its words have such a place. */
const charactersPerBreak = 4;

/**
 * Where the first byte stands that is no UTF-8, and whether the bytes are UTF-8 all the same, broken here and
 * there: characters beyond ASCII outnumber what is none, and not by chance, as they may in a few words of
 * another encoding, hardly one of which is UTF-8 as a whole.
 */
export function surveyUtf8(bytes: Uint8Array): { firstBad: number; isBroken: boolean } {
  let firstBad = bytes.length;
  const [characters, words] = [
    { good: 0, bad: 0 },
    { good: 0, bad: 0 },
  ];
  let word = { good: 0, bad: 0 };
  for (let i = 0; i <= bytes.length;) {
    const byte = bytes[i] ?? 0;
    if (isSeparator(byte)) {
      if (word.bad > 0) words.bad += 1;
      else if (word.good > 0) words.good += 1;
      characters.good += word.good;
      characters.bad += word.bad;
      word = { good: 0, bad: 0 };
    }
    const length = byte < 0x80 ? 0 : characterLength(bytes, i);
    if (length > 1) word.good += 1;
    if (length < 0) {
      firstBad = Math.min(firstBad, i);
      word.bad += 1;
    }
    i += Math.max(1, Math.abs(length));
  }
  const { good, bad } = characters;
  const isBroken = good >= bad && (words.good >= words.bad || good >= charactersPerBreak * bad);
  return { firstBad, isBroken };
}

/** Bytes of the character that begins at `at`; negative: so many bytes are the beginning of none. */
function characterLength(bytes: Uint8Array, at: number): number {
  const length = utf8Length(bytes[at] ?? 0);
  if (length === 1) return -1;
  const [lead = 0, second = 0] = [bytes[at], bytes[at + 1]];
  const [least, most] = secondOf(lead);
  if (second < least || second > most) return -1;
  for (let i = 2; i < length; i += 1) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return -i;
  return length;
}

/** Which second bytes a first one allows (the Unicode Standard, table 3-7). */
function secondOf(lead: number): [least: number, most: number] {
  if (lead === 0xe0) return [0xa0, 0xbf];
  if (lead === 0xed) return [0x80, 0x9f];
  if (lead === 0xf0) return [0x90, 0xbf];
  return lead === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf];
}
