import { beforeAll, describe, expect, it } from 'vitest';
import {
  answerOf,
  clientOf,
  errorOf,
  expectSearchShape,
  prompt,
  readStream,
  type Api,
} from './providers-client.ts';

/**
 * The same checks against the real services; skipped without their keys. It costs a few cents:
 *
 *     LLM_API_KEY=… LLM_BASE_URL=https://api.groq.com/openai/v1 LLM_MODEL=openai/gpt-oss-20b \
 *     SERPER_API_KEY=… npm test -- --project local tests/local/providers-real.test.ts
 */
const env = (name: string): string => process.env[name] ?? '';
const [llmUrl, key, model] = [env('LLM_BASE_URL'), env('LLM_API_KEY'), env('LLM_MODEL')];
const serperUrl = env('SERPER_BASE_URL') || 'https://google.serper.dev';
const api: Api = llmUrl.includes('groq') || model.includes('gpt-oss') ? 'groq' : 'openai';
const real = clientOf(() => ({ llmUrl, serperUrl }));
const ask = (extra: object, content = 'Say hello.') =>
  real.complete(prompt(content, { model, max_completion_tokens: 2000, ...extra }), key);

const schema = {
  type: 'object',
  properties: { city: { type: 'string', enum: ['Basel', 'Bern'] }, big: { type: 'boolean' } },
  required: ['city', 'big'],
  additionalProperties: false,
};
const format = {
  response_format: { type: 'json_schema', json_schema: { name: 'row', strict: true, schema } },
};

describe.skipIf(!(llmUrl && key && model))('the model’s API', { timeout: 60_000 }, () => {
  it('answers in the shape that is described, plain and streamed with usage', async () => {
    const response = await ask({});
    // To be compared with rate-limits.ts by eye.
    console.info([...response.headers].filter(([name]) => /ratelimit|retry/.test(name)));
    expect((await answerOf(response, api)).choice.finish_reason).toBe('stop');
    const options = { stream: true, stream_options: { include_usage: true } };
    const streamed = await readStream(await ask(options), api);
    expect([streamed.finishReason, streamed.done]).toEqual(['stop', true]);
    const last = streamed.chunks.at(-1);
    expect(last?.usage ?? last?.x_groq?.usage).toHaveProperty('total_tokens');
  });

  it('fits a schema; Groq does not stream it', async () => {
    const { content } = await answerOf(await ask(format, 'Pick one, in JSON.'), api);
    expect(Object.keys(JSON.parse(content) as object).toSorted()).toEqual(['big', 'city']);
    const streamed = await ask({ ...format, stream: true }, 'Pick one, in JSON.');
    expect(streamed.status).toBe(api === 'groq' ? 400 : 200);
  });

  it('refuses as the stand-in does', async () => {
    const wordsOf = async (response: Response) => (await errorOf(response, api)).message;
    expect(await wordsOf(await ask({ temprature: 1 }))).toMatch(
      /^(Unrecognized request argument supplied: temprature|property 'temprature' is unsupported)/,
    );
    expect(await errorOf(await ask({ model: 'no-such-model' }), api)).toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    const wrong = await errorOf(await real.complete(prompt('x', { model }), 'invalid-key'), api);
    expect(wrong).toMatchObject({ status: 401, code: 'invalid_api_key' });
    expect(await wordsOf(await ask({ response_format: { type: 'json_object' } }))).toContain(
      "must contain the word 'json'",
    );
  });
});

describe.skipIf(!env('SERPER_API_KEY'))('Serper', { timeout: 60_000 }, () => {
  let answer: Record<string, unknown>;
  beforeAll(async () => {
    const response = await real.search({ q: 'Siemens AG', num: 5 }, env('SERPER_API_KEY'));
    answer = (await response.json()) as Record<string, unknown>;
  });

  it('answers in the shape that is described', () => {
    expectSearchShape(answer);
    expect(answer).toMatchObject({ credits: 1, searchParameters: { engine: 'google' } });
  });

  it('refuses a wrong key, no query and what it does not know', async () => {
    const bodies: unknown[] = [];
    bodies.push(await (await real.search({ q: 'x' }, 'invalid-key')).json());
    bodies.push(await (await real.search({}, env('SERPER_API_KEY'))).json());
    expect(bodies).toEqual([
      { message: 'Unauthorized.', statusCode: 403 },
      { message: 'Missing query parameter', statusCode: 400 },
    ]);
  });
});
