import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { goDuration } from '../../local/providers/rate-limits.ts';
import { clientOf, errorOf, prompt, quiet, type Api } from './providers-client.ts';

let providers: Providers;
const { set, complete } = clientOf(() => providers);

beforeAll(async () => {
  providers = await startProviders();
});
afterAll(() => providers.close());
// Limits refill by this clock, which stands still.
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  await set(quiet);
  return () => vi.useRealTimers();
});

const model = { openai: 'gpt-4o', groq: 'openai/gpt-oss-20b' };
const ask = (api: Api, extra: object = {}) =>
  complete(prompt('x', { model: model[api], ...extra }));
const limitsOf = ({ headers }: Response) =>
  Object.fromEntries(
    [...headers].filter(([name]) => name.startsWith('x-ratelimit') || name === 'retry-after'),
  );
const secondsOf = (duration: string | undefined): number => {
  const [, h = 0, m = 0, s = 0, ms = 0] =
    /^(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?(?:([\d.]+)ms)?$/.exec(duration ?? '') ?? [];
  return Number(h) * 3600 + Number(m) * 60 + Number(s) + Number(ms) / 1000;
};

it('prints durations as the headers of OpenAI and Groq do', () => {
  const printed = [6, 120, 1000, 7660, 60_000, 179_560, 360_000, 3_723_000, 0].map(goDuration);
  expect(printed).toEqual(
    ['6ms', '120ms', '1s', '7.66s', '1m0s', '2m59.56s', '6m0s', '1h2m3s'].concat('0s'),
  );
});

describe('OpenAI', () => {
  it('tells requests and tokens per minute, also on errors', async () => {
    await set({ profile: 'openai', llmRequestsPerMinute: 60, llmTokensPerMinute: 6000 });
    const first = limitsOf(await ask('openai', { max_completion_tokens: 600 }));
    expect(first).toMatchObject({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-limit-tokens': '6000',
      'x-ratelimit-remaining-tokens': '5400',
    });
    // What was asked for counts, not the few words that were answered: 600 of 100 a second.
    expect(secondsOf(first['x-ratelimit-reset-tokens'])).toBe(6);
    expect(secondsOf(first['x-ratelimit-reset-requests'])).toBe(1);
    const refused = limitsOf(await ask('openai', { temprature: 1 }));
    expect(refused['x-ratelimit-remaining-requests']).toBe('58');
    expect(limitsOf(await ask('openai'))).not.toHaveProperty('retry-after');
  });

  it('refuses in its words and counts what it refuses', async () => {
    await set({ profile: 'openai', llmRequestsPerMinute: 3 });
    for (let i = 0; i < 3; i += 1) expect((await ask('openai')).status).toBe(200);
    const refused = await ask('openai');
    expect(limitsOf(refused)).toMatchObject({ 'x-ratelimit-remaining-requests': '0' });
    expect(limitsOf(refused)).not.toHaveProperty('retry-after');
    const error = await errorOf(refused);
    expect(error).toMatchObject({ status: 429, type: 'requests', code: 'rate_limit_exceeded' });
    expect(error.message).toMatch(
      /^Rate limit reached for gpt-4o in organization \S+ on requests per min \(RPM\): Limit 3, Used 3, Requested 1\. Please try again in 20s\. Visit/,
    );
    const waitOf = async () => {
      const { message } = await errorOf(await ask('openai'));
      return secondsOf(/again in (\S+)\./.exec(message)?.[1]);
    };
    // The refused call took its place: the wait has grown by a request's 20 seconds.
    expect(await waitOf()).toBe(40);
    await set({ refusedCallsCount: false });
    expect([await waitOf(), await waitOf()]).toEqual([60, 60]);
    vi.advanceTimersByTime(60_000);
    expect((await ask('openai')).status).toBe(200);
  });

  it('refuses more tokens than are left, and more than there can ever be', async () => {
    await set({ profile: 'openai', llmTokensPerMinute: 1000 });
    expect((await ask('openai', { max_completion_tokens: 900 })).status).toBe(200);
    const short = await errorOf(await ask('openai', { max_completion_tokens: 400 }));
    expect(short).toMatchObject({ status: 429, type: 'tokens', code: 'rate_limit_exceeded' });
    expect(short.message).toMatch(/tokens per min \(TPM\): Limit 1000, Used 900, Requested 400\./);
    expect(secondsOf(/again in (\S+)\./.exec(short.message)?.[1])).toBe(18);
    const large = await errorOf(await ask('openai', { max_completion_tokens: 1001 }));
    expect(large.status).toBe(429);
    expect(large.message).toMatch(/^Request too large for gpt-4o .* Requested 1001\./);
  });
});

const refusals = [
  { max_completion_tokens: -100_000 },
  { max_completion_tokens: -100_000, stream: true },
  { max_tokens: '900' },
  { max_completion_tokens: 900, temprature: 1 },
  { max_completion_tokens: 900, model: 'no-such-model' },
  { max_completion_tokens: 900, model: { toString: 1 } },
  { max_completion_tokens: 900, messages: [null] },
];

it.each(['openai', 'groq'] as const)(
  'a refused request neither takes nor brings tokens (%s)',
  async (api) => {
    const day = api === 'groq' ? { llmRequestsPerDay: 1000 } : { llmRequestsPerMinute: 1000 };
    await set({ profile: api, llmTokensPerMinute: 2000, ...day });
    await ask(api, { max_completion_tokens: 200 });
    const left = async (response: Response) => limitsOf(response)['x-ratelimit-remaining-tokens'];
    const before = await left(await ask(api, { n: 0 }));
    expect(Number(before)).toBeLessThan(2000);
    for (const [index, extra] of refusals.entries()) {
      const response = await ask(api, extra);
      expect([response.status, await left(response)]).toEqual([index === 4 ? 404 : 400, before]);
      expect(limitsOf(response)['x-ratelimit-remaining-requests']).toBe(String(997 - index));
    }
    await set({ failureRate: 1, seed: 3 });
    const failed = await ask(api, { max_completion_tokens: 300, seed: 1 });
    expect([failed.status, await left(failed)]).toEqual([500, before]);
    // What is spent beyond the limit refuses no malformed request with 429.
    await set({ failureRate: 0, llmTokensPerMinute: 10 });
    expect((await ask(api, { temprature: 1 })).status).toBe(400);
  },
);

describe('Groq', () => {
  it('tells requests per day and tokens per minute, and gives back what was not used', async () => {
    await set({ profile: 'groq', llmRequestsPerDay: 14_400, llmTokensPerMinute: 18_000 });
    const response = await ask('groq', { max_completion_tokens: 9000 });
    const told = limitsOf(response);
    const { usage } = (await response.json()) as { usage: { total_tokens: number } };
    expect(told).toMatchObject({
      'x-ratelimit-limit-requests': '14400',
      'x-ratelimit-remaining-requests': '14399',
      'x-ratelimit-limit-tokens': '18000',
    });
    expect(secondsOf(told['x-ratelimit-reset-requests'])).toBe(6);
    expect(told['x-ratelimit-remaining-tokens']).toBe(String(18_000 - usage.total_tokens));
    expect(told).not.toHaveProperty('retry-after');
  });

  it('limits requests per minute without a header, and says when to come back on 429 alone', async () => {
    await set({ profile: 'groq', llmRequestsPerMinute: 2 });
    const ok = [await ask('groq'), await ask('groq')];
    for (const response of ok) expect(limitsOf(response)).toEqual({});
    const refused = await ask('groq');
    expect(limitsOf(refused)).toEqual({ 'retry-after': '30' });
    const error = await errorOf(refused, 'groq');
    expect(error).toMatchObject({ type: 'requests', code: 'rate_limit_exceeded' });
    expect(error.message).toMatch(
      /^Rate limit reached for model `openai\/gpt-oss-20b` in organization `\S+` service tier `on_demand` on requests per minute \(RPM\): Limit 2, Used 2, Requested 1\. Please try again in 30s\./,
    );
    // Refused calls do not count here.
    expect(limitsOf(await ask('groq'))).toEqual({ 'retry-after': '30' });
    await set({ llmRetryAfter: false });
    expect(limitsOf(await ask('groq'))).toEqual({});
  });

  it('says when a day’s quota is back', async () => {
    await set({ profile: 'groq', llmRequestsPerDay: 2 });
    await ask('groq');
    await ask('groq');
    const refused = await ask('groq');
    expect(Number(limitsOf(refused)['retry-after'])).toBe(43_200);
    expect(limitsOf(refused)['x-ratelimit-remaining-requests']).toBe('0');
    expect((await errorOf(refused, 'groq')).message).toMatch(/\(RPD\).* again in 12h0m0s/);
    await set({ llmRequestsPerDay: null, llmTokensPerDay: 1000 });
    const large = await errorOf(await ask('groq', { max_tokens: 1000 }), 'groq');
    expect(large).toMatchObject({ status: 413, type: 'tokens' });
    expect(large.message).toContain('tokens per day (TPD): Limit 1000, Requested 10');
  });
});

it('limits without headers with the profile plain', async () => {
  await set({ llmRequestsPerMinute: 1 });
  expect(limitsOf(await complete(prompt('x')))).toEqual({});
  expect(limitsOf(await complete(prompt('x')))).toEqual({ 'retry-after': '60' });
});
