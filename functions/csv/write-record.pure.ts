/**
 * A cell that a spreadsheet would run: formula starters, control characters that hide one, and their
 * full-width twins. Source: owasp.org/www-community/attacks/CSV_Injection
 */
const formula = /^[=+\-@\t\r\n＝＋－＠]/;

/** Signed numbers, percentages and phone numbers: digits and their punctuation cannot do anything. */
const harmless = /^[+-][\d\s().,/:\u00a0-]*\d[\d\s().,/:\u00a0-]*(?:[eE][+-]?\d+)?\s*%?$/;

/** A number or a telephone number is no longer; the pattern takes time that grows with the square. */
const longestHarmless = 64;

const needsQuotes = /[",\r\n]|^\s|\s$/;

/** Puts `'` before what a spreadsheet would run. */
export const neutralise = (cell: string): string =>
  formula.test(cell) && !(cell.length <= longestHarmless && harmless.test(cell))
    ? `'${cell}`
    : cell;

/** One RFC 4180 record with its line end; `raw` leaves formulas as they are. */
export function csvRecord(cells: readonly string[], raw = false): string {
  const written = cells.map((cell) => {
    const safe = raw ? cell : neutralise(cell);
    return needsQuotes.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  // A lone empty cell must not read as a blank line.
  return `${written.length === 1 && written[0] === '' ? '""' : written.join(',')}\r\n`;
}
