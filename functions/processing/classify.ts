import type { Message } from '../providers/model.ts';
import { fillPrompt } from './prompt.pure.ts';
import { ProviderError } from '../providers/errors.pure.ts';
import { dataRule, rowMessage } from './message.pure.ts';
import type { RowProcessor } from './processor.ts';
import { oneLine } from '../shared/text.pure.ts';

const longestCategory = 100;
const longestReason = 500;

const system = [
  'You sort the rows of a table into the categories that the task names.',
  dataRule,
  'Answer with one JSON object and nothing else: {"category": "…", "reason": "…"},',
  'where the reason is one sentence.',
].join(' ');

/** The cells of an answer: the one JSON object in it, with both texts; undefined: it is something else. */
export function readCategory(answer: string): [category: string, reason: string] | undefined {
  const found = answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1);
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

/** Puts a row into one of the categories that the prompt names. It searches for nothing. */
export const classify: RowProcessor = {
  name: 'classify',
  outputColumns: ['category', 'reason'],
  defaultPrompt: [
    'Which industry is this lead in? One of: Technology, Finance, Health, Industry, Energy, Retail,',
    'Media, Real Estate, Services, Public Sector, Other.',
  ].join(' '),
  process: async ({ header, row, prompt, tools }) => {
    const task = fillPrompt(prompt, header, row);
    const messages: Message[] = [
      { role: 'system', content: system },
      { role: 'user', content: rowMessage({ task, header, row }) },
    ];
    for (let tries = 0; tries < 2; tries += 1) {
      const cells = readCategory(await tools.complete(messages, { maxTokens: 200 }));
      if (cells) return cells;
    }
    throw new ProviderError('Model gave no category');
  },
};
