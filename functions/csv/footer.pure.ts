import { isFilled, isNumber } from './cells.pure.ts';

/** What reports and database clients write below a table, and no lead has for its only cell. */
const phrases = [
  /^(?:copyright\b|©|\(c\)\s*(?:19|20)\d\d)/i,
  /\ball rights reserved\b/i,
  /^confidential(?:\s+information)?\s+-\s+do not distribute/i,
  /^(?:report\s+)?(?:generated|exported|printed)\s+(?:by|on|at|from)\b/i,
  /^(?:erstellt|exportiert)\s+(?:von|am)\b/i,
  /^\(?\d[\d.,]*\s+(?:records?|rows?)(?:\s+(?:affected|selected|exported|returned))?\)?\.?$/i,
  /^page\s+\d+\s+of\s+\d+$/i,
];

/** The words that begin a line of sums, with the number of records that reports add. */
const total =
  /^(?:(?:grand|sub)[\s-]?)?totals?\s*(?:\(\d[\d.,]*\s+(?:records?|rows?)\))?:?$|^(?:summe|gesamt(?:summe)?|insgesamt|total général|total general|totale|totaal|suma|итого|合計|総計|合计|总计):?$/i;

/** Words of a known footer, or of a sum. */
export function isFooterText(cell: string): boolean {
  const text = cell.trim().slice(0, 200);
  return isTotalText(text) || phrases.some((phrase) => phrase.test(text));
}

const isTotalText = (text: string): boolean => text.length <= 60 && total.test(text);

/** A line of sums: the word, then nothing but numbers. A company may be called Total: it has more. */
export function isTotalLine([first = '', ...others]: readonly string[]): boolean {
  return isTotalText(first.trim()) && others.every((cell) => !isFilled(cell) || isNumber(cell));
}
