import { dataLine } from './prompt-lines.pure.ts';
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

/**
 * Fills a template from one row, which may be shorter than the header. A cell comes as one line of at
 * most 500 characters that cannot pose as a section of the prompt.
 */
export function fillPrompt(
  template: string,
  header: readonly string[],
  row: readonly string[],
): string {
  // Most prompts name no column, and this is done for every row.
  if (!template.includes('{{')) return template;
  const cells = new Map(columnNames(header).map((name, i) => [foldName(name), row[i] ?? '']));
  return template.replace(placeholder, (whole, name: string) =>
    name.trim() === '' ? whole : dataLine(cells.get(foldName(name)) ?? ''),
  );
}
