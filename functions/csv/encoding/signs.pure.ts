import { classOf, isAscii } from './character-class.pure.ts';
import { type Cost, rare } from './cost.pure.ts';
import { small } from './letters.pure.ts';

const opening = /[“‘„«¿¡‹‚]/u;
const closing = /[”’»…™®©›]/u;
const dashes = /[–—·•]/u;
const currencies = /[€£¥§№]/u;
const degrees = /[°º²³½¼¾ª]/u;
const wide = /[\u3000-\u303f\uff01-\uff60\uffe0-\uffe6‘’“”…—·•・《》→○●◎■□★☆※]/u;

const unusual = /[¥§¡¿«»‹›‚№ª]/u;

/**
 * Quotes of which a text has only the one half, where they touch a letter: in another encoding they are letters.
 * „ is left out, since a plain quote often closes it.
 */
const halves = [
  { half: '\\p{L}”', unless: /[“„]|^”/m },
  { half: '\\p{L}›', unless: /‹|^›/m },
  { half: '^“\\p{L}', unless: /”|.“/ },
  { half: '^‘\\p{L}', unless: /’|.‘/ },
  { half: '^‚\\p{L}', unless: /[‘’]/ },
  { half: '^‹\\p{L}', unless: /›|.‹/ },
];

/** What a word has that holds a quote which nothing in the text opens, or closes. */
export function strayQuotes(text: string): RegExp | undefined {
  const stray = halves.filter(({ unless }) => !unless.test(text)).map(({ half }) => half);
  return stray.length === 0 ? undefined : new RegExp(stray.join('|'), 'u');
}

/** Adds what a sign costs by what stands beside it. */
export function addSign(
  cost: Cost,
  char: string,
  [textBefore, textAfter]: [string, string],
  isEastAsian: boolean,
): void {
  if (isAscii(char)) return;
  const [before, after] = [textBefore.slice(-1), textAfter.charAt(0)];
  if (isEastAsian && wide.test(char) && !/[a-z]/.test(before + after)) return cost.add(5);
  const [left, right] = [edgeOf(before), edgeOf(after)];
  const natural =
    char === '\u00a0' ||
    (char === '\u00ad' && left === 'letter' && right === 'letter') ||
    (char === '’' && isElision(textBefore, textAfter)) ||
    (opening.test(char) && left === 'edge') ||
    (closing.test(char) && right === 'edge' && !(/[»›]/.test(char) && left === 'digit')) ||
    (dashes.test(char) && left === right && (left !== 'letter' || startsWord(after))) ||
    (currencies.test(char) && left !== 'letter' && right !== 'letter') ||
    (/[ºª]/.test(char) && /^[nN]$/.test(before)) ||
    (degrees.test(char) && (left === 'digit' || before === '') && /^[CF]?$/.test(after));
  if (!natural) return cost.fault(rare.place);
  // In code page 850 it is the á of Cádiz and of Bogotá.
  const mayBeLetter = char === '\u00a0' && /\p{L}$/u.test(textBefore) && /^\p{Ll}?$/u.test(after);
  if (mayBeLetter) return cost.add(8);
  const isUnusual = unusual.test(char) || (char === '…' && /\p{Lu}/u.test(before));
  cost.add(isUnusual ? 6.5 : 4.5);
}

/** O’Neill, Oscar’s, qu’il, п’ять: few letters stand on one side, or certain ones. */
const isElision = (before: string, after: string): boolean =>
  /^(\p{L}{1,2}|qu|dell|nell|all|sull|un)$/iu.test(before) ||
  /^([stdm]|re|ve|ll|er|[яюєїеЯЮЄЇ]\p{L}*)$/iu.test(after);

/** A capital, or a letter of a script that has none. */
const startsWord = (char: string): boolean => small(char) !== char || char.toUpperCase() === char;

function edgeOf(char: string): 'edge' | 'digit' | 'letter' {
  if (char === '') return 'edge';
  const kind = classOf(char);
  if (kind === 'digit') return 'digit';
  return kind === 'mark' || kind === 'control' ? 'edge' : 'letter';
}
