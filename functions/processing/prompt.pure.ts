import { dataLine } from './prompt-lines.pure.ts';
import { DomainError } from '../errors.ts';
import { columnNames, foldName, mayStillAppear } from '../csv/columns.pure.ts';

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
 * Throws `invalid_request` when the template names columns that the caller says are not there. A
 * `column_N` past them is left to the upload: only its rows show whether there is one.
 */
export function checkPrompt(template: string, columns: readonly string[] | undefined): void {
  if (!columns) return;
  const missing = missingColumns(template, columns).filter(
    (name) => !mayStillAppear(name, columns.length),
  );
  if (missing.length > 0)
    throw new DomainError(
      'invalid_request',
      'The prompt names columns that are not among `columns`, which are all that the model is to see.',
      {
        extra: {
          errors: missing.map((name) => ({ field: 'prompt', message: `no column "${name}"` })),
        },
      },
    );
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
