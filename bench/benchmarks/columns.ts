import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { jobStack, limits, runJob } from '../support/job-run.ts';
import { type Setting, withStack } from '../support/setting.ts';

const outputs = [
  { name: 'Sites', description: 'How many sites do they have?', type: 'number' },
  { name: 'Sells online', description: 'Is there an online shop?', type: 'boolean' },
  {
    name: 'Fit',
    description: 'How well does it fit a maker of packaging?',
    type: 'choice',
    choices: ['good', 'fair', 'poor'],
  },
  { name: 'Why', description: 'The one reason for that, in a sentence.', type: 'text' },
];

const cases: [name: string, settings: object][] = [
  ['research_email', {}],
  ['columns', { processor: 'columns', outputs }],
  ['columns, no research', { processor: 'columns', outputs, research: false }],
];

async function measure(setting: Setting, { quick, full }: Effort): Promise<Table[]> {
  const count = quick ? 200 : full ? 5000 : 1000;
  const token = await setting.stack.token('bench-columns', 'c@example.com', { verified: true });
  await runJob(setting, token, 200);
  const rows: Table['rows'] = [];
  for (const [name, settings] of cases) {
    const seen = await runJob(setting, token, count, settings);
    const hundreds = count / 100;
    rows.push({
      processor: name,
      rows: count,
      seconds: seen.seconds,
      'searches/100 rows': seen.searches / hundreds,
      'model calls/100 rows': seen.modelCalls / hundreds,
      'tokens in/row': seen.tokensIn / count,
      'tokens out/row': seen.tokensOut / count,
      'DB trips/100 rows': (seen.tripsPerChunk * seen.chunks) / hundreds,
      'QStash msgs/100 rows': seen.messages / hundreds,
      'Redis commands/100 rows': seen.commands / hundreds,
    });
  }
  const note = `Companies that nobody has looked for yet; ${outputs.length} questions, one of each type. Everything that the job did, upload and dispatch included. Search ${limits.searchMs} ms, model ${limits.llmFirstByteMs} ms to the first byte and ${limits.llmStreamMs} ms of stream. Tokens as the stand-in counts them: characters ÷ 4 in, words out.`;
  return [
    { title: 'columns: what a job of them takes beside one of e-mails', rows, notes: [note] },
  ];
}

export const columns: Benchmark = {
  name: 'columns',
  about: "questions of the user's own beside e-mails: calls, round trips, messages",
  run: (effort) => withStack(jobStack, (setting) => measure(setting, effort)),
};
