import { columnsNamed } from '../csv/columns.pure.ts';
import type { Findings } from '../providers/research.ts';
import { isSalutation } from './blank-names.pure.ts';
import { saysNothing } from './blank-value.pure.ts';
import type { Brief, RowPlan } from './processor.ts';
import { placeholdersOf } from './prompt.pure.ts';
import { planResearch } from './search-query.pure.ts';

export const nothingToGoBy =
  'The row has nothing to go by: its cells are empty or placeholders such as N/A';
const nothingWasFound = 'no research found';

/** What is searched for; a job without research has nothing to say about it. */
export function planQuery(
  { header, options: { research } }: Brief,
  row: readonly string[],
): Pick<RowPlan, 'query' | 'note'> {
  return research === false ? { query: undefined } : planResearch(header, research).query(row);
}

export const researchColumns = ({ header, options }: Brief): string[] =>
  planResearch(header, options.research).columns;

/** Whether a cell that the model sees says anything; a salutation does not. */
export function hasContent({ header, columns, prompt }: Brief, row: readonly string[]): boolean {
  const shown = columns && columnsNamed(header, [...columns, ...placeholdersOf(prompt)]);
  return row.some(
    (cell, i) => (!shown || shown.has(i)) && !saysNothing(cell) && !isSalutation(cell),
  );
}

/** What is to be known of a row's research; undefined: nothing. */
export function researchNote(
  { query, note }: Pick<RowPlan, 'query' | 'note'>,
  { summary }: Findings,
): string | undefined {
  if (query) return summary === '' ? nothingWasFound : undefined;
  return note === undefined ? undefined : `${nothingWasFound}: ${note}`;
}
