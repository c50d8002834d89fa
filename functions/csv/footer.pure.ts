import { isFilled, isNumber } from './cells.pure.ts';

const patterns = (...sources: string[]): RegExp[] =>
  sources.map((source) => new RegExp(`^(?:${source})$`, 'iu'));

const count = String.raw`\d[\d.,]*`;
const records = '(?:records?|rows?|datensätze|zeilen|enregistrements|registros|filas|righe|linhas)';
const done = '(?:affected|selected|exported|returned|in set)';
const date = String.raw`(?:\d{1,4}[-./]\d{1,2}[-./]\d{2,4}|\d:\d\d|\b(?:19|20)\d\d\b)`;
const made =
  '(?:generated|exported|printed|created|erstellt|exportiert|gedruckt|généré|exporté|imprimé|generado|exportado|impreso|generato|esportato|stampato|gerado)';

/** What database clients write right below a table. */
const counts = patterns(
  String.raw`\(${count} ${records}(?: ${done})?\)`,
  String.raw`${count} ${records} ${done}.{0,40}`,
);

/** What reports write below a table, and no lead has for its name. */
const phrases = [
  ...counts,
  ...patterns(
    String.raw`(?:copyright|©|\(c\)).{0,20}\b(?:19|20)\d\d\b.*`,
    String.raw`all rights reserved\.|alle rechte vorbehalten\.|tous droits réservés\.`,
    String.raw`(?:confidential information|vertrauliche informationen|informations? confidentielles?|información confidencial|informazioni riservate|informações confidenciais|vertrouwelijke informatie)\s*[-–—:].*`,
    String.raw`(?:report )?${made}(?!\p{L})(?:.{0,30}:| .*${date}).*`,
    String.raw`(?:page|seite|página|pagina)\s+\d+\s*(?:of|von|sur|de|di|van|\/)\s*\d+`,
    String.raw`(?:total |number of )?(?:records?|rows?|contacts?|leads?)(?: count)?\s*:\s*${count}`,
    String.raw`${count} rows`,
    String.raw`(?:sources?|quellen?|fuentes?|fonti?)\s*:.+`,
    // A note to a cell.
    String.raw`\*.{60,}`,
  ),
];

/** Words of a sum. Nobody is called these; Total, Suma and others like them are companies. */
const totals = patterns(
  String.raw`(?:grand |sub)?[\s-]?totals?\s*\(${count} ${records}\)\s*:?`,
  String.raw`(?:grand[\s-]?totals?|sub[\s-]?totals?|totals|(?:zwischen|gesamt)summe|insgesamt|total général|total general|итого|合計|総計|合计|总计)\s*:?`,
  String.raw`(?:total|summe|gesamt|totale|totaal|suma)\s*:`,
);

/** How somebody is reached: whoever has it is a lead. */
const contact = patterns(
  String.raw`.*\S@\S+\.\S.*`,
  String.raw`(?:https?:\/\/|www\.).*|(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}(?:\/\S*)?`,
  String.raw`[+(]{0,2}\d[\d\s()./-]{5,}`,
);

const matches = (text: string, known: readonly RegExp[]): boolean =>
  known.some((pattern) => pattern.test(text));

const textOf = (cell: string): string => cell.trim().slice(0, 200).replaceAll(/\s+/g, ' ');

/** A count of rows, which may stand right below them. */
export const isRowCount = (cell: string): boolean =>
  cell.length <= 200 && matches(textOf(cell), counts);

const isTotalText = (text: string): boolean => text.length <= 60 && matches(text, totals);

/** A line of sums: the word, then nothing but numbers. */
export const isTotalLine = ([first = '', ...others]: readonly string[]): boolean =>
  isTotalText(textOf(first)) && others.every((cell) => !isFilled(cell) || isNumber(cell));

/**
 * Which of the lines that stand together below a table are no rows: those with words of a footer; above
 * and below them one other each (a report's name, an organisation's), if it is a lone cell, as reports
 * write it. None if somebody among them can be reached.
 */
export function footerLines(lines: readonly (readonly string[])[]): boolean[] {
  const texts = lines.map(([first = '']) => textOf(first));
  const isKnown = texts.map((text) => isTotalText(text) || matches(text, phrases));
  const others = texts.flatMap((text, i) => (isKnown[i] ? [] : [{ text, i }]));
  if (others.some(({ text }) => matches(text, contact))) return texts.map(() => false);
  const areNames =
    others.length * 2 < texts.length &&
    others.every(({ i }) => (i === 0 || i === lines.length - 1) && lines[i]?.length === 1);
  return isKnown.map((known) => known || areNames);
}
