export type Message = {
  role: string;
  content?: string | { type: string; text?: string }[] | null;
};

/** The part of OpenAI's request that this stand-in acts upon. */
export type Completion = {
  model: string;
  messages: Message[];
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean } | null;
  max_tokens?: number | null;
  max_completion_tokens?: number | null;
  stop?: string | string[] | null;
  response_format?: {
    type: 'text' | 'json_object' | 'json_schema';
    json_schema?: { schema?: Record<string, unknown> };
  } | null;
};

/** OpenAI's error body. https://platform.openai.com/docs/guides/error-codes */
export type ApiError = {
  error: { message: string; type: string; param: string | null; code: string | null };
};

export const apiError = (
  message: string,
  type = 'invalid_request_error',
  param: string | null = null,
  code: string | null = null,
): ApiError => ({ error: { message, type, param, code } });

/** A message's words, whichever of the two forms they have. */
export function textOf(message: Message | undefined): string {
  const content = message?.content;
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text ?? '').join('\n');
}

type Rule = { expected: string; ok: (value: unknown) => boolean; min?: number; max?: number };

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isObject = (value: unknown) => typeof value === 'object' && !Array.isArray(value);
const number = (min: number, max: number): Rule => ({
  expected: 'a decimal',
  ok: isNumber,
  min,
  max,
});
const integer = (min = 1): Rule => ({ expected: 'an integer', ok: Number.isInteger, min });
const string: Rule = { expected: 'a string', ok: (v) => typeof v === 'string' };
const boolean: Rule = { expected: 'a boolean', ok: (v) => typeof v === 'boolean' };
const object: Rule = { expected: 'an object', ok: isObject };
const array: Rule = { expected: 'an array of objects', ok: Array.isArray };

const rules: Record<string, Rule> = {
  model: string,
  messages: array,
  stream: boolean,
  stream_options: object,
  temperature: number(0, 2),
  top_p: number(0, 1),
  presence_penalty: number(-2, 2),
  frequency_penalty: number(-2, 2),
  max_tokens: integer(),
  max_completion_tokens: integer(),
  n: integer(),
  seed: integer(Number.MIN_SAFE_INTEGER),
  stop: {
    expected: 'a string or an array of strings',
    ok: (v) => [v].flat().every((stop) => typeof stop === 'string'),
  },
  response_format: object,
  user: string,
  safety_identifier: string,
  prompt_cache_key: string,
  metadata: object,
  store: boolean,
  service_tier: string,
  reasoning_effort: string,
  verbosity: string,
};

/** OpenAI knows these; silently ignoring them would hand back answers of another shape. */
const unsupported =
  'tools,tool_choice,parallel_tool_calls,functions,function_call,logprobs,top_logprobs,logit_bias,modalities,audio,prediction,web_search_options'.split(
    ',',
  );
const roles = ['system', 'developer', 'user', 'assistant', 'tool'];

function problemWithField(key: string, value: unknown): ApiError | undefined {
  if (unsupported.includes(key))
    return apiError(`The local stand-in does not support '${key}'.`, undefined, key);
  const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
  if (!rule) return apiError(`Unrecognized request argument supplied: ${key}`);
  if (value === null && key !== 'model' && key !== 'messages') return undefined;
  if (!rule.ok(value)) {
    const got = Array.isArray(value) ? 'array' : typeof value;
    const message = `Invalid type for '${key}': expected ${rule.expected}, but got ${got} instead.`;
    return apiError(message, undefined, key, 'invalid_type');
  }
  const [min, max] = [rule.min ?? -Infinity, rule.max ?? Infinity];
  if (isNumber(value) && (value < min || value > max)) {
    const [side, bound, sign] =
      value < min ? ['below minimum', min, '>='] : ['above maximum', max, '<='];
    const kind = rule.expected.split(' ')[1] ?? '';
    const message = `Invalid '${key}': ${kind} ${side} value. Expected a value ${sign} ${bound}, but got ${value} instead.`;
    return apiError(message, undefined, key, `${kind}_${side.replace(' ', '_')}_value`);
  }
  return undefined;
}

function problemWithMessage(message: unknown, index: number): ApiError | undefined {
  const at = `messages[${index}]`;
  if (typeof message !== 'object' || message === null)
    return apiError(`Invalid type for '${at}': expected an object.`, undefined, at, 'invalid_type');
  const { role, content } = message as Message;
  if (!roles.includes(role)) {
    const text = `Invalid value: '${role}'. Supported values are: ${roles.map((r) => `'${r}'`).join(', ')}.`;
    return apiError(text, undefined, `${at}.role`, 'invalid_value');
  }
  const parts =
    Array.isArray(content) &&
    content.every((part) => part.type === 'text' && typeof part.text === 'string');
  if (typeof content === 'string' || parts) return undefined;
  const text = `Invalid value for 'content': expected a string, got ${content === null ? 'null' : typeof content}.`;
  return apiError(text, undefined, `${at}.content`);
}

function problemAcrossFields(request: Completion & { n?: number }): ApiError | undefined {
  if (request.messages.length === 0) {
    const text =
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
    return apiError(text, undefined, 'messages', 'empty_array');
  }
  if (request.stream_options && !request.stream) {
    const text = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
    return apiError(text, undefined, 'stream_options');
  }
  if ((request.n ?? 1) !== 1)
    return apiError("The local stand-in does not support 'n' other than 1.", undefined, 'n');
  const format = request.response_format;
  if (format && !['text', 'json_object', 'json_schema'].includes(format.type))
    return apiError(`Invalid value: '${format.type}'.`, undefined, 'response_format.type');
  if (format?.type === 'json_object' && !request.messages.some((m) => /json/i.test(textOf(m)))) {
    const text =
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
    return apiError(text, undefined, 'messages');
  }
  return undefined;
}

/** Reads a request as OpenAI does; a problem comes back in the words of OpenAI's 400. */
export function parseCompletion(body: string): { request: Completion } | { problem: ApiError } {
  let input: unknown;
  try {
    input = JSON.parse(body);
  } catch {
    const message = 'We could not parse the JSON body of your request.';
    return { problem: apiError(message) };
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return { problem: apiError('The request body must be a JSON object.') };
  const given = input as Record<string, unknown>;
  for (const [key, value] of Object.entries(given)) {
    const problem = problemWithField(key, value);
    if (problem) return { problem };
  }
  if (!given['model']) return { problem: apiError('you must provide a model parameter') };
  if (!given['messages']) {
    const message = "Missing required parameter: 'messages'.";
    return { problem: apiError(message, undefined, 'messages', 'missing_required_parameter') };
  }
  const request = given as Completion;
  for (const [index, message] of request.messages.entries()) {
    const problem = problemWithMessage(message, index);
    if (problem) return { problem };
  }
  const problem = problemAcrossFields(request);
  return problem ? { problem } : { request };
}
