import { DomainError } from '../errors.ts';

export const defaultPrompt = [
  'Write a short, friendly business e-mail (at most 120 words) to this lead.',
  'Open with one concrete fact from the research that shows we know their business,',
  'say in one sentence how saving hours of manual work would help them,',
  'and end with one easy question. No subject line, no placeholders, no markdown.',
].join(' ');

const placeholder = /\{\{\s*([^{}]+?)\s*\}\}/g;

const fold = (name: string): string => name.trim().toLowerCase();

/** The columns that a template names, in order of appearance. */
export const placeholdersOf = (template: string): string[] =>
  [...template.matchAll(placeholder)].map((match) => match[1] ?? '');

/** The placeholders that no column answers; letter case and outer blanks do not matter. */
export function missingColumns(template: string, columns: readonly string[]): string[] {
  const known = new Set(columns.map(fold));
  return [...new Set(placeholdersOf(template))].filter((name) => !known.has(fold(name)));
}

/** Throws `invalid_request` when the template names columns that the caller says are not there. */
export function checkPrompt(template: string, columns: readonly string[] | undefined): void {
  if (!columns) return;
  const missing = missingColumns(template, columns);
  if (missing.length > 0)
    throw new DomainError(
      'invalid_request',
      'The prompt names columns that the file does not have.',
      {
        extra: {
          errors: missing.map((name) => ({ field: 'prompt', message: `no column "${name}"` })),
        },
      },
    );
}

/** Fills a template from one row; the first of columns that share a name counts. */
export function fillPrompt(
  template: string,
  header: readonly string[],
  row: readonly string[],
): string {
  const cells = new Map<string, string>();
  for (const [i, name] of header.entries())
    if (!cells.has(fold(name))) cells.set(fold(name), row[i] ?? '');
  return template.replace(placeholder, (_, name: string) => cells.get(fold(name)) ?? '');
}
