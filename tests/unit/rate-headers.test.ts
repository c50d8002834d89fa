import { describe, expect, test } from 'vitest';
import { durationMs, readRateHeaders } from '../../functions/providers/rate-headers.pure.ts';

const headers = (values: Record<string, string>) =>
  new Headers(Object.entries(values).map(([name, value]) => [`x-ratelimit-${name}`, value]));

const both = headers({
  'limit-requests': '14400',
  'remaining-requests': '14370',
  'reset-requests': '2m59.56s',
  'limit-tokens': '18000',
  'remaining-tokens': '17997',
  'reset-tokens': '7.66s',
});
const requests = { limit: 14_400, remaining: 14_370, resetMs: 179_560 };
const tokens = { limit: 18_000, remaining: 17_997, resetMs: 7660 };

describe('the same names mean other windows', () => {
  test("Groq's requests are per day, its tokens per minute", () => {
    expect(readRateHeaders('groq', both)).toEqual({
      requestsPerDay: requests,
      tokensPerMinute: tokens,
    });
  });
  test("OpenAI's are per minute", () => {
    expect(readRateHeaders('openai', both)).toEqual({
      requestsPerMinute: requests,
      tokensPerMinute: tokens,
    });
  });
  test('of others nothing is known, so nothing is believed', () => {
    expect(readRateHeaders('plain', both)).toEqual({});
  });
});

test.each([{}, { 'limit-tokens': '0', 'remaining-tokens': '0' }, { 'limit-tokens': 'many' }])(
  'what is missing or no number is not said: %j',
  (values: Record<string, string>) => {
    expect(readRateHeaders('openai', headers(values)).tokensPerMinute).toBeUndefined();
  },
);

test.each<[string, number | undefined]>([
  ['120ms', 120],
  ['0s', 0],
  ['6m0s', 360_000],
  ['1h0m1.5s', 3_601_500],
  ['1d', 86_400_000],
  ['60', undefined],
  ['soon', undefined],
])('%s is %s ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});
