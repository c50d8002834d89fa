type Script =
  | 'latin'
  | 'cyrillic'
  | 'greek'
  | 'hebrew'
  | 'arabic'
  | 'thai'
  | 'character'
  | 'narrow';
/** `letter`: of any other script. */
export type Class = Script | 'letter' | 'digit' | 'mark' | 'control';

const classes: [Class, RegExp][] = [
  ['control', /[\p{Cc}\p{Cn}\p{Co}\p{Cs}\ufffd\ufeff]/u],
  ['digit', /[0-9]/],
  ['narrow', /[\uff61-\uff9f]/],
  ['mark', /[ªºƒ]/],
  // Phonetic letters are no word's, but for the Azerbaijani ə.
  ['letter', /[\u0250-\u0258\u025a-\u02af]/],
  ['latin', /\p{Script=Latin}/u],
  ['cyrillic', /\p{Script=Cyrillic}/u],
  ['greek', /\p{Script=Greek}/u],
  ['hebrew', /\p{Script=Hebrew}/u],
  ['arabic', /[\p{Script=Arabic}\u064b-\u0652\u0640\u200c]/u],
  ['thai', /\p{Script=Thai}/u],
  ['character', /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}ー々]/u],
  ['letter', /[\p{Lo}\p{Ll}\p{Lu}\p{M}]/u],
];

const classOfChar = new Map<string, Class>();

export function classOf(char: string): Class {
  let found = classOfChar.get(char);
  if (found) return found;
  found = classes.find(([, pattern]) => pattern.test(char))?.[0] ?? 'mark';
  if (classOfChar.size < 30_000) classOfChar.set(char, found);
  return found;
}

export const isAscii = (char: string): boolean => char < '\u0080';
