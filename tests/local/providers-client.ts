import { createHash } from 'node:crypto';
import type { Providers } from '../../local/providers/index.ts';

/** Plain fetch calls to the providers, as a client without an SDK makes them. */
export function clientOf(providers: () => Providers) {
  const post = (
    url: string,
    headers: Record<string, string>,
    body: unknown,
    signal?: AbortSignal,
  ) =>
    fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal ? { signal } : {}),
    });
  return {
    set: (settings: unknown) =>
      fetch(`${providers().url}/_local/settings`, {
        method: 'PUT',
        body: JSON.stringify(settings),
      }),
    search: (body: unknown, key = 'k', signal?: AbortSignal) =>
      post(`${providers().serperUrl}/search`, { 'x-api-key': key }, body, signal),
    complete: (body: unknown, key = 'k', signal?: AbortSignal) =>
      post(
        `${providers().llmUrl}/chat/completions`,
        key ? { authorization: `Bearer ${key}` } : {},
        body,
        signal,
      ),
  };
}

/** What each test starts from: no waiting, no failures, no limits. */
export const quiet = {
  latencyMs: 0,
  llmStreamMs: 0,
  failureRate: 0,
  seed: 1,
  searchRatePerSecond: null,
  llmRatePerSecond: null,
};

/** A completion request with one user message. */
export const prompt = (content: string, extra: object = {}) => ({
  model: 'openai/gpt-oss-20b',
  messages: [
    { role: 'system', content: 'You write e-mails.' },
    { role: 'user', content },
  ],
  ...extra,
});

export const refOf = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 8);
