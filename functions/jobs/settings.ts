import { DomainError } from '../errors.ts';
import { columnNames, foldName, mayStillAppear } from '../csv/columns.pure.ts';
import { processors } from '../processing/processors.ts';
import { missingColumns } from '../processing/prompt.pure.ts';
import type { JobOptions } from '../processing/job-options.ts';

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

/** Columns that stand behind those of every processor. */
export const rowMarks = ['row_status', 'row_error', 'row_note'] as const;

/** What can be said without the file: where `columns` are given, the prompt names no others. */
export function settingsErrors({
  processor,
  prompt,
  columns,
  options,
}: JobSettings): SettingError[] {
  const { outputs, research } = options;
  if (!processors.has(processor))
    return [{ field: 'processor', message: `one of ${[...processors.keys()].join(', ')}` }];
  const isOwn = processor === 'columns';
  const errors: SettingError[] = [];
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
  const seen = new Set<string>();
  for (const [i, { name, type, choices }] of (outputs ?? []).entries()) {
    const field = `outputs.${i}`;
    if (seen.has(foldName(name)))
      errors.push({ field: `${field}.name`, message: `there are two outputs named "${name}"` });
    else if (rowMarks.some((mark) => mark === foldName(name)))
      errors.push({ field: `${field}.name`, message: `"${name}" is a column of every result` });
    seen.add(foldName(name));
    if ((type === 'choice') !== (choices !== undefined))
      errors.push({
        field: `${field}.choices`,
        message: type === 'choice' ? 'needed by a `choice`' : 'only for a `choice`',
      });
    else if (new Set(choices?.map(foldName)).size !== (choices?.length ?? 0))
      errors.push({ field: `${field}.choices`, message: 'has one twice' });
  }
  return errors;
}

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
        ? [{ field: `outputs.${i}.name`, message: `the file has a column "${name}" already` }]
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
