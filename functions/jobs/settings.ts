import { DomainError } from '../errors.ts';
import { columnNames, foldName, mayStillAppear } from '../csv/columns.pure.ts';
import { rowMarks } from '../csv/own-columns.pure.ts';
import { processors } from '../processing/processors.ts';
import { missingColumns, placeholdersOf } from '../processing/prompt.pure.ts';
import { notifyUrlProblem } from '../notifications/notify-url.pure.ts';
import type { JobOptions, OutputField } from '../processing/job-options.ts';

/** What a job is asked to do with every row. */
export type JobSettings = {
  processor: string;
  prompt: string;
  /** Those that the model sees; null: all. */
  columns: readonly string[] | null;
  options: JobOptions;
};

/** What is wrong with a setting, in words that go on from its name. */
export type SettingError = { field: string; message: string };

/** Of all outputs together, in characters: every row's prompt has them. */
const longestOutputs = 8000;

/**
 * What can be said without the file: where `columns` are given, the prompt names no others. `localHosts`: those
 * that `notifyUrl` may name though they are private.
 */
export function settingsErrors(
  { processor, prompt, columns, options }: JobSettings,
  localHosts: readonly string[] = [],
): SettingError[] {
  const { outputs, research, notifyUrl } = options;
  if (!processors.has(processor))
    return [{ field: 'processor', message: `must be one of ${[...processors.keys()].join(', ')}` }];
  const isOwn = processor === 'columns';
  const errors: SettingError[] = [];
  if (columns?.some((name) => foldName(name) === ''))
    errors.push({ field: 'columns', message: 'one of the names is empty' });
  const problem = notifyUrl === undefined ? undefined : notifyUrlProblem(notifyUrl, localHosts);
  if (problem !== undefined) errors.push({ field: 'notifyUrl', message: problem });
  if (columns)
    for (const name of missingColumns(prompt, columns))
      if (!mayStillAppear(name, columns.length))
        errors.push({ field: 'prompt', message: `no column "${name}" among \`columns\`` });
  if (isOwn && !outputs)
    errors.push({ field: 'outputs', message: 'needed by the processor `columns`' });
  if (!isOwn && outputs)
    errors.push({ field: 'outputs', message: 'only for the processor `columns`' });
  if (processor === 'classify' && research)
    errors.push({ field: 'research', message: '`classify` searches for nothing' });
  const braces = research ? bracesError(research.query) : undefined;
  if (braces !== undefined) errors.push({ field: 'research.query', message: braces });
  return [...errors, ...outputErrors(outputs ?? [])];
}

/** What is wrong with a query's braces: a slip in them would be searched for as it stands, in every row. */
function bracesError(query: string): string | undefined {
  const pairs = /\{\{[^{}]*\}\}/g;
  if (/\{\{|\}\}/.test(query.replaceAll(pairs, ' '))) return 'has {{ or }} without its other half';
  const isNamed = placeholdersOf(query).length === (query.match(pairs) ?? []).length;
  return isNamed ? undefined : 'has braces without a column between them';
}

function outputErrors(outputs: readonly OutputField[]): SettingError[] {
  const errors: SettingError[] = [];
  const seen = new Set<string>();
  for (const [i, output] of outputs.entries()) {
    const field = `outputs.${i}`;
    const name = foldName(output.name);
    if (seen.has(name))
      errors.push({
        field: `${field}.name`,
        message: `there are two outputs named "${output.name}"`,
      });
    else if (rowMarks.some((mark) => mark === name))
      errors.push({
        field: `${field}.name`,
        message: `"${output.name}" is a column of every result`,
      });
    seen.add(name);
    const [column] = placeholdersOf(output.description);
    if (column !== undefined)
      errors.push({
        field: `${field}.description`,
        message: `{{${column}}} can stand in the prompt only; the model sees the row in any case`,
      });
    const message = choicesError(output);
    if (message !== undefined) errors.push({ field: `${field}.choices`, message });
  }
  const texts = outputs.flatMap(({ name, description, choices = [] }) => [
    name,
    description,
    ...choices,
  ]);
  if (texts.join('').length > longestOutputs)
    errors.push({ field: 'outputs', message: 'longer than 8,000 characters in all' });
  return errors;
}

function choicesError({ type, choices }: OutputField): string | undefined {
  if (type !== 'choice') return choices && 'only for a `choice`';
  if (!choices) return 'needed by a `choice`';
  const seen = new Set<string>();
  for (const choice of choices) {
    if (seen.has(foldName(choice))) return `"${choice}" is there twice`;
    seen.add(foldName(choice));
  }
  return undefined;
}

/** Whose such a column is cannot be told where an earlier result has other outputs as well: none is dropped. */
const ifOurs =
  'name the output otherwise or, if an earlier result has added it, upload the file without it';

/**
 * What does not agree with the columns of a file. `isComplete`: no row is longer than the header, which would add
 * columns named `column_N`.
 */
export function columnErrors(
  { prompt, columns, options }: JobSettings,
  header: readonly string[],
  isComplete: boolean,
): SettingError[] {
  const names = new Set(columnNames(header).map(foldName));
  const known = (name: string): boolean =>
    names.has(foldName(name)) || (!isComplete && mayStillAppear(name, header.length));
  const unknown = (field: string, found: readonly string[]): SettingError[] =>
    found.filter((name) => !known(name)).map((name) => ({ field, message: `no column "${name}"` }));
  const query = options.research === false ? undefined : options.research?.query;
  return [
    ...unknown('columns', columns ?? []),
    ...unknown('prompt', missingColumns(prompt, header)),
    ...unknown('research.query', query === undefined ? [] : missingColumns(query, header)),
    ...(options.outputs ?? []).flatMap(({ name }, i) =>
      names.has(foldName(name))
        ? [
            {
              field: `outputs.${i}.name`,
              message: `the file has a column "${name}" already: ${ifOurs}`,
            },
          ]
        : [],
    ),
  ];
}

/** Settings that contradict each other, or the file. */
export const unfitSettings = (errors: readonly SettingError[]): DomainError =>
  new DomainError(
    'invalid_request',
    errors.map(({ field, message }) => `${field}: ${message}`).join('; '),
    {
      extra: { errors },
    },
  );
