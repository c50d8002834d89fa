import { oneLine } from '../shared/text.pure.ts';
import { csvLimits } from './limits.pure.ts';

/** Names are compared without letter case and outer blanks. */
export const foldName = (name: string): string => name.trim().toLowerCase();

const numbered = /^column_(\d{1,4})$/;

/** `base` if it is free, else `base_2`, `base_3`…; the name is taken from then on. */
function freeName(base: string, taken: Set<string>, from = 2): { name: string; next: number } {
  let [name, next] = [base, from];
  while (taken.has(foldName(name))) {
    name = `${base}_${next}`;
    next += 1;
  }
  taken.add(foldName(name));
  return { name, next };
}

/**
 * A name for each column that a prompt can say: the header's own; the second of a name `name_2`, the
 * third `name_3`; without a name `column_N`, N its position from 1. A name that the file itself uses
 * is never given to another column.
 */
export function columnNames(header: readonly string[]): string[] {
  const taken = new Set(header.map(foldName));
  const seen = new Map<string, number>();
  return header.map((own, i) => {
    const key = foldName(own);
    if (key === '') return freeName(`column_${i + 1}`, taken).name;
    const number = seen.get(key);
    if (number === undefined) {
      seen.set(key, 2);
      return own;
    }
    const { name, next } = freeName(own.trim(), taken, number);
    seen.set(key, next);
    return name;
  });
}

/**
 * The positions of the columns that are named, by the names of `columnNames`; of a name that is given twice the
 * second one means the second column.
 */
export function columnsNamed(header: readonly string[], names: readonly string[]): Set<number> {
  const wanted = new Set(columnNames(names).map(foldName));
  return new Set(columnNames(header).flatMap((name, i) => (wanted.has(foldName(name)) ? [i] : [])));
}

/** The header with `column_N` for every column up to `width` that it does not name yet. */
export function widenHeader(header: readonly string[], width: number): string[] {
  const taken = new Set(header.map(foldName));
  const wide = [...header];
  while (wide.length < width) wide.push(freeName(`column_${wide.length + 1}`, taken).name);
  return wide;
}

/** Whether a column of this name can still appear: rows longer than the header widen it. */
export function mayStillAppear(name: string, width: number): boolean {
  const position = Number(numbered.exec(foldName(name))?.[1] ?? 0);
  return position > width && position <= csvLimits.columns;
}

/** Names that are told one by one, and the characters of each. */
const [maxListed, maxListedCharacters] = [20, 40];

/** The columns of a file, in a sentence of bounded length. */
export function columnList(header: readonly string[]): string {
  const names = columnNames(header)
    .slice(0, maxListed)
    .map((name) => oneLine(name, maxListedCharacters));
  const more = header.length - names.length;
  return `The file has: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
}
