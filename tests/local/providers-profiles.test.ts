import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import {
  answerOf,
  clientOf,
  errorOf,
  expectShape,
  prompt,
  quiet,
  readStream,
  type Api,
} from './providers-client.ts';

let providers: Providers;
const { set, complete } = clientOf(() => providers);

beforeAll(async () => {
  providers = await startProviders();
});
afterAll(() => providers.close());
beforeEach(() => set(quiet));

/** A model of the API's that reasons, and a prompt for it. */
const reasoning = { openai: 'gpt-5-mini', groq: 'openai/gpt-oss-120b' };
const ask = (api: Api, extra: object = {}, content = 'Company: Zürich Widgets') =>
  complete(prompt(content, { model: reasoning[api], ...extra }));

const outputs = {
  type: 'object',
  properties: {
    industry: { type: 'string', enum: ['Toys', 'Tools'] },
    staff: { type: 'integer', minimum: 10, maximum: 90 },
    share: { type: 'number' },
    public: { type: 'boolean' },
    why: { type: 'string', description: 'One sentence' },
    tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
    seat: {
      type: 'object',
      properties: { city: { type: ['string', 'null'] } },
      required: ['city'],
      additionalProperties: false,
    },
  },
  required: ['industry', 'staff', 'share', 'public', 'why', 'tags', 'seat'],
  additionalProperties: false,
};
const format = (schema: object = outputs, strict = true) => ({
  response_format: { type: 'json_schema', json_schema: { name: 'row', strict, schema } },
});

describe.each(['openai', 'groq'] as const)('%s', (api) => {
  beforeEach(() => set({ profile: api }));

  it('spends tokens before the answer, as many as the effort says', async () => {
    const spent = async (effort: string | undefined) => {
      const { usage } = await answerOf(await ask(api, { reasoning_effort: effort }), api);
      return usage.completion_tokens_details?.reasoning_tokens ?? 0;
    };
    const [low, medium, high] = [await spent('low'), await spent('medium'), await spent('high')];
    expect(low).toBeGreaterThan(0);
    expect(medium).toBeGreaterThan(low);
    expect(high).toBeGreaterThan(medium);
    expect(await spent(undefined)).toBe(medium);
    await set({ reasoningTokens: 7 });
    expect(await spent('high')).toBe(7);
  });

  it('answers nothing when the cap is used up by reasoning, and a part when it nearly is', async () => {
    await set({ reasoningTokens: 50 });
    const empty = await answerOf(await ask(api, { max_completion_tokens: 40 }), api);
    expect([empty.content, empty.choice.finish_reason]).toEqual(['', 'length']);
    expect(empty.usage.completion_tokens).toBe(40);
    const part = await answerOf(await ask(api, { max_completion_tokens: 53 }), api);
    expect(part.content).toMatch(/^Hello/);
    expect(part.choice.finish_reason).toBe('length');
    const capped = { max_completion_tokens: 50, stream: true };
    const streamed = await readStream(await ask(api, capped), api);
    expect([streamed.content, streamed.finishReason, streamed.done]).toEqual(['', 'length', true]);
  });

  it('streams usage when asked, and never else', async () => {
    const options = { stream: true, stream_options: { include_usage: true } };
    const asked = await readStream(await ask(api, options), api);
    const last = asked.chunks.at(-1);
    const usage = api === 'groq' ? last?.x_groq?.usage : last?.usage;
    expect(last?.choices).toEqual([]);
    const plain = await answerOf(await ask(api), api);
    expect(usage?.total_tokens).toBe(plain.usage.total_tokens);
    const unasked = await readStream(await ask(api, { stream: true }), api);
    expect(unasked.chunks.every((chunk) => chunk.usage === undefined)).toBe(true);
    expect(unasked.content).toBe(plain.content);
  });

  it('fills a schema, the same for the same row', async () => {
    const first = await answerOf(await ask(api, format()), api);
    const again = await answerOf(await ask(api, format()), api);
    expect(again.content).toBe(first.content);
    const row = JSON.parse(first.content) as Record<string, unknown>;
    expect(Object.keys(row)).toEqual(outputs.required);
    expect(row).toMatchObject({
      industry: expect.stringMatching(/^To(ys|ols)$/),
      staff: expect.toSatisfy((n) => Number.isInteger(n) && Number(n) >= 10 && Number(n) <= 90),
      share: expect.any(Number),
      public: expect.any(Boolean),
      why: expect.stringContaining('Zürich Widgets'),
      tags: [expect.stringMatching(/^[ab]$/)],
      seat: { city: expect.any(String) },
    });
    const cut = await answerOf(await ask(api, { ...format(), max_completion_tokens: 165 }), api);
    expect(cut.choice.finish_reason).toBe('length');
    expect(() => JSON.parse(cut.content) as unknown).toThrow();
  });

  it('refuses a strict schema that is not, and keywords that are not played', async () => {
    const { additionalProperties: _, ...open } = outputs;
    const wordOf = async (schema: object, strict?: boolean) =>
      (await errorOf(await ask(api, format(schema, strict)), api)).message;
    expect(await wordOf(open)).toContain(
      api === 'groq'
        ? 'additionalProperties:false must be set on every object'
        : "In context=(), 'additionalProperties' is required to be supplied and to be false.",
    );
    expect(await wordOf({ ...outputs, required: ['industry'] })).toContain("Missing 'staff'");
    expect((await ask(api, format(open, false))).status).toBe(200);
    const pattern = { ...outputs.properties, why: { type: 'string', pattern: 'x' } };
    expect(await wordOf({ ...outputs, properties: pattern })).toContain("not play 'pattern'");
    expect(await wordOf({ type: 'array', items: {} })).toContain('"object"');
  });

  it('knows its models', async () => {
    for (const model of ['no-such-model', 'llama-3.3-70b-versatile'])
      expect(await errorOf(await ask(api, { model }), api)).toMatchObject({
        status: 404,
        code: 'model_not_found',
        message: `The model \`${model}\` does not exist or you do not have access to it.`,
      });
    const headers = { authorization: 'Bearer k' };
    const list = await (await fetch(`${providers.llmUrl}/models`, { headers })).json();
    expectShape(api, 'models', list);
    expect(JSON.stringify(list)).toContain(reasoning[api]);
  });

  it('refuses a wrong key, an unknown parameter and a wrong effort in its own words', async () => {
    const wrong = await errorOf(await complete(prompt('x'), 'invalid-key'), api);
    expect(wrong).toMatchObject({ status: 401, code: 'invalid_api_key' });
    const wordOf = async (extra: object) => (await errorOf(await ask(api, extra), api)).message;
    const unknown = await errorOf(await ask(api, { temprature: 1 }), api);
    const effort = await wordOf({ reasoning_effort: 'none' });
    if (api === 'groq') {
      expect(wrong.message).toBe('Invalid API Key');
      expect(unknown).not.toHaveProperty('param');
      expect(unknown.message).toBe("property 'temprature' is unsupported");
      expect(effort).toContain('must be one of `low`, `medium`, or `high`');
      expect(await wordOf({ reasoning_format: 'raw' })).toContain("play 'reasoning_format'");
      expect(await wordOf({ n: 2 })).toContain("'n' other than 1");
    } else {
      expect(unknown).toMatchObject({ param: null, code: null });
      expect(unknown.message).toBe('Unrecognized request argument supplied: temprature');
      expect(effort).toContain("Supported values are: 'low', 'medium', and 'high'.");
    }
  });
});

describe('OpenAI’s reasoning models', () => {
  beforeEach(() => set({ profile: 'openai' }));

  it('refuse max_tokens and what else they do not have; other models refuse effort', async () => {
    const refused = async (extra: object) => errorOf(await ask('openai', extra));
    expect(await refused({ max_tokens: 9 })).toEqual({
      status: 400,
      message:
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      type: 'invalid_request_error',
      param: 'max_tokens',
      code: 'unsupported_parameter',
    });
    expect(await refused({ stop: ['x'] })).toMatchObject({ code: 'unsupported_parameter' });
    expect(await refused({ temperature: 0.5 })).toMatchObject({ code: 'unsupported_value' });
    expect((await ask('openai', { temperature: 1 })).status).toBe(200);
    const older = { model: 'gpt-4o-mini' };
    expect((await ask('openai', { ...older, max_tokens: 9, temperature: 0.5 })).status).toBe(200);
    const effort = await refused({ ...older, reasoning_effort: 'low' });
    expect(effort.message).toBe('Unrecognized request argument supplied: reasoning_effort');
  });

  it('stream structured answers', async () => {
    const streamed = await readStream(await ask('openai', { ...format(), stream: true }));
    const plain = await answerOf(await ask('openai', format()));
    expect(streamed.content).toBe(plain.content);
  });
});

describe('Groq', () => {
  beforeEach(() => set({ profile: 'groq' }));

  it('shows the reasoning in a field of its own unless told not to', async () => {
    const { choice } = await answerOf(await ask('groq'), 'groq');
    expect(choice.message.reasoning).toContain('The user wants');
    expect(choice.message.content).not.toContain('The user wants');
    const streamed = await readStream(await ask('groq', { stream: true }), 'groq');
    expect(streamed.reasoning).toBe(choice.message.reasoning);
    const hidden = await answerOf(await ask('groq', { include_reasoning: false }), 'groq');
    expect(hidden.choice.message).not.toHaveProperty('reasoning');
    expect(hidden.usage.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
  });

  it('takes max_tokens, and refuses to stream JSON of either kind', async () => {
    expect((await ask('groq', { max_tokens: 400 })).status).toBe(200);
    for (const extra of [format(), { response_format: { type: 'json_object' } }]) {
      const asked = await ask('groq', { ...extra, stream: true }, 'in JSON');
      expect(await errorOf(asked, 'groq')).toEqual({
        status: 400,
        message: '`response_format` does not support streaming',
        type: 'invalid_request_error',
      });
      expect((await ask('groq', extra, 'in JSON')).status).toBe(200);
    }
  });
});
