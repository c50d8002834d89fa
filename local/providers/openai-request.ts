import { z } from 'zod';
import { problemWithSchema } from './json-answer.ts';
import { invalid, knownProblem, type Problem } from './openai-errors.ts';
import type { Profile } from './settings.ts';

const text = z.strictObject({ type: z.literal('text'), text: z.string() });
const message = z.strictObject({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([z.string(), z.array(text).min(1)]),
});
const named = z.strictObject({
  name: z.string().regex(/^[\w-]{1,64}$/),
  description: z.string().optional(),
  schema: z.record(z.string(), z.unknown()),
  strict: z.boolean().nullish(),
});
const format = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['text', 'json_object']) }),
  z.strictObject({ type: z.literal('json_schema'), json_schema: named }),
]);
const penalty = z.number().min(-2).max(2).nullish();
const tokens = z.int().min(1).nullish();
const word = z.string().nullish();
const request = z.strictObject({
  model: z.string(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  max_tokens: tokens,
  max_completion_tokens: tokens,
  n: z.int().min(1).max(128).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).min(1).max(4)]).nullish(),
  response_format: format.nullish(),
  user: word,
  reasoning_effort: word,
});
const openai = request.extend({ safety_identifier: word, prompt_cache_key: word });
const groq = request.extend({ include_reasoning: z.boolean().nullish() });
const parameters = { plain: openai, openai, groq };

export type Completion = z.infer<typeof request> & { include_reasoning?: boolean | null };
type Message = Completion['messages'][number];

/** The APIs know these; ignoring them would hand back answers of another shape. */
const unplayed =
  'audio function_call functions logit_bias logprobs metadata modalities moderation parallel_tool_calls prediction prompt_cache_options prompt_cache_retention service_tier store tool_choice tools top_logprobs verbosity web_search_options citation_options compound_custom disable_tool_validation documents exclude_domains include_domains reasoning_format search_settings include_obfuscation name refusal tool_calls tool_call_id'.split(
    ' ',
  );

/** The models that a profile serves; `plain` takes any name but `no-such-model`. */
export const models: Record<Profile, string[]> = {
  plain: ['openai/gpt-oss-20b', 'openai/gpt-oss-120b', 'llama-3.3-70b-versatile'],
  openai: ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-5', 'gpt-5-mini'],
  groq: ['openai/gpt-oss-20b', 'openai/gpt-oss-120b'],
};
const canReason = ({ model }: Completion) => /^(openai\/gpt-oss|gpt-5)/.test(model);

/** Whether tokens are spent before the answer; with the profile `plain` only if effort is asked for. */
export const reasons = (profile: Profile, request: Completion) =>
  canReason(request) && (profile !== 'plain' || request.reasoning_effort != null);

/** A message's words, whichever of the two forms they have. */
export function textOf({ content }: Message): string {
  return typeof content === 'string' ? content : content.map((part) => part.text).join('\n');
}

const stepOf = (key: PropertyKey) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`);
const pathOf = (path: PropertyKey[]) => path.map(stepOf).join('').slice(1);

function unknownKey(profile: Profile, path: PropertyKey[], key: string): Problem {
  const at = pathOf([...path, key]);
  if (unplayed.includes(key)) return invalid(`The local stand-in does not play '${at}'.`, at);
  if (profile === 'groq') {
    const where = path.length > 0 ? `'${path.join('.')}' : ` : '';
    return invalid(`${where}property '${key}' is unsupported`);
  }
  if (path.length > 0) return invalid(`Unknown parameter: '${at}'.`, at, 'unknown_parameter');
  return invalid(`Unrecognized request argument supplied: ${key}`);
}

/**
 * What zod finds, in OpenAI's words and codes, as recorded from the real API for each kind of mistake
 * (a client's tests of 2026-08; of a body that is no object: recorded from its file uploads).
 */
function problemOf(profile: Profile, issue: z.core.$ZodIssue, input: unknown): Problem {
  const { code, path } = issue;
  const at = pathOf(path);
  if (code === 'unrecognized_keys') return unknownKey(profile, path, issue.keys[0] ?? '');
  let value = input;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  if (value === undefined && at === 'model') return invalid('you must provide a model parameter');
  if (value === undefined)
    return invalid(`Missing required parameter: '${at}'.`, at, 'missing_required_parameter');
  const isFormat = code === 'invalid_union' && at === 'response_format.type';
  const choices = code === 'invalid_value' ? issue.values : isFormat ? formats : undefined;
  if (choices) {
    const [last, ...others] = choices.map((choice) => `'${String(choice)}'`).toReversed();
    const supported = [others.toReversed().join(', '), last].filter(Boolean).join(', and ');
    const got = typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
    const message = `Invalid value: ${got}. Supported values are: ${supported}.`;
    return invalid(message, at, 'invalid_value');
  }
  const one = 'Expected an array with minimum length 1, but got an empty array instead.';
  if (code === 'too_small' && Array.isArray(value))
    return invalid(`Invalid '${at}': empty array. ${one}`, at, 'empty_array');
  if (code === 'too_small' || code === 'too_big') {
    const kind = Number.isInteger(value) ? 'integer' : 'decimal';
    const [side, short, sign, bound] =
      code === 'too_small'
        ? ['below minimum', 'below_min', '>=', issue.minimum]
        : ['above maximum', 'above_max', '<=', issue.maximum];
    const expected = `Expected a value ${sign} ${bound}, but got ${JSON.stringify(value)} instead.`;
    const message = `Invalid '${at}': ${kind} ${side} value. ${expected}`;
    return invalid(message, at, `${kind}_${short}_value`);
  }
  const isInteger = /^(?:max_(?:completion_)?tokens|n|seed)$/.test(at);
  const expected = code === 'invalid_type' ? wanted[isInteger ? 'int' : issue.expected] : undefined;
  const what = expected ?? 'one of a string or array of objects';
  const where = at === '' ? '' : ` for '${at}'`;
  const message = `Invalid type${where}: expected ${what}, but got ${typeOf(value)} instead.`;
  return invalid(message, at || null, 'invalid_type');
}

const formats = ['json_object', 'json_schema', 'text'];
/** OpenAI's names for what zod expects. */
const wanted: Record<string, string> = {
  array: 'an array of objects',
  boolean: 'a boolean',
  int: 'an integer',
  number: 'a decimal',
  object: 'an object',
  record: 'an object',
  string: 'a string',
};

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** What OpenAI's reasoning models refuse (community.openai.com/t/1110750 lists it by model). */
function problemWithReasoning(request: Completion): Problem | undefined {
  for (const key of ['max_tokens', 'presence_penalty', 'frequency_penalty', 'stop'] as const) {
    const instead = key === 'max_tokens' ? " Use 'max_completion_tokens' instead." : '';
    const message = `Unsupported parameter: '${key}' is not supported with this model.${instead}`;
    if (request[key] != null && request[key] !== 0)
      return invalid(message, key, 'unsupported_parameter');
  }
  const supported = 'Only the default (1) value is supported.';
  for (const key of ['temperature', 'top_p'] as const)
    if ((request[key] ?? 1) !== 1) return unsupportedValue(key, String(request[key]), supported);
  return undefined;
}

function unsupportedValue(key: string, value: string, supported: string): Problem {
  const message = `Unsupported value: '${key}' does not support ${value} with this model.`;
  return invalid(`${message} ${supported}`, key, 'unsupported_value');
}

function problemWithEffort(profile: Profile, request: Completion): Problem | undefined {
  const { reasoning_effort: effort } = request;
  if (effort == null) return undefined;
  if (!canReason(request)) return unknownKey(profile, [], 'reasoning_effort');
  if (['low', 'medium', 'high'].includes(effort)) return undefined;
  const supported = "Supported values are: 'low', 'medium', and 'high'.";
  return profile === 'groq'
    ? invalid('`reasoning_effort` must be one of `low`, `medium`, or `high`')
    : unsupportedValue('reasoning_effort', `'${effort}'`, supported);
}

function problemWithFormat(profile: Profile, request: Completion): Problem | undefined {
  const format = request.response_format ?? { type: 'text' };
  if (format.type === 'text') return undefined;
  // Groq refuses it in JSON mode (langchain-ai/langchain#23629) and, by its page, with a schema.
  if (profile === 'groq' && request.stream)
    return invalid('`response_format` does not support streaming');
  if (format.type === 'json_schema') return problemWithSchema(profile, format.json_schema);
  if (request.messages.some((message) => /json/i.test(textOf(message)))) return undefined;
  const use = "to use 'response_format' of type 'json_object'.";
  return invalid(`'messages' must contain the word 'json' in some form, ${use}`, 'messages');
}

function problemAcross(profile: Profile, request: Completion): Problem | undefined {
  const { model, n, stream, stream_options } = request;
  const isServed =
    profile === 'plain' ? model !== 'no-such-model' : models[profile].includes(model);
  if (!isServed) return knownProblem(profile, 'model-gone', { model });
  const onlyStreamed = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
  if (stream_options && !stream) return invalid(onlyStreamed, 'stream_options');
  if ((n ?? 1) !== 1) return invalid("The local stand-in does not play 'n' other than 1.", 'n');
  const isStrict = profile === 'openai' && canReason(request);
  return (
    problemWithEffort(profile, request) ??
    (isStrict ? problemWithReasoning(request) : undefined) ??
    problemWithFormat(profile, request)
  );
}

/** A body as far as it can be read, and what it says; `given` is undefined if it is not JSON. */
export function readBody(body: string): { given?: unknown; model: string; said: string } {
  try {
    const given: unknown = JSON.parse(body);
    const { model, messages = [] } = Object(given) as Record<string, unknown>;
    const all: unknown[] = Array.isArray(messages) ? messages : [messages];
    const contents = all.map((message) => (Object(message) as Record<string, unknown>)['content']);
    const said = contents.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
    return { given, model: typeof model === 'string' ? model : '', said: said.join('\n') };
  } catch {
    return { model: '', said: '' };
  }
}

/** Checks a request as the profile's API does. */
export function parseCompletion(profile: Profile, given: unknown): Completion | Problem {
  if (given === undefined) return invalid('We could not parse the JSON body of your request.');
  const { data, error } = parameters[profile].safeParse(given);
  const [issue] = error?.issues ?? [];
  if (issue) return problemOf(profile, issue, given);
  return problemAcross(profile, data as Completion) ?? (data as Completion);
}
