import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { processors } from '../../functions/processing/processors.ts';
import type { Brief } from '../../functions/processing/processor.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { ProviderError } from '../../functions/providers/errors.pure.ts';
import { askModel, type ModelAnswer } from '../../functions/providers/model.ts';
import {
  startProviders,
  type Providers,
  type SettingsChange,
} from '../../local/providers/index.ts';
import { briefOf, deadlineIn, optionsOf, rowCtx, rowToolsIn } from '../support/rows.ts';
import { clientOf, quiet } from './providers-client.ts';

let providers: Providers;
const { set } = clientOf(() => providers);
beforeAll(async () => {
  providers = await startProviders(quiet);
});
afterAll(() => providers.close());
beforeEach(() => set({ ...quiet, profile: 'plain', script: [], reasoningTokens: null }));

const header = ['company', 'city'];
const row = ['Zürich Widgets', 'Basel'];
type Script = NonNullable<SettingsChange['script']>;
type Sent = { stream: boolean; messages: { role: string; content: string }[] };

/** Works the row; what the model was asked is kept. */
async function work(name: string, env: Record<string, string> = {}, given: Partial<Brief> = {}) {
  const processor = processors.get(name);
  if (!processor) throw new Error(`no processor ${name}`);
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
  const options = { ...optionsOf(name), ...given.options };
  const outcome = await processor
    .process(briefOf(processor, header, { ...given, options }), row, tools)
    .catch((error: unknown) => ({ error }));
  return {
    columns: processor.outputColumns(options),
    asked,
    cells: [] as string[],
    error: undefined,
    note: undefined as string | undefined,
    ...outcome,
  };
}

const play = (...script: Script) => set({ script });

test.each([...processors.keys()])('%s gives a cell for each of its columns', async (name) => {
  const { cells, columns } = await work(name);
  expect(cells).toHaveLength(columns.length);
  for (const cell of cells) expect(cell).toMatch(/\w/);
});

test('an e-mail addresses the company of the row and rests on what was found', async () => {
  const { cells } = await work('research_email');
  expect(cells[0]).toContain('Zürich Widgets');
  expect(cells[0]?.split('\n')).toHaveLength(cells[1]?.split('\n').length ?? 0);
  expect(cells[1]).toMatch(/^https:\/\/\S+(\nhttps:\/\/\S+){4}$/);
  expect(cells[2]).toBe('A question for Zürich Widgets');
  expect(cells[3]).toMatch(/^Hello Zürich Widgets[\s\S]+Basel[\s\S]+One thing stood out: Zürich/);
});

test('an e-mail is signed by its sender, in whose name it is', async () => {
  const named = { name: 'Tom Roe', offer: 'Anvils by the hour' };
  const unsigned = await work('research_email', {}, { sender: named });
  expect(unsigned.cells[3]).toMatch(/\n\nKind regards\nTom Roe\n\(ref \w+\)$/);
  const signature = 'Kind regards\nTom Roe\n  Bolt AG';
  const { cells, asked } = await work('research_email', {}, { sender: { ...named, signature } });
  expect(cells[3]).toMatch(/\(ref \w+\)\n\nKind regards\nTom Roe\n {2}Bolt AG$/);
  expect(cells[3]?.match(/Kind regards/g)).toHaveLength(1);
  expect(asked[0]?.messages[0]?.content).toContain('offer: Anvils by the hour\n</sender>');
});

test('an e-mail about nobody on the web rests on the row, and says so', async () => {
  const body = { searchParameters: { q: 'x' }, organic: [], credits: 1 };
  providers.faults.add({ kind: 'status', status: 200, body, match: '/search' });
  const { cells, note, asked } = await work('research_email');
  providers.faults.clear();
  expect(cells.slice(0, 2)).toEqual(['', '']);
  expect(note).toBe('no research found');
  expect(cells[3]).toContain('Zürich Widgets in Basel');
  expect(cells[3]).not.toContain('stood out');
  expect(asked[0]?.messages[1]?.content).toContain('Research has found nothing about this lead.');
});

test('a class is one of those that the prompt names', async () => {
  const names = processors
    .get('classify')
    ?.defaultPrompt.replace(/^.*One of: /, '')
    .replace(/\.$/, '')
    .split(', ');
  const { cells } = await work('classify');
  expect(names).toContain(cells[0]);
});

const named = 'Best regards,\n[Your Name]';
const broken: [string, Script[number], string][] = [
  [
    'stopped by a filter',
    { kind: 'content-filter' },
    "The model's answer was blocked by a content filter",
  ],
  ['empty', { kind: 'text', text: '' }, 'The model wrote nothing'],
  ['thoughts alone', { kind: 'text', text: '<think>Hm.</think>' }, 'The model wrote nothing'],
  [
    'without a subject',
    { kind: 'text', text: 'Hello there, how are you?' },
    'The model wrote no subject',
  ],
  [
    'with a placeholder',
    { kind: 'text', text: named },
    'The model left a placeholder such as [Your Name]',
  ],
];

describe('a broken e-mail', () => {
  test.each(broken)('%s is asked for once more', async (_, entry) => {
    await play({ ...entry, times: 1 });
    const { cells, asked } = await work('research_email');
    expect(cells[3]).toMatch(/^Hello Zürich Widgets[\s\S]+\(ref \w+\)$/);
    expect(asked).toHaveLength(2);
    expect(asked[1]?.messages.slice(0, -1)).toEqual(asked[0]?.messages);
    expect(asked[1]?.messages.at(-1)?.content).toMatch(/^An earlier answer /);
  });

  test.each(broken)('%s twice is a row error that says so', async (_, entry, message) => {
    await play(entry);
    const { error, asked } = await work('research_email');
    expect(error).toEqual(new ProviderError(message));
    expect(asked).toHaveLength(2);
  });

  test('cut off before its first sentence twice is a row error', async () => {
    await set({ profile: 'groq', reasoningTokens: 5000 });
    const { error, asked } = await work('research_email', { LLM_PROFILE: 'groq' });
    expect(error).toEqual(new ProviderError("The model's answer was cut off"));
    expect(asked).toHaveLength(2);
  });

  test('is not what a model gives that thinks at length', async () => {
    await set({ profile: 'groq', reasoningTokens: 900 });
    const { cells, asked } = await work('research_email', { LLM_PROFILE: 'groq' });
    expect(cells[3]).toMatch(/\(ref \w+\)$/);
    expect(asked).toHaveLength(1);
  });

  test('cut off after one sentence is no e-mail: it is asked for once more', async () => {
    await play({ kind: 'length', times: 1 });
    const { cells, asked } = await work('research_email');
    expect(cells[3]).toMatch(/\(ref \w+\)$/);
    expect(asked).toHaveLength(2);
  });

  test('cut off later ends with its last whole sentence', async () => {
    const sentence = 'Your plant in Basel is of interest to us. ';
    await play({ kind: 'text', text: `Subject: Basel\n\nHello there,\n\n${sentence.repeat(100)}` });
    const { cells, asked } = await work('research_email', { LLM_MODEL: 'any-model' });
    expect(cells[3]).toMatch(
      /^Hello there,\n\n(Your plant in Basel is of interest to us\. ?){60,}$/,
    );
    expect(cells[3]).toMatch(/us\.$/);
    expect(asked).toHaveLength(1);
  });

  test('that the model refuses is a row error at once', async () => {
    await play({ kind: 'refusal' });
    const { error, asked } = await work('research_email');
    expect(error).toEqual(new ProviderError('The model refused to answer'));
    expect(asked).toHaveLength(1);
  });

  test('in thoughts, a fence and with a subject is cleaned, not broken', async () => {
    const text =
      '<think>\n[Your Name]?\n</think>\n```\nSubject: Basel\n\nHello there, how are you?\n```';
    await play({ kind: 'text', text });
    const { cells, asked } = await work('research_email');
    expect(cells.slice(2)).toEqual(['Basel', 'Hello there, how are you?']);
    expect(asked).toHaveLength(1);
  });
});

describe.each([
  ['plain', 'any-model'],
  ['openai', 'gpt-4o-mini'],
  ['openai', 'gpt-5-mini'],
  ['groq', 'openai/gpt-oss-120b'],
] as const)('%s, %s', (profile, model) => {
  const env = { LLM_PROFILE: profile, LLM_MODEL: model };
  beforeEach(() => set({ profile }));

  test('takes what both processors send, at the first try', async () => {
    for (const name of processors.keys()) {
      const { cells, asked } = await work(name, env);
      expect(cells.every((cell) => /\w/.test(cell))).toBe(true);
      expect(asked).toHaveLength(1);
    }
  });

  test.each(['broken-json', 'wrong-shape'] as const)(
    'a class that is %s is asked for once more, then a row error',
    async (kind) => {
      const isStrict = profile !== 'plain';
      await play(
        isStrict ? { kind, times: 1 } : { kind: 'text', text: 'Anvils, I think.', times: 1 },
      );
      const once = await work('classify', env);
      expect(once.cells).toHaveLength(2);
      expect(once.asked).toHaveLength(2);
      await play(isStrict ? { kind } : { kind: 'text', text: 'Anvils, I think.' });
      const { error, asked } = await work('classify', env);
      expect(error).toEqual(new ProviderError('The model gave no category'));
      expect(asked).toHaveLength(2);
    },
  );
});

test('Groq is not asked to stream a class; one that is no JSON there is asked for once more', async () => {
  await set({ profile: 'groq' });
  await play({ kind: 'json-failed', times: 1 });
  const { cells, asked } = await work('classify', { LLM_PROFILE: 'groq' });
  expect(cells).toHaveLength(2);
  expect(asked.map(({ stream }) => stream)).toEqual([false, false]);
});

describe('a parameter that the model refuses', () => {
  test('is left out at once and remembered', async () => {
    // An API of OpenAI's rules under another address.
    await set({ profile: 'openai' });
    const env = { LLM_MODEL: 'gpt-5' };
    const first = await work('research_email', env);
    expect(first.cells).toHaveLength(4);
    expect(first.asked).toHaveLength(2);
    expect(first.asked[0]).toHaveProperty('max_tokens');
    expect(first.asked[1]).toHaveProperty('max_completion_tokens');
    const { cells, asked } = await work('research_email', env);
    expect(cells).toHaveLength(4);
    expect(asked).toHaveLength(1);
  });

  test('a content that is refused is none: the row fails, and is asked once', async () => {
    await play({ kind: 'content-policy', match: 'Zürich' });
    const { error, asked } = await work('research_email');
    expect(error).toMatchObject({ message: 'Model answered 400', refusal: 'final' });
    // The row once, and a probe, since nobody else was answered.
    expect(asked).toHaveLength(2);
  });
});

describe('usage', () => {
  const ask = async (env: Record<string, string>): Promise<ModelAnswer> => {
    const [model] = rowCtx({ LLM_BASE_URL: providers.llmUrl, ...env }).config.models;
    const call = {
      fetch: createConnectionLimiter().fetch,
      signal: AbortSignal.timeout(5000),
      check: async () => {},
      accept: async ({ status }: Response) => expect(status).toBe(200),
    };
    const messages = [{ role: 'user' as const, content: 'Company: ACME. Write an e-mail.' }];
    return askModel(model, call, messages, { maxTokens: 600, urgent: false });
  };

  test.each([
    ['plain', 'm', 0],
    ['openai', 'gpt-4o', 0],
    ['openai', 'gpt-5', 40],
    ['groq', 'openai/gpt-oss-20b', 40],
  ] as const)('%s tells it, with what was thought: %s', async (profile, LLM_MODEL, thought) => {
    await set({ profile });
    const { text, usage } = await ask({ LLM_PROFILE: profile, LLM_MODEL });
    const words = text.match(/\S+/g)?.length ?? 0;
    expect(usage).toEqual({ tokensIn: 8, tokensOut: words + thought, isEstimated: false });
  });

  test('is told of broken answers too, and estimated where it is not', async () => {
    await play({ kind: 'content-filter' });
    expect((await ask({})).usage).toMatchObject({ isEstimated: false });
    await set({ profile: 'groq' });
    await play({ kind: 'json-failed' });
    const { text, usage } = await ask({ LLM_PROFILE: 'groq' });
    expect(text).toBe('{"');
    expect(usage).toEqual({ tokensIn: 12, tokensOut: 1, isEstimated: true });
  });
});
