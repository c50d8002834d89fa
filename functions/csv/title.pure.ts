import { contentOf, isFilled } from './cells.pure.ts';
import { isColumnName, isData, namesOf } from './column-words.pure.ts';
import { foldName } from './columns.pure.ts';

/** Lines of a title, and records that are looked at. */
const [maxTitles, sampleRecords] = [12, 50];

const filledOf = (cells: readonly string[]): number => cells.filter(isFilled).length;

/** A line that may be the header, the ones above and the rows below it. */
type Candidate = {
  header: readonly string[];
  above: readonly (readonly string[])[];
  rows: readonly (readonly string[])[];
  /** A blank line, or one of delimiters alone, stands right above it. */
  isBelowGap: boolean;
};

/**
 * Where the header is among a file's first records, blank lines included; -1 if none has content. Above
 * it may stand lines of a title: records of one cell, or clearly fewer than the table's, over lines that
 * agree on a larger width. In doubt it is the first line: then no lead is taken for the header.
 */
export function headerIndex(records: readonly string[][]): number {
  const lines = [...records.entries()]
    .filter(([, cells]) => contentOf(cells) !== 'none')
    .slice(0, sampleRecords)
    .map(([at, cells]) => ({ at, cells }));
  const first = lines[0]?.at ?? -1;
  for (let titles = 1; titles <= maxTitles; titles += 1) {
    const header = lines[titles];
    if (!header) return first;
    const candidate = {
      header: header.cells,
      above: lines.slice(0, titles).map(({ cells }) => cells),
      rows: lines.slice(titles + 1).map(({ cells }) => cells),
      isBelowGap: header.at > (lines[titles - 1]?.at ?? 0) + 1,
    };
    if (isTable(candidate) && areTitles(candidate)) return header.at;
  }
  return first;
}

const readsAsNames = (cells: readonly string[]): boolean => {
  const names = namesOf(cells);
  return names >= 2 && names * 2 >= filledOf(cells);
};

/** Whether all lines above can be a title. */
function areTitles(candidate: Candidate): boolean {
  const { header, above, rows } = candidate;
  // Of rows that read as names too none can be told from the header.
  const isNamed = readsAsNames(header) && !rows.some(readsAsNames);
  const areNames = isNamed && namesOf(header) === filledOf(header);
  // Without rows a line is the header only if it reads as nothing else.
  if (rows.length === 0)
    return isNamed && header.length > 2 && above.every((cells) => filledOf(cells) === 1);
  return above.every((cells) => {
    const filled = filledOf(cells);
    if (filled >= header.length) return false;
    if (areNames) return true;
    if (filled === 1) return isNamed || isLoneTitle(cells, candidate);
    if (namesOf(cells) > 0) return false;
    return isNamed || (candidate.isBelowGap && isReportLine(cells));
  });
}

/** Whether the only cell of a line is a title, and not the only name in a header. */
function isLoneTitle(cells: readonly string[], candidate: Candidate): boolean {
  const text = cells.find(isFilled)?.trim() ?? '';
  if (isColumnName(text)) return false;
  const isText = /\s/.test(text);
  if (candidate.isBelowGap) return isText || namesOf(candidate.header) > 0 || isOverData(candidate);
  return isText && candidate.header.length > 2 && isOverData(candidate);
}

/** Whether a column below has numbers, addresses or sites throughout and the header a word. */
function isOverData({ header, rows }: Candidate): boolean {
  if (rows.length < 3) return false;
  return header.some((name, i) => {
    const isWord = /\p{L}/u.test(name) && !/^(?:n\/?a|none|null|unknown|tbd)$/i.test(name.trim());
    return isWord && rows.every((cells) => isData(cells[i] ?? ''));
  });
}

/** What a report says of itself over two or more cells: `Date:,2026-11-01`. */
function isReportLine(cells: readonly string[]): boolean {
  const [first = '', second = '', ...more] = cells.filter(isFilled).map((cell) => cell.trim());
  return cells.some(isData) || (more.length === 0 && first.endsWith(':') && !second.endsWith(':'));
}

/** Whether `header` can name columns in which the rows below, most as wide, have their cells. */
function isTable({ header, above, rows, isBelowGap }: Candidate): boolean {
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
