import { foldName } from '../csv/columns.pure.ts';
import { researchColumns, rowMarks } from '../csv/own-columns.pure.ts';
import { placeholdersOf } from '../processing/prompt.pure.ts';
import { hasContent } from '../processing/row-research.pure.ts';
import type { Brief, RowPlan, RowProcessor } from '../processing/processor.ts';
import { oneLine } from '../shared/text.pure.ts';
import type { JobRow } from './job-row.ts';

/** What is looked at before a run. */
export type Seen = {
  job: Pick<JobRow, 'warnings' | 'rows_duplicate' | 'skips_duplicates'>;
  brief: Brief;
  processor: RowProcessor;
  /** The first rows that are not skipped, and a plan of each. */
  rows: readonly (readonly string[])[];
  plans: readonly RowPlan[];
  /** Rows that were sampled by other settings or for another profile. */
  staleRows: number;
  /** Rows that a start would work. */
  toWork: number;
  creditsPerRow: number;
  /** Null: nothing is charged. */
  balance: number | null;
};

const counted = (count: number, one: string, more: string): string =>
  count === 1 ? `1 ${one}` : `${count} ${more}`;

/** What its user should know before a run, in sentences: what was noticed in the file, then what is missing. */
export const previewWarnings = (seen: Seen): string[] => [
  ...seen.job.warnings,
  ...warnSender(seen),
  ...warnOwnColumns(seen),
  ...warnTemplate(seen),
  ...warnRows(seen),
  ...warnStale(seen),
  ...warnDuplicates(seen.job),
  ...warnBalance(seen),
];

function warnSender({ brief, processor }: Seen): string[] {
  if (processor.name !== 'research_email') return [];
  const { name, company, offer } = brief.sender ?? {};
  if (name || company || offer) return [];
  const warnings = [
    'There is no sender profile: the e-mails are written in nobody’s name and for no offer. Set it with PUT /v1/me/sender.',
  ];
  const namesNone = placeholdersOf(brief.prompt).length === 0;
  if (namesNone && brief.prompt !== processor.defaultPrompt)
    warnings.push('The prompt names no column: what it asks for is the same for every row.');
  return warnings;
}

/** Columns that the reader did not take for those of an earlier result, since they stand elsewhere. */
function warnOwnColumns({ brief, processor }: Seen): string[] {
  const own = new Set(
    [...researchColumns, ...processor.outputColumns(brief.options), ...rowMarks].map(foldName),
  );
  const alike = brief.header.filter((name) => own.has(foldName(name)));
  if (alike.length === 0) return [];
  const names = alike.map((name) => oneLine(name, 40)).join(', ');
  return [`The file has columns named like those of a result, which are kept: ${names}.`];
}

function warnTemplate({ brief, processor }: Seen): string[] {
  const { research } = brief.options;
  if (!research || !processor.searches(brief.options)) return [];
  return placeholdersOf(research.query).length > 0
    ? []
    : ['`research.query` names no column: the search is the same for every row.'];
}

/** What the first rows lack: all that they could be worked by, or only what could be searched for. */
function warnRows({ brief, processor, rows, plans }: Seen): string[] {
  const searches = processor.searches(brief.options);
  const unsearched = plans.flatMap((plan, i) => (plan.query ? [] : [{ plan, row: rows[i] ?? [] }]));
  const barren = unsearched.filter(({ row }) => !hasContent(brief, row)).length;
  const without = searches ? unsearched.filter(({ row }) => hasContent(brief, row)) : [];
  const of = `Of the first ${counted(plans.length, 'row', 'rows')}`;
  const warnings: string[] = [];
  if (barren > 0) {
    const have = barren === 1 ? 'has nothing to go by: its' : 'have nothing to go by: their';
    warnings.push(`${of} ${barren} ${have} cells are empty or placeholders such as N/A.`);
  }
  if (without.length > 0) {
    const notes = [...new Set(without.flatMap(({ plan }) => plan.note ?? []))].slice(0, 2);
    const why = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
    const has = without.length === 1 ? 'has' : 'have';
    warnings.push(`${of} ${without.length} ${has} nothing to search for${why}.`);
  }
  return warnings;
}

function warnStale({ staleRows: count }: Seen): string[] {
  if (count === 0) return [];
  const [rows, them] =
    count === 1
      ? ['1 sampled row keeps what it has', 'it']
      : [`${count} sampled rows keep what they have`, 'them'];
  return [`${rows} of earlier settings: sample ${them} again to redo ${them}.`];
}

function warnDuplicates({ rows_duplicate: count, skips_duplicates: skips }: Seen['job']): string[] {
  if (count === 0) return [];
  const same = `${counted(count, 'row is', 'rows are')} the same as an earlier one`;
  const they = count === 1 ? 'it is' : 'they are';
  return [
    skips
      ? `${same}: ${they} not worked and cost nothing.`
      : `${same}: ${they} worked and charged too, unless the job has duplicates: "skip".`,
  ];
}

function warnBalance({ toWork, creditsPerRow, balance }: Seen): string[] {
  if (balance === null || toWork * creditsPerRow <= balance) return [];
  const covered = Math.floor(balance / creditsPerRow);
  return [
    `The balance of ${counted(balance, 'credit', 'credits')} covers ${covered} of ${counted(toWork, 'row', 'rows')}.`,
  ];
}
