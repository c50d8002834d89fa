import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Providers, SettingsChange } from '../../local/providers/index.ts';
import shapes from './providers-shapes.json' with { type: 'json' };

const ajv = new Ajv2020({ strict: false, allErrors: true });
for (const [id, { $defs }] of Object.entries({ openai: shapes.openai, groq: shapes.groq }))
  ajv.addSchema({ $id: id, $defs });
const { $comment: _, ...serper } = shapes.serper;
ajv.addSchema({ $id: 'serper', ...serper });

const names = {
  openai: {
    request: 'CreateChatCompletionRequest',
    answer: 'CreateChatCompletionResponse',
    chunk: 'CreateChatCompletionStreamResponse',
    error: 'ErrorResponse',
    models: 'ListModelsResponse',
  },
  groq: {
    request: 'GroqRequest',
    answer: 'GroqCompletion',
    chunk: 'GroqChunk',
    error: 'GroqError',
    models: 'GroqModels',
  },
};
export type Api = keyof typeof names;

function holds(validate: ValidateFunction | undefined, value: unknown): void {
  if (!validate) throw new Error('no such schema');
  if (!validate(value))
    expect.fail(`${JSON.stringify(validate.errors)}\nin ${JSON.stringify(value)}`);
}

/** Fails unless the value has the shape that OpenAI's or Groq's description gives it. */
export const expectShape = (api: Api, kind: keyof (typeof names)[Api], value: unknown) =>
  holds(ajv.getSchema(`${api}#/$defs/${names[api][kind]}`), value);

/** The same for Serper's answers; `credits` and `engine` are not in its description. */
export function expectSearchShape(value: unknown): void {
  const { credits: _, searchParameters, ...rest } = value as Record<string, object>;
  const { engine: __, ...parameters } = searchParameters as Record<string, unknown>;
  holds(ajv.getSchema('serper'), { ...rest, searchParameters: parameters });
}

type Usage = {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  completion_tokens_details?: { reasoning_tokens: number };
};
export type Choice = {
  message: { content: string | null; refusal?: string | null; reasoning?: string };
  finish_reason: string;
};
type Chunk = {
  id: string;
  object: string;
  choices: {
    delta: { role?: string; content?: string; reasoning?: string; refusal?: string };
    finish_reason: string | null;
  }[];
  usage?: Usage | null;
  x_groq?: { usage?: Usage };
};

/** A whole answer, held against its description. */
export async function answerOf(response: Response, api: Api = 'openai') {
  const answer = (await response.json()) as { object: string; choices: Choice[]; usage: Usage };
  expectShape(api, 'answer', answer);
  const choice = answer.choices[0] as Choice;
  return { ...answer, choice, content: choice.message.content ?? '' };
}

/** An error's status and body, held against its description. */
export async function errorOf(response: Response, api: Api = 'openai') {
  const body = (await response.json()) as {
    error: { message: string; type: string; param?: unknown; code?: unknown };
  };
  expectShape(api, 'error', body);
  return { status: response.status, ...body.error };
}

/** Reads a whole stream by hand, as a client without an SDK would, each chunk against its description. */
export async function readStream(response: Response, api: Api = 'openai') {
  const events = (await response.text()).split('\n\n').filter(Boolean);
  const data = events.map((event) => event.replace(/^(?:event: error\n)?data: /, ''));
  const objects = data.filter((d) => d !== '[DONE]').map((d) => JSON.parse(d) as Chunk);
  const chunks = objects.filter((chunk) => !('error' in chunk));
  for (const chunk of chunks) expectShape(api, 'chunk', chunk);
  const errors = objects.filter((chunk) => 'error' in chunk);
  for (const error of errors) expectShape(api, 'error', error);
  const deltas = chunks.map((chunk) => chunk.choices[0]?.delta ?? {});
  return {
    events,
    chunks,
    errors,
    content: deltas.map((delta) => delta.content ?? '').join(''),
    reasoning: deltas.map((delta) => delta.reasoning ?? '').join(''),
    finishReason: chunks.map((chunk) => chunk.choices[0]?.finish_reason).find(Boolean),
    done: data.at(-1) === '[DONE]',
  };
}

/** Plain fetch calls to the providers, as a client without an SDK makes them. */
export function clientOf(providers: () => Pick<Providers, 'serperUrl' | 'llmUrl'>) {
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
    /** Changes the settings of a stand-in. */
    set: (settings: unknown) =>
      fetch(new URL('/_local/settings', providers().llmUrl), {
        method: 'PUT',
        body: typeof settings === 'string' ? settings : JSON.stringify(settings),
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
export const quiet: SettingsChange = {
  profile: 'plain',
  latencyMs: 0,
  llmStreamMs: 0,
  failureRate: 0,
  seed: 1,
  searchRatePerSecond: null,
  llmRatePerSecond: null,
  llmRequestsPerMinute: null,
  llmRequestsPerDay: null,
  llmTokensPerMinute: null,
  llmTokensPerDay: null,
  refusedCallsCount: null,
  llmRetryAfter: null,
  reasoningTokens: null,
  script: [],
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

/** Waits until this holds, as long as the test may take: a shorter limit would measure the machine. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(5);
}

export const refOf = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 8);
