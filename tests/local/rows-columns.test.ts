import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { columnsProcessor } from '../../functions/processing/columns-processor.ts';
import type { JobOptions, OutputField } from '../../functions/processing/job-options.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { RowFault } from '../../functions/providers/errors.pure.ts';
import {
  startProviders,
  type Providers,
  type SettingsChange,
} from '../../local/providers/index.ts';
import { briefOf, deadlineIn, questions, rowCtx, rowToolsIn } from '../support/rows.ts';
import { clientOf, expectShape, quiet } from './providers-client.ts';

let providers: Providers;
const { set } = clientOf(() => providers);
beforeAll(async () => {
  providers = await startProviders(quiet);
});
afterAll(() => providers.close());
beforeEach(() => set(quiet));

const header = ['company', 'city'];
type Script = NonNullable<SettingsChange['script']>;
const play = (...script: Script) => set({ script });
type Sent = { stream: boolean; messages: { content: string }[]; response_format?: object };

/** Works a row; what the model was asked is kept. */
async function work({
  env = {},
  city = 'Basel',
  ...options
}: JobOptions & { env?: Record<string, string>; city?: string }) {
  const ctx = rowCtx({
    SERPER_BASE_URL: providers.serperUrl,
    LLM_BASE_URL: providers.llmUrl,
    ...env,
  });
  const asked: Sent[] = [];
  const slots = createConnectionLimiter(6, (url, init) => {
    if ((url as string).endsWith('/chat/completions'))
      asked.push(JSON.parse(init?.body as string) as Sent);
    return fetch(url, init);
  });
  const { tools } = rowToolsIn(ctx, slots, deadlineIn(10_000));
  const brief = briefOf(columnsProcessor, header, { options: { outputs: questions, ...options } });
  const outcome = await columnsProcessor
    .process(brief, ['Zürich Widgets', city], tools)
    .catch((error: unknown) => ({ error }));
  return { asked, cells: [] as string[], note: undefined, error: undefined, ...outcome };
}

const question = (name: string, type: OutputField['type']): OutputField => ({
  name,
  description: `What of ${name}?`,
  type,
  ...(type === 'choice' ? { choices: ['小', 'Mittel, "M"', 'groß'] } : {}),
});
const twenty = Array.from({ length: 20 }, (_, i) =>
  question(`質問 ${i}`, (['text', 'number', 'boolean', 'choice'] as const)[i % 4] ?? 'text'),
);

describe.each([
  ['plain', 'any-model', false],
  ['openai', 'gpt-4o-mini', true],
  ['openai', 'gpt-5-mini', true],
  ['groq', 'openai/gpt-oss-120b', true],
] as const)('%s, %s', (profile, model, knowsSchema) => {
  const env = { LLM_PROFILE: profile, LLM_MODEL: model };
  beforeEach(() => set({ profile }));

  test('answers each question with a value of its type, the same every time', async () => {
    const { cells, asked, error } = await work({ env });
    expect(error).toBeUndefined();
    expect(cells).toEqual([
      expect.stringMatching(/^\d+$/),
      expect.stringMatching(/^(true|false)$/),
      expect.stringMatching(/^(S|L "XL")$/),
      expect.stringContaining('Zürich Widgets'),
    ]);
    expect(asked).toHaveLength(1);
    expect('response_format' in (asked[0] ?? {})).toBe(knowsSchema);
    if (profile !== 'plain') expectShape(profile, 'request', asked[0]);
    expect((await work({ env })).cells).toEqual(cells);
  });

  test('answers twenty questions in Japanese at the first try', async () => {
    const { cells, asked, error } = await work({ env, outputs: twenty, research: false });
    expect(error).toBeUndefined();
    expect(asked).toHaveLength(1);
    expect(cells).toHaveLength(20);
    for (const [i, cell] of cells.entries())
      expect(cell).toMatch(
        [/\p{L}/u, /^\d+$/, /^(true|false)$/, /^(小|Mittel, "M"|groß)$/][i % 4] ?? /^$/,
      );
  });

  test('leaves empty what it does not know, and says so', async () => {
    const { cells, note, asked } = await work({ env, city: 'NULL_LLM' });
    expect(cells).toEqual(['', '', '', '']);
    expect(note).toBe('nothing is known of what was asked');
    expect(asked).toHaveLength(1);
  });

  test.each([
    ['wrong-type', 'The model gave no number for "Employees"'],
    ['wrong-shape', 'The model gave no answer for "Employees"'],
    ['broken-json', 'The model gave no answers that can be read'],
  ] as const)('%s is asked for once more, then a row error', async (kind, message) => {
    await play({ kind, times: 1 });
    const once = await work({ env });
    expect(once.cells).toHaveLength(4);
    expect(once.asked).toHaveLength(2);
    expect(once.asked[1]?.messages.at(-1)?.content).toMatch(/^An earlier answer /);
    await play({ kind });
    const { error, asked } = await work({ env });
    expect(error).toEqual(new RowFault(message));
    expect(asked).toHaveLength(2);
  });
});

test('Groq is not asked to stream; what is no JSON there is asked for once more', async () => {
  await set({ profile: 'groq' });
  await play({ kind: 'json-failed', times: 1 });
  const { cells, asked } = await work({ env: { LLM_PROFILE: 'groq' } });
  expect(cells).toHaveLength(4);
  expect(asked.map(({ stream }) => stream)).toEqual([false, false]);
});

test('thinking at length leaves room for the answer', async () => {
  await set({ profile: 'groq', reasoningTokens: 390 });
  const { cells, asked } = await work({
    env: { LLM_PROFILE: 'groq' },
    outputs: questions.slice(0, 1),
  });
  expect(cells).toHaveLength(1);
  expect(asked).toHaveLength(1);
});

test.each([
  ['content-filter', "The model's answer was blocked by a content filter", 2],
  ['refusal', 'The model refused to answer', 1],
  ['length', "The model's answer was cut off", 2],
] as const)('%s is a row error that says so', async (kind, message, calls) => {
  await set({ profile: 'openai' });
  await play({ kind });
  const { error, asked } = await work({ env: { LLM_PROFILE: 'openai', LLM_MODEL: 'gpt-4o' } });
  expect(error).toEqual(new RowFault(message));
  expect(asked).toHaveLength(calls);
});

test('a row is searched for once, or not at all', async () => {
  await fetch(new URL('/_local/stats?reset', providers.llmUrl));
  await work({});
  expect(providers.stats().search.statuses).toEqual({ 200: 1 });
  await work({ research: false });
  expect(providers.stats().search.statuses).toEqual({ 200: 1 });
});
