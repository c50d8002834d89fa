import type { Profile } from '../env.ts';

/** One limit as an answer's headers tell it. */
export type HeaderLimit = { limit: number; remaining: number; resetMs: number | undefined };
export type HeaderLimits = {
  requestsPerMinute?: HeaderLimit | undefined;
  tokensPerMinute?: HeaderLimit | undefined;
  requestsPerDay?: HeaderLimit | undefined;
};

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration as these headers have it (`6m0s`, `120ms`, `2m59.56s`, `7.66s`) in ms. */
export function durationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g))
    sum += Number(amount) * (unitMs[unit] ?? 0);
  return sum;
}

function limitOf(headers: Headers, unit: 'requests' | 'tokens'): HeaderLimit | undefined {
  const text = (what: string) => headers.get(`x-ratelimit-${what}-${unit}`)?.trim() ?? '';
  const [limit, remaining] = [text('limit'), text('remaining')];
  if (!/^\d{1,12}$/.test(limit) || !/^-?\d{1,12}$/.test(remaining) || Number(limit) === 0)
    return undefined;
  const resetMs = durationMs(text('reset'));
  return { limit: Number(limit), remaining: Math.max(0, Number(remaining)), resetMs };
}

/**
 * What `x-ratelimit-*` say. Their names do not tell the window: OpenAI's are per minute, Groq's requests
 * per day and its tokens per minute; of others nothing is known. Sources:
 * developers.openai.com/api/docs/guides/rate-limits, console.groq.com/docs/rate-limits
 */
export function readRateHeaders(profile: Profile, headers: Headers): HeaderLimits {
  if (profile === 'plain') return {};
  const [requests, tokensPerMinute] = [limitOf(headers, 'requests'), limitOf(headers, 'tokens')];
  return profile === 'groq'
    ? { requestsPerDay: requests, tokensPerMinute }
    : { requestsPerMinute: requests, tokensPerMinute };
}
