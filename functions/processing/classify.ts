import type { AnswerSchema } from '../providers/model.ts';
import { ProviderError } from '../providers/errors.pure.ts';
import { noFindings } from '../providers/research.ts';
import { brokenAnswer, withoutThoughts } from './answer.pure.ts';
import { completeWhole, type Reading } from './complete-whole.ts';
import { fillPrompt } from './prompt.pure.ts';
import { dataRule, rowMessage } from './message.pure.ts';
import type { Answer, RowProcessor } from './processor.ts';
import { hasContent, nothingToGoBy } from './row-research.pure.ts';
import { oneLine } from '../shared/text.pure.ts';

const longestCategory = 100;
const longestReason = 500;

const system = [
  'You sort the rows of a table into the categories that the task names.',
  dataRule,
  'Answer with one JSON object and nothing else: {"category": "…", "reason": "…"},',
  'where the reason is one sentence.',
].join(' ');

const categorySchema: AnswerSchema = {
  name: 'category',
  schema: {
    type: 'object',
    properties: { category: { type: 'string' }, reason: { type: 'string' } },
    required: ['category', 'reason'],
    additionalProperties: false,
  },
};

/** The cells of an answer: the one JSON object in it, with both texts; undefined: it is something else. */
export function readCategory(answer: string): [category: string, reason: string] | undefined {
  const bare = withoutThoughts(answer);
  const found = bare.slice(bare.indexOf('{'), bare.lastIndexOf('}') + 1);
  let parsed: unknown;
  try {
    parsed = JSON.parse(found);
  } catch {
    return undefined;
  }
  const { category, reason } = parsed as { category?: unknown; reason?: unknown };
  if (typeof category !== 'string' || typeof reason !== 'string') return undefined;
  const named = oneLine(category, longestCategory);
  return named === '' ? undefined : [named, oneLine(reason, longestReason)];
}

function readCells({ text, finish }: Answer): Reading<string[]> {
  if (finish === 'content_filter') return brokenAnswer({ broken: 'filtered' });
  if (finish === 'refusal') return brokenAnswer({ broken: 'refused' });
  const cells = readCategory(text);
  if (cells) return { value: cells };
  if (finish === 'length') return brokenAnswer({ broken: 'cut' });
  return {
    error: 'The model gave no category',
    retryHint: 'An earlier answer was not that one JSON object. Answer with it and nothing else.',
  };
}

/** Puts a row into one of the categories that the prompt names. It searches for nothing. */
export const classify: RowProcessor = {
  name: 'classify',
  outputColumns: () => ['category', 'reason'],
  defaultPrompt: [
    'Which industry is this lead in? One of: Technology, Finance, Health, Industry, Energy, Retail,',
    'Media, Real Estate, Services, Public Sector, Other.',
  ].join(' '),
  searches: () => false,
  researchColumns: () => [],
  plan: ({ header, columns, prompt }, row) => {
    const task = fillPrompt(prompt, header, row);
    return {
      query: undefined,
      messages: () => [
        { role: 'system', content: system },
        { role: 'user', content: rowMessage({ task, header, row, columns }) },
      ],
    };
  },
  process: async (brief, row, tools) => {
    if (!hasContent(brief, row)) throw new ProviderError(nothingToGoBy);
    const messages = classify.plan(brief, row).messages(noFindings);
    const options = { maxTokens: 200, jsonSchema: categorySchema };
    return { cells: await completeWhole(tools, messages, options, readCells) };
  },
};
