import type { SettingsChange } from '../../local/providers/index.ts';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { jobStack, runJob } from '../support/job-run.ts';
import { type Setting, withStack } from '../support/setting.ts';

/** A limit as the stand-in plays it: one window's worth at once, then an even refill. */
type Limit = { of: 'llm' | 'search'; calls: number; windowSeconds: number };
type Case = {
  name: string;
  rows: number;
  limit: Limit;
  settings: SettingsChange;
  env?: Record<string, string>;
};

const perMinute = { llmRequestsPerMinute: 1000, llmTokensPerMinute: 300_000 };
/** What the stand-in counts of a call of ours against the tokens: of 300,000 a minute 500 calls. */
const byTokens: Limit = { of: 'llm', calls: 500, windowSeconds: 60 };

const cases = (rows: number): Case[] => [
  { name: 'no limit', rows, limit: { ...byTokens, calls: Infinity }, settings: {} },
  {
    name: 'unknown, Retry-After',
    rows,
    limit: byTokens,
    settings: { ...perMinute, llmRetryAfter: true, refusedCallsCount: false },
  },
  {
    name: 'unknown, refused calls count, no Retry-After',
    rows,
    limit: byTokens,
    settings: { ...perMinute, llmRetryAfter: false, refusedCallsCount: true },
  },
  {
    name: "OpenAI's headers, refused calls count",
    rows,
    limit: byTokens,
    settings: { ...perMinute, profile: 'openai' },
    env: { LLM_PROFILE: 'openai', LLM_MODEL: 'gpt-4o-mini' },
  },
  {
    name: 'search 100 a second, set',
    rows: rows * 2,
    limit: { of: 'search', calls: 100, windowSeconds: 1 },
    settings: { searchRatePerSecond: 100 },
    env: { SEARCH_REQUESTS_PER_SECOND: '100' },
  },
];

/** Calls that a limit lets through in so long, its first window's worth included. */
const allowed = ({ calls, windowSeconds }: Limit, seconds: number): number =>
  calls * (1 + seconds / windowSeconds);

async function measure(setting: Setting, { name, rows, limit }: Case) {
  const token = await setting.stack.token('bench-limits', 'l@example.com', { verified: true });
  const seen = await runJob(setting, token, rows);
  const { statuses, requests } = setting.stack.handles.providers?.stats()[limit.of] ?? {};
  const answered = statuses?.['200'] ?? 0;
  const refused = statuses?.['429'] ?? 0;
  return {
    limit: name,
    rows,
    seconds: seen.seconds,
    'used %': limit.calls === Infinity ? null : (answered / allowed(limit, seen.seconds)) * 100,
    'refused %': (refused / (requests ?? Number.NaN)) * 100,
    'rows failed': 0,
    'QStash msgs': seen.messages,
    'Redis commands': seen.commands,
  };
}

async function run({ quick }: Effort): Promise<Table[]> {
  const table: Table['rows'] = [];
  for (const one of cases(quick ? 600 : 2000))
    table.push(
      await withStack(
        {
          ...jobStack,
          crons: true,
          providerOptions: { ...jobStack.providerOptions, ...one.settings },
          env: { ...jobStack.env, LLM_MODEL: 'any-model', ...one.env },
        },
        (setting) => measure(setting, one),
      ),
    );
  const note =
    'A model of 1,000 requests and 300,000 tokens a minute: the tokens, as asked for, end first. "used": calls answered ÷ those that the limit lets through from the upload to the job\'s end, the first full bucket included. A job with a row that failed would end the benchmark.';
  return [{ title: 'limits: how well they are used', rows: table, notes: [note] }];
}

export const limits: Benchmark = {
  name: 'limits',
  about: 'jobs at providers that limit, known and unknown',
  run,
};
