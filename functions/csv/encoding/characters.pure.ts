import { big5, euc_jp, euc_kr, gb_18030 } from 'chardet/lib/encoding/mbcs.js';
import type { Class } from './character-class.pure.ts';
import { type Cost, rare } from './cost.pure.ts';
import { commonCharacters } from './languages.pure.ts';

export type Characters = keyof typeof commonCharacters;
export const languages = Object.keys(commonCharacters) as Characters[];

/** Characters of the first level of each national standard: those in everyday use. */
const firstLevels: Record<Characters, [label: string, from: number, to: number]> = {
  japanese: ['euc-jp', 0xb0, 0xcf],
  simplified: ['gbk', 0xb0, 0xd7],
  traditional: ['big5', 0xa4, 0xc6],
  korean: ['euc-kr', 0xb0, 0xc8],
};

/** Detectors of the library: each knows the characters that are most frequent in running text. */
const detectors = {
  japanese: new euc_jp(),
  simplified: new gb_18030(),
  traditional: new big5(),
  korean: new euc_kr(),
};

const characterCosts = new Map<Characters, Map<string, number>>();

function costsOf(name: Characters): Map<string, number> {
  let costs = characterCosts.get(name);
  if (costs) return costs;
  costs = new Map();
  const [label, from, to] = firstLevels[name];
  const decoder = new TextDecoder(label);
  for (let lead = from; lead <= to; lead += 1)
    for (let trail = 0x40; trail <= 0xfe; trail += 1)
      if (trail >= 0xa1 || (name === 'traditional' && trail <= 0x7e))
        costs.set(decoder.decode(Uint8Array.of(lead, trail)), 10);
  if (name === 'japanese')
    for (let code = 0x3041; code <= 0x30fe; code += 1) costs.set(String.fromCharCode(code), 7);
  for (const code of detectors[name].commonChars)
    costs.set(decoder.decode(Uint8Array.of(code >> 8, code & 0xff)), 6.5);
  for (const [i, char] of Array.from(commonCharacters[name]).entries())
    costs.set(char, i < 100 ? 5.4 : 6.9);
  characterCosts.set(name, costs);
  return costs;
}

/** A character stands for about so many letters. */
const stepsOfOne = 2.2;

/** Adds what a run of East Asian characters costs in a language. */
export function addCharacters(
  cost: Cost,
  kind: Class,
  chars: string[],
  name: Characters | undefined,
): void {
  if (name === undefined) return cost.fault(rare.foreignCharacter, chars.length);
  // Narrow katakana are a remnant of terminals: rare, and then all together.
  if (kind === 'narrow')
    return name === 'japanese'
      ? cost.spell(8 + chars.length * 4.1, chars.length)
      : cost.fault(rare.foreignCharacter, chars.length);
  const costs = costsOf(name);
  const nats = chars.reduce((sum, char) => sum + (costs.get(char) ?? 14), 1);
  cost.spell(nats, chars.length * stepsOfOne);
}
