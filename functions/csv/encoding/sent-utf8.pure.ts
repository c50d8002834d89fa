import { languages } from './characters.pure.ts';
import { classOf, isAscii } from './character-class.pure.ts';
import { textIn } from './code-pages.pure.ts';
import { Cost } from './cost.pure.ts';
import { writingOf } from './detect.pure.ts';
import { encodingDoubted } from './labels.pure.ts';
import { allAlphabets } from './letters.pure.ts';
import { addWord, type Writing } from './plausibility.pure.ts';

/** How much likelier one reading must be, in nats. */
const clearlyNats = 5;

/**
 * Whether words that were sent as `declared`, in which any bytes are text, are UTF-8 all the same: most are
 * allowed there, and those are clearly likelier so. Throws `encoding_unknown` where both are likely.
 */
export function isUtf8Instead(words: readonly Uint8Array[], declared: string): boolean {
  let [valid, gain] = [0, 0];
  for (const word of words) {
    const [text, other] = [textIn('utf-8', word), textIn(declared, word)];
    if (text === undefined || Array.from(text).some(isUnassigned)) continue;
    valid += 1;
    gain += leastCost(other ?? '', writingOf(declared)) - leastCost(text, undefined);
  }
  if (valid * 2 <= words.length) return false;
  if (Math.abs(gain) < clearlyNats) throw encodingDoubted(declared);
  return gain > 0;
}

const isUnassigned = (char: string): boolean => !isAscii(char) && classOf(char) === 'control';
const isEastAsian = (char: string): boolean => /character|narrow/.test(classOf(char));

const anyLetters: readonly Writing[] = [{ alphabets: allAlphabets }];
const anyCharacters: readonly Writing[] = languages.map((name) => ({ characters: name }));

/** What a word costs in a writing, or in the one that fits it best. */
function leastCost(word: string, writing: Writing | undefined): number {
  const any = Array.from(word).some(isEastAsian) ? anyCharacters : anyLetters;
  const costs = (writing ? [writing] : any).map((each) => {
    const cost = new Cost();
    addWord(cost, word, each);
    return cost.nats;
  });
  return Math.min(...costs);
}
