import { z } from 'zod';

const ms = z.number().min(0).max(600_000);
const limit = z.number().positive().nullable().default(null);
const seconds = z.number().min(0);

/** What happens to a call that an entry of the script meets. */
const kinds = z.enum([
  'unavailable', // 503
  'error', // 500
  'refused', // the connection is reset before an answer
  'cut', // the connection ends in the middle of the answer, after `chunks` of a stream
  'hang',
  'empty', // 200 without a body
  'unreadable', // 200 with a page of HTML
  'rate-limit', // 429, with `retryAfterSeconds` if given
  'invalid-key',
  'payment-required',
  'forbidden',
  'out-of-credits',
]);
const completionKinds = z.enum([
  'model-gone', // 404
  'content-policy', // 400 for what the prompt says
  'content-filter', // half an answer, finish_reason content_filter
  'refusal', // in the field of that name; no content
  'length', // half an answer, finish_reason length
  'unfinished', // a stream that ends without finish_reason and [DONE], after `chunks`
  'stream-error', // a stream with an error in it, after `chunks`
  'text', // the answer is `text`
  'broken-json', // JSON that breaks off, finish_reason stop
  'wrong-shape', // a JSON object that lacks a property and has one too many
  'wrong-type', // a JSON object whose first property is an object, whatever was asked for
  'json-failed', // 400 json_validate_failed, Groq's for a model that could not keep to JSON
]);

const conditions = {
  /** A regular expression for the query or the messages' words. */
  match: z.string().optional(),
  /** From and until when it plays, counted from the change that brought the script; absent: always. */
  fromSeconds: seconds.optional(),
  toSeconds: seconds.optional(),
  /** How many calls it plays for; absent: all. */
  times: z.int().positive().optional(),
  text: z.string().optional(),
  chunks: z.int().min(0).optional(),
  retryAfterSeconds: seconds.optional(),
};
const either = z.enum(['search', 'llm']).optional();
const llm = z.literal('llm').default('llm');

type Kind = z.infer<typeof kinds> | z.infer<typeof completionKinds>;
/** The kinds that heed a condition which others would ignore. */
const heeded: Record<'text' | 'chunks' | 'retryAfterSeconds', readonly Kind[]> = {
  text: ['text'],
  chunks: ['cut', 'unfinished', 'stream-error'],
  retryAfterSeconds: [
    'unavailable',
    'error',
    'rate-limit',
    'invalid-key',
    'payment-required',
    'forbidden',
    'out-of-credits',
    'model-gone',
    'content-policy',
    'json-failed',
  ],
};

const scripted = z
  .union([
    z.strictObject({ ...conditions, kind: kinds, provider: either }),
    z.strictObject({ ...conditions, kind: completionKinds, provider: llm }),
  ])
  .superRefine((entry, context) => {
    for (const [name, takers] of Object.entries(heeded))
      if (entry[name as keyof typeof heeded] !== undefined && !takers.includes(entry.kind))
        context.addIssue({ code: 'custom', message: `${entry.kind} does not heed ${name}` });
    if (entry.chunks !== undefined && entry.provider === 'search')
      context.addIssue({ code: 'custom', message: 'a search has no chunks' });
    const { fromSeconds = 0, toSeconds = Infinity } = entry;
    if (toSeconds <= fromSeconds)
      context.addIssue({ code: 'custom', message: 'toSeconds must be after fromSeconds' });
  });

/** How the providers behave; every field can be changed while they run. */
const schema = z.strictObject({
  /** Whose models, parameters, limits and errors the completions have; `plain`: lenient, no headers. */
  profile: z.enum(['plain', 'openai', 'groq']).default('plain'),
  /** Wait before a search is answered, in milliseconds. */
  searchLatencyMs: ms.default(300),
  /** Wait before the first byte of a completion. */
  llmFirstByteMs: ms.default(300),
  /** Time over which a streamed completion is spread, after its first byte. */
  llmStreamMs: ms.default(100),
  /** Share of requests that fail, 0–1. */
  failureRate: z.number().min(0).max(1).default(0),
  /** Same seed, same requests: same failures. */
  seed: z.int().default(1),
  /** Limits before 429; null: none. */
  searchRatePerSecond: limit,
  llmRatePerSecond: limit,
  llmRequestsPerMinute: limit,
  llmRequestsPerDay: limit,
  llmTokensPerMinute: limit,
  llmTokensPerDay: limit,
  /** Whether a refused completion counts as a request; null: with the profile openai. */
  refusedCallsCount: z.boolean().nullable().default(null),
  /** Whether a completion's 429 has Retry-After; null: not with the profile openai. */
  llmRetryAfter: z.boolean().nullable().default(null),
  /** Tokens that a reasoning model spends before its answer; null: by reasoning_effort. */
  reasoningTokens: z.int().min(0).nullable().default(null),
  /** Outages and answers to order: the first entry that meets a call plays. */
  script: z.array(scripted).max(1000).default([]),
});

export type Settings = z.infer<typeof schema>;
export type Profile = Settings['profile'];
export type Scripted = Settings['script'][number];
/** A change of settings; `latencyMs` sets the search latency and the completion's first byte. */
export type SettingsChange = z.input<typeof schema> & { latencyMs?: number | undefined };

export const defaultSettings: Settings = schema.parse({});

/** The settings after a change; throws `TypeError` with a sentence when the change is malformed. */
export function changed(settings: Settings, change: unknown): Settings {
  if (typeof change !== 'object' || change === null || Array.isArray(change))
    throw new TypeError('settings must be an object');
  const { latencyMs, ...rest } = change as Record<string, unknown>;
  const both = { searchLatencyMs: latencyMs, llmFirstByteMs: latencyMs };
  const entries = Object.entries({ ...both, ...rest }).filter(([, value]) => value !== undefined);
  const { data, error } = schema.safeParse({ ...settings, ...Object.fromEntries(entries) });
  if (error) throw new TypeError(z.prettifyError(error));
  return data;
}
