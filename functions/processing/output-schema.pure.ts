import { columnNames } from '../csv/columns.pure.ts';
import type { AnswerSchema } from '../providers/model.ts';
import { oneLine } from '../shared/text.pure.ts';
import type { OutputField } from './job-options.ts';

/** What a name is as a key that every provider takes; '' where letters would be lost. */
function keyOf(name: string): string {
  const plain = name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  if (/[^ -~]/.test(plain)) return '';
  const key = plain.replaceAll(/[^a-z0-9]+/g, '_').slice(0, 40);
  return key.replaceAll(/^_+|_+$/g, '');
}

/** A key for each output, in their order: `employees`, a second one `employees_2`, `column_3` for 従業員数. */
export const outputKeys = (outputs: readonly OutputField[]): string[] =>
  columnNames(outputs.map(({ name }) => keyOf(name)));

/** What the value of an output must be, as it is told to the model. */
export function valueWords({ type, choices = [] }: OutputField): string {
  const quoted = choices.map((choice) => JSON.stringify(choice)).join(', ');
  const words: Record<OutputField['type'], string> = {
    text: 'a text',
    number: 'a JSON number without unit or separators',
    boolean: 'true, false',
    choice: `one of ${quoted}`,
  };
  return `${words[type]} or null`;
}

const question = ({ name, description }: OutputField): string =>
  `${oneLine(name, 100)}: ${oneLine(description, 1000)}`;

const jsonTypes: Record<OutputField['type'], string> = {
  text: 'string',
  number: 'number',
  boolean: 'boolean',
  choice: 'string',
};

/**
 * The outputs as a strict schema. A choice is no `enum`: with null among its values Groq invents one or answers 400
 * (scienceverse/metacheck#365), Anthropic answers 400 (BerriAI/litellm#37882); what comes is checked here anyway.
 */
export function outputSchema(outputs: readonly OutputField[]): AnswerSchema {
  const keys = outputKeys(outputs);
  const properties = outputs.map((output, i) => {
    const description = `${question(output)} (${valueWords(output)})`;
    return [keys[i], { type: [jsonTypes[output.type], 'null'], description }] as const;
  });
  return {
    name: 'answers',
    schema: {
      type: 'object',
      properties: Object.fromEntries(properties),
      required: keys,
      additionalProperties: false,
    },
  };
}

/** The same in words, for models that know no schema: a line for each key. */
export function outputForm(outputs: readonly OutputField[]): string {
  const keys = outputKeys(outputs);
  const lines = outputs.map(
    (output, i) => `- ${JSON.stringify(keys[i])}, ${valueWords(output)}: ${question(output)}`,
  );
  return `Answer with one JSON object and nothing else. Its keys, all of them needed:\n${lines.join('\n')}`;
}

const [tokensAround, tokensOfText, tokensOfOther, mostTokens] = [100, 300, 60, 4000];

/** How long an answer may be: each token counts against a limit of the provider's, used or not. */
export const outputTokens = (outputs: readonly OutputField[]): number =>
  Math.min(
    mostTokens,
    outputs.reduce(
      (sum, { type }) => sum + (type === 'text' ? tokensOfText : tokensOfOther),
      tokensAround,
    ),
  );
