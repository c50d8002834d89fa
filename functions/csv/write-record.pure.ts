/**
 * How a cell begins that a spreadsheet may run: formula starters, control characters that hide one, and their
 * full-width twins. Source: owasp.org/www-community/attacks/CSV_Injection
 */
const starter = /^[=+\-@\t\r\n＝＋－＠]/;

/** Signs and strokes alone; a handle (`@name`) is told from a reference (`@A1`) by `reference`. */
const signs = /^[+-][+\-–—−./ ]*$/;
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

/** What is harmless is no longer; the patterns take time that grows with the square. */
const longestHarmless = 64;

const isHarmless = (text: string): boolean =>
  text.length <= longestHarmless &&
  (signs.test(text) || number.test(text) || (handle.test(text) && !reference.test(text)));

const mayRun = (text: string): boolean => starter.test(text) && !isHarmless(text);

/** Puts `'` before what a spreadsheet would run. */
export const neutralise = (cell: string): string => (mayRun(cell) ? `'${cell}` : cell);

const needsQuotesRaw = /[",\r\n]|^\s|\s$/;
const needsQuotes = /[",;|\t\r\n]|^\s|\s$/;
/** How a piece begins that may run, after blanks and quotes; a TAB among these is a beginning of its own. */
const pieceStarter = /^[ "]*\t|^[\s"]*[=+\-@＝＋－＠]/;
const blankPiece = /^[\s"]*$/;
const separators = /[;|\t\r\n]/;

/** What readers split at that do not split at `,`; each splits at line ends, too. */
const otherReaders = [
  { own: /;/, end: /[;\r\n]/ },
  { own: /\|/, end: /[|\r\n]/ },
  { own: /\t/, end: /[\t\r\n]/ },
  // All those whose delimiter the record does not hold.
  { own: /[\r\n]/, end: /[\r\n]/ },
];

/** A line within a text that begins with a sign is mostly a list's: marked is what calls, or names another sheet. */
const runsInText = /^[=＝]|[\p{L}\p{N}_.]\(|!['"$\p{L}\p{N}]/u;
/** What the next cell's quote would be an operand of. */
const isUnfinished = /[-+*/^<>,&=]\s*$/;

/**
 * Guards a record against a reader that splits at `;`, `|` or TAB. Quotes in the middle of a line mean nothing to
 * it, so where a piece of a cell may run, every cell is to be quoted: then the line is one cell to it, or the
 * piece has a quote too many to be a formula. A piece that ends before the record does (it would be whole), or
 * follows a place where such a reader takes a quote for a closing one, gets a `'` before it.
 */
function guardPieces(record: readonly string[]): { cells: string[]; isAtRisk: boolean } {
  const marks = record.map(() => new Set<number>());
  let isAtRisk = false;
  for (const { own, end } of otherReaders) {
    if (!record.some((cell) => own.test(cell))) continue;
    const last = record.findLastIndex((cell) => end.test(cell));
    let isLoose = false;
    for (const [c, cell] of record.slice(0, last + 1).entries()) {
      if (!end.test(cell)) continue;
      const pieces = cell.split(end);
      let at = 0;
      for (const [p, piece] of pieces.entries()) {
        const isLast = p === pieces.length - 1;
        // What follows the last piece is not known: how it begins must do.
        if (p > 0 && (pieceStarter.test(piece) || (isLast && blankPiece.test(piece)))) {
          isAtRisk = true;
          const isLine = /[\r\n]/.test(cell.charAt(at - 1));
          if (isLoose || ((!isLast || c < last) && mayRunThere(piece, { isLine, isLast })))
            marks[c]?.add(at);
        }
        if (!isLast && !(piece === '' && p > 0)) isLoose ||= endsLoose(piece, p === 0);
        at += piece.length + 1;
      }
    }
  }
  const cells = record.map((cell, c) => withMarks(cell, marks[c] ?? new Set()));
  return { cells, isAtRisk };
}

function mayRunThere(piece: string, { isLine, isLast }: { isLine: boolean; isLast: boolean }) {
  const bare = piece.replace(/^[\s"]+/, '');
  const isProse = isLine && !runsInText.test(bare);
  return isLast ? !isProse || isUnfinished.test(bare) : !isProse && !isHarmless(bare);
}

/** After the cell's own quote, or one in it, an end is one to readers that know quotes, too. */
function endsLoose(piece: string, isFirst: boolean): boolean {
  const trimmed = piece.trimEnd();
  return trimmed.endsWith('"') || (isFirst && trimmed === '');
}

function withMarks(cell: string, places: ReadonlySet<number>): string {
  let [text, from] = ['', 0];
  for (const at of [...places].toSorted((a, b) => a - b)) {
    text += `${cell.slice(from, at)}'`;
    from = at;
  }
  return text + cell.slice(from);
}

const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

/** One RFC 4180 record with its line end; `raw` leaves formulas as they are. */
export function csvRecord(record: readonly string[], raw = false): string {
  const neutral = raw ? record : record.map(neutralise);
  const { cells, isAtRisk } =
    !raw && neutral.some((cell) => separators.test(cell))
      ? guardPieces(neutral)
      : { cells: neutral, isAtRisk: false };
  const needs = raw ? needsQuotesRaw : needsQuotes;
  const written = cells.map((cell) => (isAtRisk || needs.test(cell) ? quoted(cell) : cell));
  // A lone empty cell must not read as a blank line.
  return `${written.length === 1 && written[0] === '' ? '""' : written.join(',')}\r\n`;
}
