import { describe, expect, test } from 'vitest';
import type { ModelConfig, Profile } from '../../functions/env.ts';
import { failedGeneration, readCompletion } from '../../functions/providers/model-answer.pure.ts';
import {
  completionRequest,
  type Dispensable,
  estimateTokens,
  refusedParameter,
} from '../../functions/providers/model-params.pure.ts';

const modelOf = (profile: Profile, model: string): ModelConfig => ({
  name: 'm',
  apiKey: 'k',
  baseUrl: 'https://x.example',
  model,
  profile,
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
});
const messages = [{ role: 'user' as const, content: 'Say hello.' }];
const jsonSchema = { name: 'row', schema: { type: 'object' } };

function sent(
  profile: Profile,
  model: string,
  options: { isJson?: boolean; refused?: Dispensable[] } = {},
) {
  const ask = options.isJson ? { maxTokens: 600, jsonSchema } : { maxTokens: 600 };
  const refused = new Set(options.refused);
  return completionRequest(modelOf(profile, model), messages, ask, refused);
}

describe('what is sent', () => {
  test.each<[Profile, string, object]>([
    ['plain', 'mistral-small', { max_tokens: 600 }],
    ['plain', 'openai/gpt-oss-120b', { max_tokens: 1000, reasoning_effort: 'low' }],
    ['plain', 'deepseek-r1', { max_tokens: 1600 }],
    ['plain', 'qwen/qwen3-32b', { max_tokens: 1600 }],
    ['openai', 'gpt-4o-mini', { max_completion_tokens: 600 }],
    ['openai', 'gpt-5-mini', { max_completion_tokens: 1000, reasoning_effort: 'low' }],
    ['openai', 'o4-mini', { max_completion_tokens: 1000, reasoning_effort: 'low' }],
    ['groq', 'llama-4-scout', { max_completion_tokens: 600 }],
    ['groq', 'openai/gpt-oss-20b', { max_completion_tokens: 1000, reasoning_effort: 'low' }],
  ])('%s, %s: a stream, its usage asked for where it must be, and %o', (profile, model, own) => {
    expect(sent(profile, model)).toEqual({
      model,
      messages,
      stream: true,
      ...(profile === 'groq' ? {} : { stream_options: { include_usage: true } }),
      ...own,
    });
  });

  test('JSON is asked for as each API has it, without streaming at Groq', () => {
    const strict = { type: 'json_schema', json_schema: { ...jsonSchema, strict: true } };
    expect(sent('openai', 'gpt-4o', { isJson: true })).toMatchObject({
      stream: true,
      response_format: strict,
    });
    const groq = sent('groq', 'openai/gpt-oss-120b', { isJson: true });
    expect(groq).toMatchObject({ stream: false, response_format: strict });
    expect(groq).not.toHaveProperty('stream_options');
    expect(sent('groq', 'llama-3', { isJson: true })).toMatchObject({
      stream: false,
      response_format: { type: 'json_object' },
    });
    expect(sent('plain', 'any', { isJson: true })).not.toHaveProperty('response_format');
  });

  test('what was refused is left out, a cap only for the other', () => {
    expect(sent('plain', 'm', { refused: ['stream_options', 'max_tokens'] })).toEqual({
      model: 'm',
      messages,
      stream: true,
      max_completion_tokens: 600,
    });
    expect(
      sent('openai', 'gpt-5', { refused: ['reasoning_effort', 'max_completion_tokens'] }),
    ).toEqual(expect.objectContaining({ max_tokens: 1000 }));
    const plainJson = sent('groq', 'openai/gpt-oss-120b', {
      isJson: true,
      refused: ['response_format'],
    });
    expect(plainJson).toMatchObject({ stream: true });
    expect(plainJson).not.toHaveProperty('response_format');
  });
});

describe('a parameter that is refused', () => {
  const request = {
    max_tokens: 1,
    stream_options: {},
    reasoning_effort: 'low',
    response_format: {},
  };
  // As they were seen: repositories' issues, by the provider that answered.
  test.each([
    [
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      'max_tokens',
    ],
    ['Unrecognized request argument supplied: stream_options', 'stream_options'],
    ["Unknown parameter: 'stream_options'.", 'stream_options'],
    ['Argument not supported: stream_options', 'stream_options'],
    ["property 'reasoning_effort' is unsupported", 'reasoning_effort'],
    [
      '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
      'stream_options',
    ],
    ['This model does not support response format: response_format', 'response_format'],
  ])('%s', (body, name) => {
    expect(refusedParameter(body, request, new Set())).toBe(name);
  });

  test('is one that was sent, is refused by name, and is not the last cap', () => {
    const about = (body: string, refused: Dispensable[] = []) =>
      refusedParameter(body, request, new Set(refused));
    expect(about("Unsupported parameter: 'max_completion_tokens'")).toBeUndefined();
    expect(about("Unsupported parameter: 'temperature'")).toBeUndefined();
    expect(about('max_tokens is too large: 9000')).toBeUndefined();
    expect(about('Your prompt was refused for its content.')).toBeUndefined();
    expect(about("Unsupported parameter: 'max_tokens'", ['max_completion_tokens'])).toBeUndefined();
  });
});

test('a call takes prompt and cap of a limit, the larger of the two at OpenAI', () => {
  const long = [{ role: 'user' as const, content: 'x'.repeat(4000) }];
  const short = [{ role: 'user' as const, content: 'x'.repeat(400) }];
  const plain = modelOf('plain', 'm');
  expect(estimateTokens(plain, long, 600)).toBe(1000 + 4 + 600);
  expect(estimateTokens(modelOf('groq', 'openai/gpt-oss-120b'), long, 600)).toBe(1004 + 1000);
  expect(estimateTokens(modelOf('openai', 'gpt-4o'), long, 600)).toBe(1004);
  expect(estimateTokens(modelOf('openai', 'gpt-4o'), short, 600)).toBe(600);
  const wide = [{ role: 'user' as const, content: '工場'.repeat(100) }];
  expect(estimateTokens(plain, wide, 1)).toBe(200 + 4 + 1);
});

describe('an answer', () => {
  const event = (piece: object) => `data: ${JSON.stringify(piece)}\n\n`;
  const end = (finish_reason: string) => event({ choices: [{ delta: {}, finish_reason }] });
  const says = (content: string) => event({ choices: [{ delta: { content } }] });
  const usage = { prompt_tokens: 12, completion_tokens: 7 };
  const counted = { tokensIn: 12, tokensOut: 7 };

  test('is read with its usage, wherever that stands', () => {
    const choice = { message: { content: 'Hello' }, finish_reason: 'stop' };
    for (const body of [
      `${says('Hel')}${says('lo')}${end('stop')}${event({ choices: [], usage })}data: [DONE]\n\n`,
      `${says('Hello')}${event({ choices: [{ delta: {}, finish_reason: 'stop' }], x_groq: { usage } })}`,
      JSON.stringify({ choices: [choice], usage }),
    ])
      expect(readCompletion(body)).toEqual({ text: 'Hello', finish: 'stop', counted });
    expect(readCompletion(`${says('Hi')}${end('stop')}`).counted).toBeUndefined();
  });

  test.each([
    ['length', 'length'],
    ['model_length', 'length'],
    ['content_filter', 'content_filter'],
    ['stop', 'stop'],
    ['eos', 'stop'],
  ])('that ends with %s ended with %s', (reason, finish) => {
    expect(readCompletion(says('Hel') + end(reason))).toMatchObject({ text: 'Hel', finish });
  });

  test('that refuses is a refusal; what was thought is not read', () => {
    const refusal = event({ choices: [{ delta: { refusal: 'Sorry.' } }] });
    expect(readCompletion(refusal + end('stop'))).toMatchObject({
      text: 'Sorry.',
      finish: 'refusal',
    });
    const thought = event({ choices: [{ delta: { reasoning: 'Hm.', reasoning_content: 'Hm.' } }] });
    expect(readCompletion(thought + says('Hi') + end('stop')).text).toBe('Hi');
    expect(readCompletion(thought + end('length'))).toMatchObject({ text: '', finish: 'length' });
  });

  test.each([
    ['nothing at all', ''],
    ['a page', '<html></html>'],
    ['no end', says('Hel')],
    ['an end and nothing before it', 'data: [DONE]\n\n'],
    ['half an event', 'data: {"choices":\n\n'],
    ['half an object', '{"choices":'],
    ['an error', `${says('Hel')}${event({ error: { message: 'x' } })}`],
    ['an error without streaming', '{"error":{"message":"x"}}'],
    ['the end of one that failed', says('Hel') + end('error')],
  ])('of %s is tried again', (_, body) => {
    expect(() => readCompletion(body)).toThrow(expect.objectContaining({ refusal: 'retryable' }));
  });
});

test('what a model wrote instead of JSON is taken from Groq’s refusal', () => {
  const body = (error: object) => JSON.stringify({ error });
  expect(failedGeneration(body({ code: 'json_validate_failed', failed_generation: '{"' }))).toBe(
    '{"',
  );
  expect(failedGeneration(body({ code: 'invalid_prompt' }))).toBeUndefined();
  expect(failedGeneration('<html>')).toBeUndefined();
});
