import { setTimeout as pause } from 'node:timers/promises';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import type { StackOptions } from '../../local/stack.ts';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { jobStack, runJob } from '../support/job-run.ts';
import { withStack } from '../support/setting.ts';

/** Into the job, when all invocations are at work. */
const beginsSeconds = 2;

type Case = { name: string; provider?: 'llm' | 'search'; isPool?: boolean };

const cases: Case[] = [
  { name: 'nothing' },
  { name: 'model', provider: 'llm' },
  { name: 'search', provider: 'search' },
  { name: 'first of two models', provider: 'llm', isPool: true },
];

const answered = (providers: Providers | undefined, of: 'llm' | 'search', status: string): number =>
  providers?.stats()[of].statuses[status] ?? 0;

/** The stack, and two models of its own where there are two. */
const stackOf = (models: Providers[]): StackOptions => ({
  ...jobStack,
  // The clock's runs are part of how jobs go on.
  crons: true,
  env: {
    ...jobStack.env,
    ...(models.length > 0 && {
      LLM_MODELS: JSON.stringify(
        models.map(({ llmUrl }, i) => {
          return { name: `model-${i}`, baseUrl: llmUrl, model: 'any', keyName: 'LLM_API_KEY' };
        }),
      ),
    }),
  },
});

async function beginOutage(url: string, provider: string, seconds: number): Promise<void> {
  await pause(beginsSeconds * 1000);
  const script = [{ kind: 'unavailable', provider, toSeconds: seconds }];
  const answer = await fetch(`${url}/_local/settings`, {
    method: 'PUT',
    body: JSON.stringify({ script }),
  });
  if (!answer.ok) throw new Error(`The outage was refused: ${answer.status}`);
}

async function measure({ provider, isPool }: Case, rows: number, seconds: number) {
  const models = await Promise.all(
    isPool ? [1, 2].map(() => startProviders(jobStack.providerOptions)) : [],
  );
  try {
    return await withStack(stackOf(models), async (setting) => {
      const token = await setting.stack.token('bench-outages', 'o@example.com', { verified: true });
      await runJob(setting, token, 200);
      const own = setting.stack.handles.providers;
      const struck = models[0] ?? own;
      const [seen] = await Promise.all([
        runJob(setting, token, rows),
        provider && struck && beginOutage(struck.url, provider, seconds),
      ]);
      return {
        seconds: seen.seconds,
        messages: seen.messages,
        searches: answered(own, 'search', '200'),
        refused: provider ? answered(struck, provider, '503') : 0,
      };
    });
  } finally {
    await Promise.all(models.map((model) => model.close()));
  }
}

async function run({ quick }: Effort): Promise<Table[]> {
  const [rows, seconds] = quick ? [600, 10] : [2000, 60];
  const table: Table['rows'] = [];
  let usual: number | undefined;
  for (const one of cases) {
    const seen = await measure(one, rows, seconds);
    usual ??= seen.seconds;
    table.push({
      'away for a while': one.name,
      seconds: seen.seconds,
      'lost s': seen.seconds - usual,
      'of them outage s': one.provider ? seconds : 0,
      'rows failed': 0,
      'calls that failed': seen.refused,
      'searches a row': seen.searches / rows,
      'QStash msgs': seen.messages,
    });
  }
  const note = `${rows} rows of as many companies; from ${beginsSeconds} s on a provider answers 503 for ${seconds} s. A job with a row that failed would end the benchmark. "searches a row" above 1: paid twice, or a probe's.`;
  return [{ title: 'outages: what they cost', rows: table, notes: [note] }];
}

export const outages: Benchmark = {
  name: 'outages',
  about: 'a provider that is away for a minute in the middle of a job',
  run,
};
