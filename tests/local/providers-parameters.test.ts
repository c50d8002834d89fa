import { afterAll, beforeAll, expect, test } from 'vitest';
import { processors } from '../../functions/processing/processors.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { briefOf, deadlineIn, optionsOf, rowCtx, rowToolsIn } from '../support/rows.ts';
import { clientOf, errorOf, expectShape, prompt, quiet, type Api } from './providers-client.ts';
import shapes from './providers-shapes.json' with { type: 'json' };

let providers: Providers;
const { set, complete } = clientOf(() => providers);

beforeAll(async () => {
  providers = await startProviders(quiet);
});
afterAll(() => providers.close());

type Schema = { properties?: object; $ref?: string; allOf?: Schema[] };
const { $defs } = shapes.openai as unknown as { $defs: Record<string, Schema> };
const namesOf = (schema: Schema | undefined): string[] => [
  ...Object.keys(schema?.properties ?? {}),
  ...(schema?.allOf ?? []).flatMap((part) =>
    namesOf(part.$ref ? $defs[part.$ref.slice('#/$defs/'.length)] : part),
  ),
];
const described: Record<Api, string[]> = {
  openai: namesOf($defs['CreateChatCompletionRequest']),
  groq: Object.keys(shapes.groq.$defs.ChatCompletionCreateParamsBase.properties),
};

/** A value for each parameter that is played, and what must come with it. */
const played: Record<string, object> = {
  model: {},
  messages: {},
  stream: { stream: false },
  stream_options: { stream: true, stream_options: { include_usage: true } },
  temperature: { temperature: 0.5 },
  top_p: { top_p: 0.5 },
  presence_penalty: { presence_penalty: 1 },
  frequency_penalty: { frequency_penalty: 1 },
  max_completion_tokens: { max_completion_tokens: 9 },
  max_tokens: { max_tokens: 9 },
  n: { n: 1 },
  seed: { seed: 1 },
  stop: { stop: ['x'] },
  response_format: { response_format: { type: 'json_object' } },
  user: { user: 'u' },
  safety_identifier: { safety_identifier: 's' },
  prompt_cache_key: { prompt_cache_key: 'p' },
  reasoning_effort: { reasoning_effort: 'low' },
  include_reasoning: { include_reasoning: true },
};

test.each([
  ['openai', 'gpt-4o', 'gpt-5'],
  ['groq', 'openai/gpt-oss-20b', 'openai/gpt-oss-20b'],
] as const)('every parameter of %s is played or refused by name', async (api, plain, reasoning) => {
  await set({ ...quiet, profile: api });
  expect(described[api].length).toBeGreaterThan(25);
  for (const name of new Set(described[api])) {
    const model = name === 'reasoning_effort' ? reasoning : plain;
    const body = prompt('in JSON', { model, ...(played[name] ?? { [name]: [] }) });
    const response = await complete(body);
    if (Object.hasOwn(played, name)) {
      expect(response.status, name).toBe(200);
      // Groq takes stream_options, but its SDK does not declare them.
      if (name !== 'stream_options') expectShape(api, 'request', body);
    } else expect((await errorOf(response, api)).message, name).toContain(`not play '${name}'`);
  }
});

test.each([
  ['openai', 'gpt-4o-mini'],
  ['groq', 'openai/gpt-oss-120b'],
] as const)(
  'what the rows send is a request as %s describes it and takes it',
  async (api, model) => {
    await set({ ...quiet, profile: api });
    const sent: { url: string; body: unknown }[] = [];
    const slots = createConnectionLimiter(6, (url, init) => {
      sent.push({ url: url as string, body: JSON.parse(init?.body as string) as unknown });
      return fetch(url, init);
    });
    const ctx = rowCtx({
      SERPER_BASE_URL: providers.serperUrl,
      LLM_BASE_URL: providers.llmUrl,
      LLM_MODEL: model,
      LLM_PROFILE: api,
    });
    for (const processor of processors.values()) {
      const { tools } = rowToolsIn(ctx, slots, deadlineIn(10_000));
      const options = optionsOf(processor.name);
      const brief = briefOf(processor, ['company', 'city'], { options });
      const { cells } = await processor.process(brief, ['Zürich Widgets', 'Basel'], tools);
      expect(cells.join('')).toContain('Zürich Widgets');
    }
    const asked = sent.filter(({ url }) => url.endsWith('/chat/completions'));
    expect(asked.length).toBeGreaterThanOrEqual(processors.size);
    for (const { body } of asked) expectShape(api, 'request', body);
    expect(sent.some(({ url }) => url.endsWith('/search'))).toBe(true);
    expect(Object.keys(providers.stats().llm.statuses)).not.toContain('429');
  },
);
