import { classOf, type Class, isAscii } from './character-class.pure.ts';
import { addCharacters, type Characters } from './characters.pure.ts';
import { type Cost, rare } from './cost.pure.ts';
import { addLetters, type Alphabet } from './letters.pure.ts';
import { addSign } from './signs.pure.ts';

/** What an encoding is for: languages with letters, or characters of East Asia. */
export type Writing = { alphabets: readonly Alphabet[] } | { characters: Characters };

type Run = { kind: Class; chars: string[] };

function runsOf(word: string): Run[] {
  const runs: Run[] = [];
  for (const char of word) {
    const kind = classOf(char);
    const last = runs.at(-1);
    if (last?.kind === kind) last.chars.push(char);
    else runs.push({ kind, chars: [char] });
  }
  return runs;
}

const alphabetic = new Set<Class>([
  'latin',
  'cyrillic',
  'greek',
  'hebrew',
  'arabic',
  'thai',
  'letter',
]);

const twoScripts = 12;

/** Adds what it costs that two runs stand side by side. */
function addMeeting(cost: Cost, one: Run, two: Run): void {
  const isLetters = (run: Run): boolean => alphabetic.has(run.kind);
  if (isLetters(one) && isLetters(two)) return cost.fault(twoScripts);
  if (one.kind === 'digit' || two.kind === 'digit')
    return touchesDigit(one, two) ? cost.add(3) : undefined;
  const latin = [one, two].find((run) => run.kind === 'latin');
  const other = latin === one ? two : one;
  if (!latin || (other.kind !== 'character' && other.kind !== 'narrow')) return;
  const nearest = latin === one ? latin.chars.at(-1) : latin.chars[0];
  if (nearest !== undefined && /[A-Z]/.test(nearest)) cost.add(3);
  else cost.fault(6);
}

function touchesDigit(one: Run, two: Run): boolean {
  const [run, next] = one.kind === 'digit' ? [two, two.chars[0]] : [one, one.chars.at(-1)];
  return alphabetic.has(run.kind) && next !== undefined && !isAscii(next);
}

/** Adds what a word costs: how far it is from what people write in these languages; plain ASCII is free. */
export function addWord(cost: Cost, word: string, writing: Writing): void {
  const runs = runsOf(word);
  for (const [i, run] of runs.entries()) {
    addRun(
      cost,
      run,
      [runs[i - 1]?.chars.join('') ?? '', runs[i + 1]?.chars.join('') ?? ''],
      writing,
    );
    const next = runs[i + 1];
    if (next) addMeeting(cost, run, next);
  }
}

function addRun(
  cost: Cost,
  { kind, chars }: Run,
  [before, after]: [string, string],
  writing: Writing,
): void {
  const isEastAsian = 'characters' in writing;
  const beyondAscii = chars.filter((char) => !isAscii(char)).length;
  if (kind === 'digit' || beyondAscii === 0) return;
  if (kind === 'control') cost.fault(rare.control, beyondAscii);
  else if (kind === 'mark')
    for (const [i, char] of chars.entries())
      addSign(cost, char, [chars[i - 1] ?? before, chars[i + 1] ?? after], isEastAsian);
  else if (kind === 'character' || kind === 'narrow')
    addCharacters(cost, kind, chars, isEastAsian ? writing.characters : undefined);
  else if (isEastAsian) cost.fault(rare.foreignLetter, beyondAscii);
  else addLetters(cost, kind, chars, writing.alphabets);
}
