import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import {
  answerOf,
  clientOf,
  errorOf,
  prompt,
  quiet,
  readStream,
  type Api,
} from './providers-client.ts';

let providers: Providers;
const { set, search, complete } = clientOf(() => providers);

beforeAll(async () => {
  providers = await startProviders();
});
afterAll(() => providers.close());
beforeEach(() => set(quiet));

const play = (...script: object[]) => set({ script });
const json = { response_format: { type: 'json_object' } };

describe('outages by schedule', () => {
  it('begin and end on time, counted from the change that brought them', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    vi.advanceTimersByTime(5000);
    await play({ provider: 'search', kind: 'unavailable', fromSeconds: 30, toSeconds: 80 });
    const seen: number[] = [];
    for (const seconds of [0, 29, 1, 49, 1]) {
      vi.advanceTimersByTime(seconds * 1000);
      seen.push((await search({ q: 'x' })).status);
    }
    expect(seen).toEqual([200, 200, 503, 503, 200]);
    await play({ provider: 'llm', kind: 'unavailable', fromSeconds: 60 });
    expect((await complete(prompt('x'))).status).toBe(200);
  });

  it('meet both providers unless one is named, and everything before the key', async () => {
    await play({ kind: 'unavailable' });
    expect((await search({ q: 'x' }, '')).status).toBe(503);
    expect(await errorOf(await complete(prompt('x'), ''))).toMatchObject({ status: 503 });
    // Other settings leave a running schedule alone.
    await set({ seed: 2 });
    expect((await search({ q: 'x' })).status).toBe(503);
  });

  it('reset connections, hang, answer nothing or a page of HTML', async () => {
    for (const call of [() => search({ q: 'x' }), () => complete(prompt('x'))]) {
      await play({ kind: 'refused' });
      await expect(call()).rejects.toThrow();
      await play({ kind: 'empty' });
      const empty = await call();
      expect([empty.status, await empty.text()]).toEqual([200, '']);
      await play({ kind: 'unreadable' });
      const page = await call();
      expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<html>')]);
      await play({ kind: 'cut' });
      const cut = await call();
      expect(cut.status).toBe(200);
      await expect(cut.text()).rejects.toThrow();
    }
    await play({ kind: 'hang' });
    await expect(search({ q: 'x' }, 'k', AbortSignal.timeout(100))).rejects.toThrow('timeout');
  });

  it('limit for a while with the wait that is asked for', async () => {
    await play({ kind: 'rate-limit', retryAfterSeconds: 30 });
    for (const response of [await search({ q: 'x' }), await complete(prompt('x'))])
      expect([response.status, response.headers.get('retry-after')]).toEqual([429, '30']);
  });
});

describe('the account', () => {
  it('is out of credits, has a wrong key or no right at Serper', async () => {
    const seen: unknown[] = [];
    for (const kind of ['out-of-credits', 'invalid-key', 'payment-required']) {
      await play({ provider: 'search', kind });
      const response = await search({ q: 'x' });
      seen.push([response.status, await response.json()]);
    }
    expect(seen).toEqual([
      [400, { message: 'Not enough credits', statusCode: 400 }],
      [403, { message: 'Unauthorized.', statusCode: 403 }],
      [402, { message: 'Payment required.', statusCode: 402 }],
    ]);
    expect((await complete(prompt('x'))).status).toBe(200);
  });

  it.each([
    ['openai', 'out-of-credits', 429, 'insufficient_quota'],
    ['openai', 'invalid-key', 401, 'invalid_api_key'],
    ['openai', 'forbidden', 403, 'unsupported_country_region_territory'],
    ['openai', 'model-gone', 404, 'model_not_found'],
    ['openai', 'payment-required', 402, null],
    ['groq', 'out-of-credits', 400, 'organization_restricted'],
    ['groq', 'invalid-key', 401, 'invalid_api_key'],
    ['groq', 'forbidden', 403, 'model_permission_blocked_org'],
    ['groq', 'model-gone', 404, 'model_not_found'],
    ['groq', 'error', 500, undefined],
  ] as const)('%s: %s is %i', async (profile, kind, status, code) => {
    await set({ profile });
    await play({ provider: 'llm', kind });
    const error = await errorOf(await complete(prompt('x')), profile);
    expect([error.status, error.code]).toEqual([status, code]);
  });
});

describe.each([
  ['openai', 'gpt-4o'],
  ['groq', 'openai/gpt-oss-20b'],
] as const)('answers to order (%s)', (api: Api, model) => {
  const ask = (content: string, extra: object = {}) =>
    complete(prompt(content, { model, ...extra }));
  beforeEach(() => set({ profile: api, reasoningTokens: 3 }));

  it('are chosen by words, as often as they are ordered', async () => {
    await play(
      { match: 'Acme (AG|Ltd)', kind: 'content-policy' },
      { match: 'Beta', kind: 'text', text: '<think>…</think>Dear [Your Name]', times: 2 },
    );
    expect((await errorOf(await ask('Company: Acme Ltd'), api)).status).toBe(400);
    const texts = [];
    for (let i = 0; i < 3; i += 1) texts.push((await answerOf(await ask('Beta'), api)).content);
    expect(texts.slice(0, 2)).toEqual(Array(2).fill('<think>…</think>Dear [Your Name]'));
    expect(texts[2]).toMatch(/^Hello/);
  });

  it('are cut by length or refused', async () => {
    const whole = await answerOf(await ask('x'), api);
    await play({ kind: 'length' });
    const cut = await answerOf(await ask('x'), api);
    expect(whole.content.startsWith(cut.content)).toBe(true);
    expect(cut.content.length).toBeLessThan(whole.content.length);
    expect(cut.choice.finish_reason).toBe('length');
    await play({ kind: 'refusal' });
    const refused = await answerOf(await ask('x'), api);
    const streamed = await readStream(await ask('x', { stream: true }), api);
    const text = expect.stringContaining("can't assist") as string;
    if (api === 'groq') expect([refused.content, streamed.content]).toEqual([text, text]);
    else expect(refused.choice.message).toMatchObject({ content: null, refusal: text });
  });

  it('break off in the middle of a stream', async () => {
    const stream = { stream: true };
    await play({ kind: 'unfinished', chunks: 2 });
    const unfinished = await readStream(await ask('x', stream), api);
    expect([unfinished.done, unfinished.finishReason]).toEqual([false, undefined]);
    expect(unfinished.content).toMatch(api === 'groq' ? /^Hello|^$/ : /^Hello/);
    await play({ kind: 'stream-error', chunks: 1 });
    const broken = await readStream(await ask('x', stream), api);
    expect([broken.done, broken.finishReason, broken.errors.length]).toEqual([false, undefined, 1]);
    expect(broken.events.at(-1)?.startsWith('event: error')).toBe(api === 'groq');
    await play({ kind: 'cut', chunks: 0 });
    await expect((await ask('x', stream)).text()).rejects.toThrow();
  });

  it('are JSON that breaks off or lacks something', async () => {
    await play({ kind: 'broken-json' });
    const broken = await answerOf(await ask('JSON', json), api);
    expect(() => JSON.parse(broken.content) as unknown).toThrow();
    expect(broken.choice.finish_reason).toBe('stop');
    await play({ kind: 'wrong-shape' });
    const wrong = await answerOf(await ask('JSON', json), api);
    expect(JSON.parse(wrong.content)).toEqual({ surprise: 1 });
  });
});

it('a filter takes half an answer with OpenAI; Groq says that JSON failed', async () => {
  await set({ profile: 'openai' });
  await play({ kind: 'content-filter' });
  const filtered = await answerOf(await complete(prompt('x', { model: 'gpt-4o' })));
  expect(filtered.choice.finish_reason).toBe('content_filter');
  await set({ profile: 'groq' });
  await play({ kind: 'json-failed' });
  const failed = await errorOf(await complete(prompt('JSON', json)), 'groq');
  expect(failed).toMatchObject({ status: 400, code: 'json_validate_failed' });
  expect(failed).toHaveProperty('failed_generation');
});

it('refuses a script that cannot be played', async () => {
  for (const entry of [
    { kind: 'explode' },
    { kind: 'refusal', provider: 'search' },
    { kind: 'error', match: '(' },
    { kind: 'error', from: 3 },
    { kind: 'error', times: 0 },
    { kind: 'error', text: 'x' },
    { kind: 'length', chunks: 1 },
    { kind: 'cut', chunks: 1, provider: 'search' },
    { kind: 'hang', retryAfterSeconds: 1 },
    { kind: 'text', text: 'x', retryAfterSeconds: 1 },
    { kind: 'error', fromSeconds: 5, toSeconds: 5 },
    { kind: 'error', toSeconds: 0 },
  ])
    expect((await play(entry)).status, JSON.stringify(entry)).toBe(422);
  expect((await play({ kind: 'unavailable', retryAfterSeconds: 9 })).status).toBe(200);
});
