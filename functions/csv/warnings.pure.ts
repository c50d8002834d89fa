import { encodingName, isUnicode } from './encoding/labels.pure.ts';

/** Lines that are named one by one; with the other warnings there are at most 20. */
const maxNamedLines = 13;

/** What was noticed while a file was read. */
export type Noticed = {
  /** A WHATWG label; undefined while it is not known. */
  encoding: string | undefined;
  /** A charset that was not believed. */
  sentAs: string | undefined;
  linesAbove: number;
  /** The line of a header that reads as a row; undefined: it reads as a header. */
  headlessLine: number | undefined;
  repairedLines: readonly number[];
  linesBelow: number;
  rowsLeftOut: number;
};

/** What was noticed, in sentences for the user, at most 19. */
export const warningsOf = (noticed: Noticed): string[] => [
  ...warnEncoding(noticed),
  ...warnLines(noticed.linesAbove, 'above the header', 'left out'),
  ...warnHeadless(noticed.headlessLine),
  ...warnRepairs(noticed.repairedLines),
  ...warnLines(noticed.linesBelow, 'below the table', 'not worked'),
  ...warnLeftOut(noticed.rowsLeftOut),
];

const warnLines = (count: number, where: string, what: string): string[] => {
  if (count === 0) return [];
  return [count === 1 ? `1 line ${where} was ${what}.` : `${count} lines ${where} were ${what}.`];
};

const warnHeadless = (line: number | undefined): string[] =>
  line === undefined
    ? []
    : [
        `Line ${line} looks like a row, not like a header, and is not worked: put a line with the names of the columns above it.`,
      ];

const warnLeftOut = (count: number): string[] => {
  if (count === 0) return [];
  const rows = count === 1 ? '1 empty row at the end was' : `${count} empty rows at the end were`;
  return [`${rows} left out.`];
};

function warnRepairs(lines: readonly number[]): string[] {
  const named = lines
    .slice(0, maxNamedLines)
    .map((line) => `Line ${line}: a quote inside a cell was read as text.`);
  const more = lines.length - named.length;
  const rest = more === 1 ? 'and 1 more line' : `and ${more} more lines`;
  return more === 0 ? named : [...named, `Quotes inside cells were read as text: ${rest}.`];
}

/** Unicode needs no word: a file that is read wrongly in it shows. */
function warnEncoding({ encoding, sentAs }: Noticed): string[] {
  if (encoding === undefined || (isUnicode(encoding) && sentAs === undefined)) return [];
  const but =
    sentAs === undefined ? '' : `, although it was sent as ${encodingName(sentAs.toLowerCase())}`;
  return [`The file was read as ${encodingName(encoding)}${but}.`];
}
