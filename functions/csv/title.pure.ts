import { contentOf, isFilled } from './cells.pure.ts';
import { foldName } from './columns.pure.ts';

/** Lines of a title, and records that are looked at. */
const [maxTitles, sampleRecords] = [12, 50];

const [email, url, year] = [/\S@\S+\.\S/, /^(?:https?:\/\/|www\.)/i, /^(?:19|20)\d\d$/];
const yearWithin = /\b(?:19|20)\d\d\b/;

/** What stands in rows and not in a header; years do, in reports. */
function isData(cell: string): boolean {
  const text = cell.trim();
  if (year.test(text) || text.length > 200) return text.length > 200;
  return email.test(text) || url.test(text) || (/\d/.test(text) && !/\p{L}/u.test(text));
}

const filledOf = (cells: readonly string[]): number => cells.filter(isFilled).length;

/**
 * Where the header is among a file's first records, blank lines included; -1 if none has content. Above
 * it may stand lines of a title: records of one cell, or clearly fewer than the table's, over lines that
 * agree on a larger width, the first of which reads as a header.
 */
export function headerIndex(records: readonly string[][]): number {
  const lines = [...records.entries()]
    .filter(([, cells]) => contentOf(cells) !== 'none')
    .slice(0, sampleRecords)
    .map(([at, cells]) => ({ at, cells }));
  const first = lines[0]?.at ?? -1;
  for (let titles = 1; titles <= maxTitles; titles += 1) {
    const header = lines[titles];
    const rows = lines.slice(titles + 1).map(({ cells }) => cells);
    if (!header || rows.length === 0) return first;
    const above = lines.slice(0, titles).map(({ cells }) => cells);
    const isBelowGap = header.at > (lines[titles - 1]?.at ?? 0) + 1;
    if (
      above.every((_, i) => isTitle(above.slice(0, i + 1), header.cells.length)) &&
      isTableBelow(header.cells, rows, above, isBelowGap) &&
      !isOddHeader(above, header.cells, isBelowGap)
    )
      return header.at;
  }
  return first;
}

/** Whether the last of these can stand above a table of this width; the ones before it do. */
function isTitle(above: readonly string[][], width: number): boolean {
  const cells = above.at(-1) ?? [];
  const [first = ''] = cells;
  const filled = filledOf(cells);
  // A few columns may have a header of one name: pandas leaves the index without.
  if (filled === 1) return width > 3 || (width > 1 && isFilled(first));
  if (!isFilled(first) || filled >= width) return false;
  // A report's line names what it states, or is dated.
  const isStated = (cell: string): boolean => isData(cell) || yearWithin.test(cell);
  if (first.trim().endsWith(':') || cells.some(isStated)) return true;
  return above.length > 1 && filled * 2 <= width;
}

/** Whether `header` names columns in which the rows below, most as wide, have their cells. */
function isTableBelow(
  header: readonly string[],
  rows: readonly string[][],
  above: readonly string[][],
  isBelowGap: boolean,
): boolean {
  const filled = filledOf(header);
  const isNarrowAbove = above.every((cells) => filledOf(cells) === 1);
  if (filled < 2 || (!isNarrowAbove && filled < header.length)) return false;
  const agreeing = rows.filter((cells) => cells.length === header.length).length;
  if (agreeing * 2 < rows.length || header.some(isData)) return false;
  const names = header.map(foldName);
  const own = names.filter((name) => name !== '');
  if (new Set(own).size * 4 < own.length * 3) return false;
  // What recurs in its column is a value; behind a gap it may be the header of another page.
  return (
    isBelowGap ||
    !rows.some((cells) => names.some((name, i) => name !== '' && name === foldName(cells[i] ?? '')))
  );
}

/** A header of few columns of which only the first has a name: one word, and rows right below it. */
function isOddHeader(
  above: readonly string[][],
  { length: width }: readonly string[],
  isBelowGap: boolean,
): boolean {
  const [first = [], ...more] = above;
  const isWord = !/[\s\d]/.test(first[0]?.trim() ?? '');
  return more.length === 0 && first.length === width && width < 4 && isWord && !isBelowGap;
}
