import { describe, expect, test } from 'vitest';
import type { OutputField } from '../../functions/processing/job-options.ts';
import {
  outputForm,
  outputKeys,
  outputSchema,
  outputTokens,
} from '../../functions/processing/output-schema.pure.ts';
import { questions as outputs } from '../support/rows.ts';

describe('the schema', () => {
  test('is strict, asks each question and lets every value be null', () => {
    const { name, schema } = outputSchema(outputs);
    expect(name).toMatch(/^[\w-]{1,64}$/);
    expect(schema).toEqual({
      type: 'object',
      properties: {
        employees: {
          type: ['number', 'null'],
          description: expect.stringContaining('Employees: How many people work there?') as string,
        },
        column_2: {
          type: ['boolean', 'null'],
          description: expect.stringContaining('通販サイト') as string,
        },
        size: {
          type: ['string', 'null'],
          description: expect.stringContaining('"S", "L \\"XL\\""') as string,
        },
        why_us: {
          type: ['string', 'null'],
          description: expect.stringContaining('Why us?: One reason.') as string,
        },
      },
      required: ['employees', 'column_2', 'size', 'why_us'],
      additionalProperties: false,
    });
  });

  test.each<[string[], string[]]>([
    [
      ['E-Mail', 'e mail', 'e_mail_2'],
      ['e_mail', 'e_mail_3', 'e_mail_2'],
    ],
    [
      ['会社名', '従業員数', 'column_1'],
      ['column_1_2', 'column_2', 'column_1'],
    ],
    [
      ['Umsatz (Mio. €)', 'Prénom', 'Straße'],
      ['column_1', 'prenom', 'column_3'],
    ],
    [
      ['__proto__', 'constructor', '!?'],
      ['proto', 'constructor', 'column_3'],
    ],
    [
      ['2nd', 'x'.repeat(100)],
      ['2nd', 'x'.repeat(40)],
    ],
  ])('has a key of its own for each of %j', (names, keys) => {
    const asked = names.map((name): OutputField => ({ name, description: '?', type: 'text' }));
    expect(outputKeys(asked)).toEqual(keys);
    expect(outputSchema(asked).schema['required']).toEqual(keys);
    expect(Object.keys(outputSchema(asked).schema['properties'] as object).toSorted()).toEqual(
      keys.toSorted(),
    );
  });

  test('in words says the same, a line for each key', () => {
    expect(outputForm(outputs).split('\n')).toEqual([
      'Answer with one JSON object and nothing else. Its keys, all of them needed:',
      '- "employees", a JSON number without unit or separators or null: Employees: How many people work there?',
      '- "column_2", true, false or null: ネット販売: 通販サイトはありますか。',
      '- "size", one of "S", "L \\"XL\\"" or null: Size: Which size?',
      '- "why_us", a text or null: Why us?: One reason.',
    ]);
  });

  test('leaves room for what is asked, and not for more', () => {
    const of = (type: OutputField['type'], count: number) =>
      outputTokens(Array.from({ length: count }, () => ({ name: 'x', description: '?', type })));
    expect(of('number', 1)).toBeLessThan(200);
    expect(of('text', 3)).toBeGreaterThanOrEqual(900);
    expect(of('text', 20)).toBe(4000);
  });
});
