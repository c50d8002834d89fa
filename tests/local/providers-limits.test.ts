import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { goDuration } from '../../local/providers/rate-limits.ts';
import { clientOf, errorOf, prompt, quiet, type Api } from './providers-client.ts';

let providers: Providers;
const { set, complete } = clientOf(() => providers);

beforeAll(async () => {
  providers = await startProviders();
});
afterAll(() => providers.close());
beforeEach(() => set(quiet));

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
      'x-ratelimit-remaining-tokens': expect.stringMatching(/^540\d$/),
    });
    // What was asked for counts, not the few words that were answered: 600 of 100 a second.
    expect(secondsOf(first['x-ratelimit-reset-tokens'])).toBeCloseTo(6, 0);
    expect(secondsOf(first['x-ratelimit-reset-requests'])).toBeCloseTo(1, 0);
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
      /^Rate limit reached for gpt-4o in organization \S+ on requests per min \(RPM\): Limit 3, Used 3, Requested 1\. Please try again in (19\.\d+|20)s\. Visit/,
    );
    const waitOf = async () => {
      const { message } = await errorOf(await ask('openai'));
      return secondsOf(/again in (\S+)\./.exec(message)?.[1]);
    };
    // The refused call took its place: the wait has grown by a request's 20 seconds.
    expect(await waitOf()).toBeCloseTo(40, 0);
    await set({ refusedCallsCount: false });
    const [before, after] = [await waitOf(), await waitOf()];
    expect(after).toBeLessThanOrEqual(before);
  });

  it('refuses more tokens than are left, and more than there can ever be', async () => {
    await set({ profile: 'openai', llmTokensPerMinute: 1000 });
    expect((await ask('openai', { max_completion_tokens: 900 })).status).toBe(200);
    const short = await errorOf(await ask('openai', { max_completion_tokens: 400 }));
    expect(short).toMatchObject({ status: 429, type: 'tokens', code: 'rate_limit_exceeded' });
    expect(short.message).toMatch(/tokens per min \(TPM\): Limit 1000, Used 900, Requested 400\./);
    expect(secondsOf(/again in (\S+)\./.exec(short.message)?.[1])).toBeCloseTo(18, 0);
    const large = await errorOf(await ask('openai', { max_completion_tokens: 1001 }));
    expect(large.status).toBe(429);
    expect(large.message).toMatch(/^Request too large for gpt-4o .* Requested 1001\./);
  });
});

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
    expect(secondsOf(told['x-ratelimit-reset-requests'])).toBeCloseTo(6, 0);
    const remaining = Number(told['x-ratelimit-remaining-tokens']);
    expect(remaining).toBeGreaterThanOrEqual(18_000 - usage.total_tokens);
    expect(remaining).toBeLessThan(18_000);
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
      /^Rate limit reached for model `openai\/gpt-oss-20b` in organization `\S+` service tier `on_demand` on requests per minute \(RPM\): Limit 2, Used 2, Requested 1\. Please try again in (29\.\d+|30)s\./,
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
    expect(Number(limitsOf(refused)['retry-after'])).toBeCloseTo(43_200, -1);
    expect(limitsOf(refused)['x-ratelimit-remaining-requests']).toBe('0');
    expect((await errorOf(refused, 'groq')).message).toMatch(/\(RPD\).* again in (11h59m|12h0m)/);
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
