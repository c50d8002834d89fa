import { type Class, isAscii, classOf } from './character-class.pure.ts';
import { type Cost, rare } from './cost.pure.ts';
import { alphabets } from './languages.pure.ts';

export type Alphabet = keyof typeof alphabets;
export const allAlphabets = Object.keys(alphabets) as Alphabet[];

/** Capitals inside a word: a reading in which it happens is most likely wrong. */
const broken = 9;

type Table = { kind: Class; index: Map<string, number>; base: number; costs: Uint8Array };

const stepNats = 0.8;
const tables = new Map<Alphabet, Table>();

function tableOf(name: Alphabet): Table {
  let table = tables.get(name);
  if (table) return table;
  const { letters, costs } = alphabets[name];
  const kind = classOf(letters.charAt(0));
  const base = kind === 'latin' ? '_abcdefghijklmnopqrstuvwxyz' : '_';
  const index = new Map(Array.from(base + letters, (char, i) => [char, i]));
  table = { kind, index, base: base.length, costs: Uint8Array.from(costs, (c) => parseInt(c, 16)) };
  tables.set(name, table);
  return table;
}

/** What `next` costs behind `before`, of which one is no ASCII; both in small letters, `_` is a word's edge. */
function pairCost({ index, base, costs }: Table, before: string, next: string): number {
  const [from, to] = [index.get(before), index.get(next)];
  const size = index.size + base;
  let steps: number | undefined;
  if (to !== undefined && to >= base && from !== undefined)
    steps = costs[(to - base) * size + from];
  else if (from !== undefined && from >= base && to !== undefined)
    steps = costs[(from - base) * size + index.size + to];
  return steps === undefined ? rare.pair : steps * stepNats;
}

export const small = (char: string): string => (char === 'İ' ? 'i' : char.toLowerCase());

/** Words are small, capital, or begin with a capital; only breaks beside a letter that is no ASCII count. */
function capitalFaults(chars: string[]): number {
  const cases = chars.map((char) => {
    if (char === 'ß' || small(char) === char.toUpperCase()) return ' ';
    return small(char) === char ? 'l' : 'U';
  });
  const hasSmall = cases.includes('l');
  let breaks = 0;
  for (let i = 1; i < chars.length; i += 1) {
    if (isAscii(chars[i] ?? '') && isAscii(chars[i - 1] ?? '')) continue;
    const [before, here] = [cases[i - 1], cases[i]];
    if (before === 'l' && here === 'U') breaks += 1;
    else if (before === 'U' && here === 'U' && hasSmall && i === 1) breaks += 1;
    else if (before === 'U' && here === 'l' && cases[i - 2] === 'U') breaks += 1;
  }
  return breaks;
}

/** What each step from letter to letter costs in an alphabet, up to a limit. */
function spelling(
  table: Table,
  chars: readonly string[],
  limit: number,
): [cost: number, steps: number] {
  let [cost, steps, before] = [0, 0, '_'];
  for (let i = 0; i <= chars.length && cost < limit; i += 1) {
    const char = chars[i];
    const next = char === undefined ? '_' : small(char);
    if (!isAscii(before) || !isAscii(next)) {
      cost += pairCost(table, before, next);
      steps += 1;
    }
    before = next;
  }
  return [cost, steps];
}

/** Adds what a run of letters costs in the likeliest language; one that is not the encoding's own costs more. */
export function addLetters(
  cost: Cost,
  kind: Class,
  chars: string[],
  home: readonly Alphabet[],
): void {
  if (chars.every(isAscii)) return;
  const foreign = chars.filter((char) => !isAscii(char)).length;
  let [best, steps] = [foreign * rare.foreignLetter, foreign];
  let known: Table | undefined;
  for (const name of allAlphabets) {
    const table = tableOf(name);
    if (table.kind !== kind) continue;
    const extra = home.includes(name) ? 0 : 3;
    const [nats, count] = spelling(table, chars, best);
    if (extra + nats < best) [best, steps, known] = [extra + nats, count, table];
  }
  if (chars.length === 1) cost.spellLone(best, steps);
  else cost.spell(best, steps);
  if (chars.some((char) => !isAscii(char) && !known?.index.has(small(char)))) cost.fault(0);
  if (chars.length === 1) cost.add(2);
  cost.fault(broken, capitalFaults(chars));
}
