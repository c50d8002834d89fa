/**
 * How a cell begins that a spreadsheet may run: formula starters, control characters that hide one, and their
 * full-width twins. Source: owasp.org/www-community/attacks/CSV_Injection
 */
const starter = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * Signs and strokes alone, as mails have them between their parts. Behind `=` and signs of a number a formula can go on
 * in the next cell; behind another sign none can. A handle (`@name`) is told from a reference (`@A1`) by
 * `reference`.
 */
const signs = /^(?:[+-][+\-–—−./ ]*|[=+-][+\-–—−./ ]*[=*_~][=+\-*_~–—−./ ]*)$/;
const handle = /^@[\p{L}\p{N}_.]+$/u;
const reference = /(?:^@|\.)(?:[a-z]{1,3}\d{1,7}|r\d*c\d*)$/i;

const blank = String.raw`[ \u00a0\u2007\u2009\u202f]`;

/**
 * A signed number with what people write around it: a currency before or after, a unit, an extension of a
 * telephone number. No spreadsheet runs it: a word beside a number is a syntax error, and letters that touch
 * digits (`R$5`, `EUR5`: references) are not among it, nor is `:` (`-1:30` is a range of rows).
 */
const number = new RegExp(
  [
    String.raw`^[+-](?:\/?[+-])?${blank}*`,
    String.raw`(?:\p{Sc}${blank}*|\p{L}{1,3}[.\p{Sc}]?${blank}+(?=\p{Nd}))?`,
    String.raw`(?=[(.]*\p{Nd})[\p{Nd}().,/'’\-–—− \u00a0\u2007\u2009\u202f]+`,
    String.raw`(?:e[+-]?\d+)?`,
    String.raw`(?:[%‰]|°?\p{L}{0,12}[.²³]?|\p{L}{0,3}\p{Sc}|`,
    String.raw`(?:x|extn?\.?|extension|durchwahl|dw\.?|poste|anexo|ramal|interno?|int\.|доб\.?)${blank}*\d{1,8})$`,
  ].join(''),
  'iu',
);

/** What else is harmless is no longer; these patterns take time that grows with the square. */
const longestHarmless = 64;

const isHarmless = (text: string): boolean =>
  signs.test(text) ||
  (text.length <= longestHarmless &&
    (number.test(text) || (handle.test(text) && !reference.test(text))));

const mayRun = (text: string): boolean => starter.test(text) && !isHarmless(text);

/** Puts `'` before what a spreadsheet would run. */
export const neutralise = (cell: string): string => (mayRun(cell) ? `'${cell}` : cell);

/** What other readers split at, then what one of them may run; at a line end only what can be nothing else. */
const mayRunElsewhere = /[;|\t][ "]*[=+\-@＝＋－＠]|[\r\n][ "]*[=@＝＠]/;
const longestPiece = 200;
const pieceStart = /([;|\t\r\n][ "]*)(?=([=+\-@＝＋－＠][^;\t\r\n]{0,199}))/g;
/** Behind a sign in the middle of a text: a call, a command or another sheet. */
const runsInText = /^[=＝]|[\p{L}\p{N}_.]\(|[|!]/u;
const isSigns = (piece: string): boolean => piece.length < longestPiece && signs.test(piece);

/**
 * Puts `'` before what readers that split at `;`, `|` or TAB would run in the middle of a text: such a reader
 * knows none of our quotes. For texts of the web and of models; cells of the file stay as they came.
 */
export const guardText = (text: string): string =>
  text.replace(pieceStart, (gap: string, _start, piece: string) =>
    runsInText.test(piece) && !isSigns(piece) ? `${gap}'` : gap,
  );

const needsQuotesRaw = /[",\r\n]|^\s|\s$/;
const needsQuotes = /[",;|\t\r\n]|^\s|\s$/;
const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

/**
 * One RFC 4180 record with its line end; `raw` leaves formulas as they are. Where a piece of a cell may run for a
 * reader that splits elsewhere all cells are quoted: its line is then one cell, or the piece no formula.
 */
export function csvRecord(record: readonly string[], raw = false): string {
  const cells = raw ? record : record.map(neutralise);
  const needs = raw ? needsQuotesRaw : needsQuotes;
  const isAtRisk = !raw && cells.some((cell) => mayRunElsewhere.test(cell));
  const written = cells.map((cell) => (isAtRisk || needs.test(cell) ? quoted(cell) : cell));
  // A lone empty cell must not read as a blank line.
  return `${written.length === 1 && written[0] === '' ? '""' : written.join(',')}\r\n`;
}
