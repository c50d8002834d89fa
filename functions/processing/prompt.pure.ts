import { dataLine, longestCell } from './prompt-lines.pure.ts';
import { columnNames, foldName } from '../csv/columns.pure.ts';

/** Blanks are dealt with behind it: a pattern that looks for them takes time with the square of their number. */
const placeholder = /\{\{([^{}]*)\}\}/g;

/** The columns that a template names, in order of appearance. */
export const placeholdersOf = (template: string): string[] =>
  [...template.matchAll(placeholder)].map((match) => (match[1] ?? '').trim()).filter(Boolean);

/**
 * The placeholders that no column answers; letter case and outer blanks do not matter. Columns go by
 * the names of `columnNames`: `{{name_2}}` is the second `name`, `{{column_3}}` a third without a name.
 */
export function missingColumns(template: string, columns: readonly string[]): string[] {
  const known = new Set(columnNames(columns).map(foldName));
  return [...new Set(placeholdersOf(template))].filter((name) => !known.has(foldName(name)));
}

/** A template with `show` of each cell that it names; a cell that a short row does not have is empty. */
export function fillTemplate(
  template: string,
  header: readonly string[],
  row: readonly string[],
  show: (cell: string) => string,
): string {
  // Most prompts name no column, and this is done for every row.
  if (!template.includes('{{')) return template;
  const cells = new Map(columnNames(header).map((name, i) => [foldName(name), row[i] ?? '']));
  return template.replace(placeholder, (whole, name: string) =>
    name.trim() === '' ? whole : show(cells.get(foldName(name)) ?? ''),
  );
}

/** A prompt with its cells, in characters. */
export const longestTask = 9000;
const [opens, closes] = ['<cell>', '</cell>'];
const shortestCell = 8;

/**
 * A prompt with the cells of one row, which may be shorter than the header; at most 9,000 characters if the
 * prompt itself has no more. A cell comes as one line of at most 500, marked as data: `<cell>ACME</cell>`.
 * Many cells share what room there is; what finds none is left out.
 */
export function fillPrompt(
  prompt: string,
  header: readonly string[],
  row: readonly string[],
): string {
  let [count, bare] = [0, 0];
  for (const [whole, name = ''] of prompt.matchAll(placeholder))
    if (name.trim() !== '') [count, bare] = [count + 1, bare + whole.length];
  let room = longestTask - (prompt.length - bare);
  return fillTemplate(prompt, header, row, (cell) => {
    const longest = Math.floor(room / count) - opens.length - closes.length;
    count -= 1;
    const shown = longest < shortestCell ? '' : dataLine(cell, Math.min(longest, longestCell));
    if (shown === '') return '';
    const marked = opens + shown + closes;
    room -= marked.length;
    return marked;
  });
}
