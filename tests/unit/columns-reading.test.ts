import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jobOptions, type OutputField } from '../../functions/processing/job-options.ts';
import { outputKeys } from '../../functions/processing/output-schema.pure.ts';
import { readNumber } from '../../functions/processing/read-number.pure.ts';
import { readOutput, readOutputs } from '../../functions/processing/read-outputs.pure.ts';

const field = (type: OutputField['type'], choices?: string[]): OutputField => ({
  name: 'Asked',
  description: 'What?',
  type,
  ...(choices ? { choices } : {}),
});

describe('a number', () => {
  test.each<[unknown, string]>([
    [12, '12'],
    [-0, '0'],
    [1200.5, '1200.5'],
    [-7, '-7'],
    [1e-7, '0.0000001'],
    [1e-300, '0'],
    [5e12, '5000000000000'],
    ['12', '12'],
    [' 12 ', '12'],
    ['+12', '12'],
    ['−12', '-12'],
    ['１２', '12'],
    ['12,5', '12.5'],
    ['12.5', '12.5'],
    ['0.125', '0.125'],
    ['0,125', '0.125'],
    ['1234.567', '1234.567'],
    ['1,200,000', '1200000'],
    ['1.200.000', '1200000'],
    ['1,200.50', '1200.5'],
    ['1.200,50', '1200.5'],
    ["1'200", '1200'],
    ['1’200.5', '1200.5'],
    ['1 200', '1200'],
    ['1\u{202f}200,5', '1200.5'],
  ])('%j is %s', (value, cell) => expect(readNumber(value)).toBe(cell));

  test.each<unknown>([
    '1,200',
    '1.200',
    '-120,000',
    '1,200,00',
    '1,20,000',
    '12,34,5',
    '12 %',
    '$12',
    '5M',
    'about 12',
    '10-20',
    '1e3',
    '0x10',
    '007',
    '',
    ' ',
    '.',
    '-',
    'twelve',
    '9007199254740993',
    2 ** 53,
    1e300,
    Infinity,
    Number.NaN,
    true,
    [12],
    {},
    `1${'0'.repeat(50)}`,
  ])('%j is none, or no exact one', (value) => expect(readNumber(value)).toBeUndefined());

  test('that is written with separators keeps its value', () => {
    const whole = fc.integer({ min: 1_000_000, max: 1e12 });
    fc.assert(
      fc.property(whole, fc.integer({ min: 0, max: 99 }), fc.boolean(), (n, cents, isGerman) => {
        const written = `${n.toLocaleString('en')}.${String(cents).padStart(2, '0')}`;
        const swapped = written.replaceAll(/[.,]/g, (mark) => (mark === '.' ? ',' : '.'));
        expect(Number(readNumber(isGerman ? swapped : written))).toBe(
          Number(`${n}.${String(cents).padStart(2, '0')}`),
        );
      }),
    );
  });
});

describe('the value of an output', () => {
  const sizes = ['Small', 'KMU (10–49)', 'N/A'];
  test.each<[string, OutputField, unknown, string]>([
    ['a text', field('text'), '  Two\r\nlines\u{0} ', 'Two\nlines'],
    ['a text that the model took for a number', field('text'), 49, '49'],
    ['a text of one word', field('text'), 'None', 'None'],
    ['true', field('boolean'), true, 'true'],
    ['false', field('boolean'), false, 'false'],
    ['true in words', field('boolean'), ' Yes', 'true'],
    ['false in words', field('boolean'), 'FALSE', 'false'],
    ['a choice', field('choice', sizes), 'Small', 'Small'],
    ['a choice in other letters', field('choice', sizes), ' kmu (10–49)\n', 'KMU (10–49)'],
    ['a choice that reads like nothing', field('choice', sizes), 'n/a', 'N/A'],
    ['a choice that is a number', field('choice', ['1', '2']), 2, '2'],
  ])('%s', (_, output, value, cell) => expect(readOutput(output, value)).toEqual({ cell }));

  test.each(['text', 'number', 'boolean', 'choice'] as const)(
    'null, or a word for it, leaves the cell of a %s empty',
    (type) => {
      const output = field(type, type === 'choice' ? ['a', 'b'] : undefined);
      for (const value of [null, 'null', 'N/A', 'unknown', ' Not available', '-', ''])
        expect(readOutput(output, value)).toEqual({ cell: '' });
    },
  );

  test.each<[OutputField, unknown, string]>([
    [field('text'), undefined, 'no answer'],
    [field('text'), ['a'], 'no text'],
    [field('text'), true, 'no text'],
    [field('text'), 'x'.repeat(2001), 'more than 2,000 characters'],
    [field('text'), 'Dear [Your Name]', 'a placeholder such as [Your Name]'],
    [field('number'), 'about 12', 'no number'],
    [field('number'), '1,200', 'no number'],
    [field('number'), false, 'no number'],
    [field('boolean'), 'perhaps', 'neither true nor false'],
    [field('boolean'), 1, 'neither true nor false'],
    [field('choice', ['a', 'b']), 'c', 'none of the choices'],
    [field('choice', ['a', 'b']), ['a'], 'none of the choices'],
    [field('choice', ['true', 'no']), true, 'none of the choices'],
  ])('%o: %j is not what was asked for', (output, value, gave) =>
    expect(readOutput(output, value)).toEqual({ gave }),
  );
});

describe('an answer', () => {
  const outputs: OutputField[] = [
    { name: '従業員数', description: '何人?', type: 'number' },
    { name: 'Sells online?', description: 'Is there a shop?', type: 'boolean' },
    { name: 'constructor', description: 'Who built it?', type: 'text' },
  ];

  test('is read by its keys, whatever stands around it', () => {
    const json = '{"column_1": 12, "sells_online": true, "constructor": null, "more": 1}';
    for (const text of [
      json,
      `Sure!\n\`\`\`json\n${json}\n\`\`\``,
      ` ${json.toUpperCase().replaceAll(/TRUE|NULL/g, (word) => word.toLowerCase())}`,
    ])
      expect(readOutputs(outputs, text)).toEqual({ cells: ['12', 'true', ''] });
  });

  test('is read by the names of outputs where a model knows no keys', () => {
    const text = JSON.stringify({ 従業員数: 3, 'SELLS ONLINE?': false, constructor: 'Ada' });
    expect(readOutputs(outputs, text)).toEqual({ cells: ['3', 'false', 'Ada'] });
  });

  test('lacks what it does not say: nothing is taken from elsewhere', () => {
    const wrong = outputs.map((_, index) => ({ index, gave: 'no answer' }));
    expect(readOutputs(outputs, '{}')).toEqual({ wrong });
    const twins: OutputField[] = ['Col A', 'col_a'].map((name) => ({ ...field('text'), name }));
    expect(readOutputs(twins, '{"col_a": "first"}')).toEqual({
      wrong: [{ index: 1, gave: 'no answer' }],
    });
  });

  test.each(['', 'Twelve, I think.', '[]', 'null', '{"column_1": 1', '[1, 2]', '}{'])(
    '%j is none',
    (text) => expect(readOutputs(outputs, text)).toBeUndefined(),
  );
});

const label = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
const asked: fc.Arbitrary<OutputField> = fc
  .record({
    name: label,
    description: label,
    type: fc.constantFrom('text', 'number', 'boolean', 'choice'),
    choices: fc.array(label, { minLength: 2, maxLength: 5 }),
  })
  .map(({ choices, ...output }) => (output.type === 'choice' ? { ...output, choices } : output))
  .filter((output) => jobOptions.safeParse({ outputs: [output] }).success);

/** Whether a cell is what this output may hold. */
function isValid({ type, choices = [] }: OutputField, cell: string): boolean {
  if (cell === '') return true;
  if (type === 'number') return /^-?\d+(\.\d+)?$/.test(cell);
  if (type === 'boolean') return cell === 'true' || cell === 'false';
  // oxlint-disable-next-line no-control-regex -- those may not be in it
  return type === 'choice' ? choices.includes(cell) : !/[\0\r]/.test(cell) && cell.length <= 2000;
}

test('any JSON gives valid cells or reasons, and never throws', () => {
  const near = fc.oneof(
    fc.jsonValue(),
    fc.double().map(String),
    fc.constantFrom('yes', 'no', 'true', 'null', '1,5', '1 000', ' A '),
  );
  fc.assert(
    fc.property(
      fc.array(asked, { minLength: 1, maxLength: 20 }),
      fc.infiniteStream(near),
      (outputs, values) => {
        const keys = outputKeys(outputs);
        expect(new Set(keys).size).toBe(outputs.length);
        for (const key of keys) expect(key).toMatch(/^[a-z0-9_]{1,64}$/);
        const given = [...values.take(outputs.length)].map((value, i): unknown =>
          typeof value === 'string' && outputs[i]?.choices
            ? ` ${outputs[i].choices[0]?.toUpperCase()}`
            : value,
        );
        const answer = Object.fromEntries(keys.map((key, i) => [key, given[i]]));
        const read = readOutputs(outputs, JSON.stringify(answer));
        if (!read) expect.fail('an object is always read');
        if (read.wrong) {
          expect(read.wrong.length).toBeGreaterThan(0);
          return;
        }
        expect(read.cells).toHaveLength(outputs.length);
        for (const [i, cell] of read.cells.entries()) {
          const output = outputs[i];
          expect(output && isValid(output, cell), `${output?.type}: ${cell}`).toBe(true);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('any text is read or refused, and never throws', () => {
  fc.assert(
    fc.property(
      fc.array(asked, { minLength: 1, maxLength: 3 }),
      fc.string({ unit: 'binary' }),
      (outputs, text) => {
        const read = readOutputs(outputs, `{"${text}`);
        expect(read?.cells).toBeUndefined();
      },
    ),
  );
});
