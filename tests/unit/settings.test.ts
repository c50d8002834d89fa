import { describe, expect, test } from 'vitest';
import { columnErrors, type JobSettings, settingsErrors } from '../../functions/jobs/settings.ts';
import {
  jobOptions,
  type JobOptions,
  type OutputField,
} from '../../functions/processing/job-options.ts';
import { processors } from '../../functions/processing/processors.ts';

const settings = (given: Partial<JobSettings> = {}): JobSettings => ({
  processor: 'research_email',
  prompt: 'Write.',
  columns: null,
  options: {},
  ...given,
});
const searching = (query: string) => settings({ options: { research: { query } } });
const asking = (...outputs: OutputField[]) =>
  settings({ processor: 'columns', options: { outputs } });
const output = (name: string, given: Partial<OutputField> = {}): OutputField => ({
  name,
  description: 'What?',
  type: 'text',
  ...given,
});
const choice = (...choices: string[]) => output('Size', { type: 'choice', choices });

describe('without the file', () => {
  test.each([...processors.keys()])('%s takes its own defaults', (processor) => {
    const options: JobOptions = processor === 'columns' ? { outputs: [output('a')] } : {};
    expect(settingsErrors(settings({ processor, options }))).toEqual([]);
  });

  test('a processor is one that there is', () => {
    expect(settingsErrors(settings({ processor: 'toString' }))).toEqual([
      { field: 'processor', message: 'must be one of research_email, columns, classify' },
    ]);
  });

  test.each<[string, JobSettings, string, string]>([
    [
      'columns without outputs',
      settings({ processor: 'columns' }),
      'outputs',
      'needed by the processor `columns`',
    ],
    [
      'e-mails with outputs',
      settings({ options: { outputs: [output('a')] } }),
      'outputs',
      'only for the processor `columns`',
    ],
    [
      'a search for classes',
      settings({ processor: 'classify', options: { research: { query: '{{a}}' } } }),
      'research',
      '`classify` searches for nothing',
    ],
    [
      'a query with braces that stay open',
      searching('{{Company}} in {{City'),
      'research.query',
      'has {{ or }} without its other half',
    ],
    [
      'a query with braces that were never open',
      searching('Company}} news'),
      'research.query',
      'has {{ or }} without its other half',
    ],
    [
      'a query with empty braces',
      searching('{{Company}} {{ }}'),
      'research.query',
      'has braces without a column between them',
    ],
    [
      'a column without a name',
      settings({ columns: ['a', '  '] }),
      'columns',
      'one of the names is empty',
    ],
    [
      'a prompt with a column that is not among those given',
      settings({ prompt: '{{ City }}', columns: ['name'] }),
      'prompt',
      'no column "City" among `columns`',
    ],
    [
      'two outputs of one name',
      asking(output('Size'), output('b'), output(' sIZE ')),
      'outputs.2.name',
      'there are two outputs named " sIZE "',
    ],
    [
      'an output named as a mark of every row',
      asking(output('Row_Status')),
      'outputs.0.name',
      '"Row_Status" is a column of every result',
    ],
    [
      'another',
      asking(output('a'), output('row_note')),
      'outputs.1.name',
      '"row_note" is a column of every result',
    ],
    [
      'a third',
      asking(output('row_error')),
      'outputs.0.name',
      '"row_error" is a column of every result',
    ],
    [
      'a choice without choices',
      asking(output('a', { type: 'choice' })),
      'outputs.0.choices',
      'needed by a `choice`',
    ],
    [
      'choices without a choice',
      asking(output('a', { choices: ['x', 'y'] })),
      'outputs.0.choices',
      'only for a `choice`',
    ],
    [
      'a choice that is there twice',
      asking(choice('S', 'L', ' s')),
      'outputs.0.choices',
      '" s" is there twice',
    ],
    [
      'a column in a question',
      asking(output('a', { description: 'Does {{ Company }} sell?' })),
      'outputs.0.description',
      '{{Company}} can stand in the prompt only; the model sees the row in any case',
    ],
    [
      'too much in all',
      asking(
        ...Array.from({ length: 9 }, (_, i) => output(`q${i}`, { description: 'x'.repeat(900) })),
      ),
      'outputs',
      'longer than 8,000 characters in all',
    ],
  ])('%s is refused, and nothing else', (_, given, field, message) => {
    expect(settingsErrors(given)).toEqual([{ field, message }]);
  });

  test('everything that is wrong is said at once', () => {
    const wrong = asking(
      output('row_status', { choices: ['x', 'y'] }),
      output('a', { type: 'choice' }),
    );
    expect(
      settingsErrors({ ...wrong, prompt: '{{x}}', columns: ['y'] }).map(({ field }) => field),
    ).toEqual(['prompt', 'outputs.0.name', 'outputs.0.choices', 'outputs.1.choices']);
  });

  test('what may be right is taken', () => {
    const many = Array.from({ length: 20 }, (_, i) =>
      output(`従業員 ${i}`, { description: '何人?'.repeat(50) }),
    );
    for (const given of [
      asking(...many),
      asking(output('email_body'), output('Status'), output('row status'), choice('S', 'L')),
      settings({ options: { research: false } }),
      searching('{{ Company }} {news} {{{City}}}'),
      searching('the same for all'),
      settings({ processor: 'classify', options: { research: false } }),
      settings({ prompt: '{{city}}' }),
      settings({ prompt: '{{NAME_2}} {{column_3}}', columns: ['name', 'Name'] }),
    ])
      expect(settingsErrors(given)).toEqual([]);
  });
});

describe('beside the file', () => {
  const header = [' Name', 'name', '', 'Firma '];
  const errors = (given: Partial<JobSettings>, isComplete = true) =>
    columnErrors(settings(given), header, isComplete);

  test('columns go by the names that a prompt can say, whatever their letters', () => {
    const query = '{{FIRMA}} {{ name_2 }} {{column_3}}';
    expect(
      errors({
        columns: ['NAME', 'name_2', 'column_3', ' firma'],
        prompt: query,
        options: { research: { query } },
      }),
    ).toEqual([]);
  });

  test.each<[string, Partial<JobSettings>]>([
    ['columns', { columns: ['Name', 'City'] }],
    ['prompt', { prompt: 'In {{City}} and {{city }}' }],
    ['research.query', { options: { research: { query: '{{Firma}} {{City}}' } } }],
  ])('one that the file does not have is refused in `%s` by name', (field, given) => {
    const [first, ...others] = errors(given);
    expect(first).toEqual({
      field,
      message: expect.stringMatching(/^no column "city"$/i) as string,
    });
    expect(others.length).toBeLessThan(2);
  });

  test.each(['Firma', ' firma', 'NAME', 'name_2', 'column_3'])(
    'an output named %j meets a column of the file',
    (name) => {
      expect(errors({ ...asking(output('a'), output(name)) })).toEqual([
        {
          field: 'outputs.1.name',
          message: `the file has a column "${name}" already: name the output otherwise or, if an earlier result has added it, upload the file without it`,
        },
      ]);
    },
  );

  test('a row longer than the header may still bring column_N, until it is known', () => {
    const given = { prompt: '{{column_6}}', columns: ['column_5'] };
    expect(errors(given, false)).toEqual([]);
    expect(errors(given).map(({ field }) => field)).toEqual(['columns', 'prompt']);
    expect(errors({ prompt: '{{column_2}}' }, false)).toHaveLength(1);
    expect(errors(asking(output('column_6')), false)).toEqual([]);
    expect(columnErrors(asking(output('column_5')), [...header, 'column_5'], true)).toHaveLength(1);
  });

  test('research that is off names no columns', () => {
    expect(errors({ options: { research: false } })).toEqual([]);
  });
});

describe('options as they are sent', () => {
  const isTaken = (options: unknown): boolean => jobOptions.safeParse(options).success;
  const withOutput = (given: object) => ({ outputs: [{ ...output('a'), ...given }] });

  test.each<[string, unknown]>([
    ['a name of two lines', withOutput({ name: 'a\nb' })],
    ['a name with a control character', withOutput({ name: 'a\u{85}b' })],
    ['an empty name', withOutput({ name: ' ' })],
    ['a name of 101 characters', withOutput({ name: 'x'.repeat(101) })],
    ['a choice of two lines', withOutput({ type: 'choice', choices: ['a\r\nb', 'c'] })],
    ['an empty choice', withOutput({ type: 'choice', choices: ['', 'c'] })],
    ['one choice', withOutput({ type: 'choice', choices: ['c'] })],
    [
      '51 choices',
      withOutput({ type: 'choice', choices: Array.from({ length: 51 }, (_, i) => `${i}`) }),
    ],
    ['no description', withOutput({ description: ' ' })],
    ['a NUL', withOutput({ description: 'a\0b' })],
    ['half a character', withOutput({ name: 'a\ud83d' })],
    ['another type', withOutput({ type: 'date' })],
    ['an unknown field', withOutput({ format: 'x' })],
    ['no outputs', { outputs: [] }],
    ['21 outputs', { outputs: Array.from({ length: 21 }, (_, i) => output(`${i}`)) }],
    ['an empty query', { research: { query: ' ' } }],
    ['research that is on', { research: true }],
  ])('%s is refused', (_, options) => expect(isTaken(options)).toBe(false));

  test('names in Japanese, with blanks and quotes are taken, without outer blanks', () => {
    const sent = { outputs: [output(' 従業員 "数" '), choice(' 小 ', 'L / XL')] };
    const { outputs } = jobOptions.parse(sent);
    expect(outputs?.[0]?.name).toBe('従業員 "数"');
    expect(outputs?.[1]?.choices).toEqual(['小', 'L / XL']);
  });
});
