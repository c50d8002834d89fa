import { brokenAnswer, readAnswer } from './answer.pure.ts';
import { completeWhole, type Reading } from './complete-whole.ts';
import { searchQuery } from './search-query.pure.ts';
import { fillPrompt } from './prompt.pure.ts';
import { ProviderError } from '../providers/errors.pure.ts';
import { dataRule, rowMessage } from './message.pure.ts';
import type { Answer, RowProcessor } from './processor.ts';

const system = [
  'You write business e-mails for a salesperson.',
  dataRule,
  'Answer with the e-mail body only.',
].join(' ');

function readEmail(answer: Answer): Reading<string> {
  const read = readAnswer(answer);
  return read.text === undefined ? brokenAnswer(read) : { value: read.text };
}

/** Researches the company of a row, then writes the e-mail. */
export const researchEmail: RowProcessor = {
  name: 'research_email',
  outputColumns: () => ['research_summary', 'research_sources', 'email_subject', 'email_body'],
  defaultPrompt: [
    'Write a short, friendly business e-mail (at most 120 words) to this lead.',
    'Open with one concrete fact from the research that shows we know their business,',
    'say in one sentence how saving hours of manual work would help them,',
    'and end with one easy question. No subject line, no placeholders, no markdown.',
  ].join(' '),
  searches: ({ research }) => research !== false,
  researchColumns: () => [],
  plan: ({ header, columns, prompt }, row) => {
    const task = fillPrompt(prompt, header, row);
    return {
      query: searchQuery(header, row),
      messages: ({ summary }) => [
        { role: 'system', content: system },
        { role: 'user', content: rowMessage({ task, header, row, columns, research: summary }) },
      ],
    };
  },
  process: async (brief, row, tools) => {
    const { query, messages } = researchEmail.plan(brief, row);
    if (!query) throw new ProviderError('The row is empty');
    const findings = await tools.search(query);
    const email = await completeWhole(tools, messages(findings), {}, readEmail);
    return { cells: [findings.summary, findings.sources.join('\n'), '', email] };
  },
};
