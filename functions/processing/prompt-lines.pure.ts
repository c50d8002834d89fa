import { columnsNamed } from '../csv/columns.pure.ts';
import { isSalutation } from './blank-names.pure.ts';
import { isUnknown, saysNothing } from './blank-value.pure.ts';
import { columnsOf, type Role } from './header-roles.pure.ts';
import { cut, oneLine, withoutTags } from '../shared/text.pure.ts';

const longestName = 80;
export const longestCell = 500;
/** Of name and value, when a row has very many columns. */
const shortestPiece = 4;

/** What shows nothing, or turns what is shown around, and may yet be read: tag characters, marks of direction. */
const hidden = /[\u{e0000}-\u{e007f}\u202a-\u202e\u2066-\u2069]/gu;
/** How some models' turns begin and end, besides what begins with `<`. */
const turn = /\[(?=\s*\/?\s*inst\s*\])/gi;

/** Text as it may stand in a section of a prompt: it cannot open or close one, nor hide anything. */
export const asData = (text: string): string =>
  withoutTags(text).replace(hidden, '').replace(turn, '(');

/** A cell as it may stand in a prompt: one short line of data. */
export const dataLine = (cell: string, longest = longestCell): string =>
  asData(oneLine(cell, longest));

/** At most `longest` characters; what was cut says so. */
const piece = (text: string, longest: number): string =>
  text.length <= longest ? text : `${cut(text, longest - 1)}…`;

const ofPeople: ReadonlySet<Role> = new Set(['first', 'last', 'name']);
type IsBlank = (cell: string) => boolean;
/** An initial is no salutation. */
const isNoPerson: IsBlank = (cell) => saysNothing(cell) || (cell.length > 1 && isSalutation(cell));

const blanksOf = new WeakMap<readonly string[], IsBlank[]>();

/** What says nothing in each column of a header: `none` is no name, and yet an answer in other columns. */
function blanksIn(header: readonly string[]): IsBlank[] {
  const known = blanksOf.get(header);
  if (known) return known;
  const blanks = columnsOf(header).map(({ role, isPlain }) => {
    if (ofPeople.has(role)) return isNoPerson;
    return role === 'company' && isPlain ? saysNothing : isUnknown;
  });
  blanksOf.set(header, blanks);
  return blanks;
}

type Line = { name: string; value: string };

/** Values give way first, names once values are short. */
const shown = ({ name, value }: Line, longest: number): string =>
  `${piece(name, Math.min(longestName, longest * 2))}: ${piece(value, longest)}`;

const lengthOf = (lines: readonly Line[], longest: number): number =>
  lines.reduce((sum, line) => sum + shown(line, longest).length + 1, -1);

/**
 * A row as `column: value` lines within `longest` characters, cells that say nothing left out. Where they do not fit,
 * the longest cells are cut first, so that each column keeps a piece; only of more columns than there is
 * room for are the last ones left out. `columns`: those that are shown, by the names of `columnNames`; all by default.
 */
export function promptLines(
  header: readonly string[],
  row: readonly string[],
  { longest = Infinity, columns }: { longest?: number; columns?: readonly string[] | null } = {},
): string {
  const wanted = columns && columnsNamed(header, columns);
  const blanks = blanksIn(header);
  let lines = header.flatMap((name, i) => {
    const value = !wanted || wanted.has(i) ? dataLine(row[i] ?? '') : '';
    return value === '' || blanks[i]?.(value) ? [] : [{ name: dataLine(name, longestName), value }];
  });
  if (lengthOf(lines, longestCell) <= longest)
    return lines.map((line) => shown(line, longestCell)).join('\n');
  const most = Math.floor((longest + 1) / (shortestPiece * 3 + 3));
  if (lines.length > most && lengthOf(lines, shortestPiece) > longest) lines = lines.slice(0, most);
  let [fits, tooLong] = [shortestPiece, longestCell];
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (lengthOf(lines, middle) <= longest) fits = middle;
    else tooLong = middle;
  }
  return lines.map((line) => shown(line, fits)).join('\n');
}
