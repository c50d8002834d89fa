import type { ModelConfig } from '../env.ts';

export type Message = { role: 'system' | 'user'; content: string };

/** The shape of a structured answer: strict JSON Schema, every property required, no others. */
export type AnswerSchema = { name: string; schema: Record<string, unknown> };

/** What a call may ask for. `maxTokens`: of the answer alone, without what a model thinks before it. */
export type Ask = { maxTokens: number; jsonSchema?: AnswerSchema | undefined };

/** Parameters that some OpenAI-compatible APIs or models refuse, and that can be done without. */
const dispensable = [
  'max_tokens',
  'max_completion_tokens',
  'stream_options',
  'reasoning_effort',
  'response_format',
] as const;
export type Dispensable = (typeof dispensable)[number];

/** OpenAI's reasoning models, wherever they run: they take an effort. */
const takesEffort = /(^|\/)(gpt-oss|gpt-[5-9]|o[1-9])/i;
/** Others that think before they answer, by their names. */
const thinks = /deepseek-r|reason|think|qwq|qwen-?3|magistral|grok-[34]|minimax-m|glm-4\.[5-9]/i;
const thinkingTokens = 1000;
/** With `reasoning_effort` low; each token that is asked for counts against OpenAI's limit. */
const lowEffortTokens = 400;

/** The cap of a call: what is thought counts as well, and must not use up the answer's share. */
export const tokenCap = ({ model }: ModelConfig, maxTokens: number): number =>
  maxTokens + (takesEffort.test(model) ? lowEffortTokens : thinks.test(model) ? thinkingTokens : 0);

/** Four characters are a token, a character of Chinese, Japanese or Korean is one. */
export function tokensIn(text: string): number {
  const wide = text.match(/[\u2e80-\ud7ff\uf900-\uffef]/g)?.length ?? 0;
  return Math.ceil((text.length - wide) / 4 + wide);
}

const perMessage = 4;
export const promptTokens = (messages: readonly Message[]): number =>
  messages.reduce((sum, { content }) => sum + tokensIn(content) + perMessage, 0);

/**
 * What a call takes of a limit on tokens before it is answered. OpenAI: the larger of prompt and cap (its
 * guide on rate limits); Groq and, to be safe, others: both.
 */
export function estimateTokens(
  model: ModelConfig,
  messages: readonly Message[],
  maxTokens: number,
): number {
  const [prompt, cap] = [promptTokens(messages), tokenCap(model, maxTokens)];
  return model.profile === 'openai' ? Math.max(prompt, cap) : prompt + cap;
}

function limitOf(model: ModelConfig, maxTokens: number, refused: ReadonlySet<Dispensable>) {
  const names = ['max_tokens', 'max_completion_tokens'] as const;
  const preferred = model.profile === 'plain' ? names : names.toReversed();
  const name = preferred.find((each) => !refused.has(each));
  return name && { [name]: tokenCap(model, maxTokens) };
}

/** Groq has schemas for these alone (console.groq.com/docs/structured-outputs), JSON mode for all. */
const groqSchemas = /gpt-oss|kimi-k2|llama-4/i;

/** `plain` promises neither: there the prompt asks for JSON, and what comes is validated anyway. */
function formatOf({ profile, model }: ModelConfig, { jsonSchema }: Ask) {
  if (!jsonSchema || profile === 'plain') return undefined;
  if (profile === 'groq' && !groqSchemas.test(model)) return { type: 'json_object' };
  return { type: 'json_schema', json_schema: { ...jsonSchema, strict: true } };
}

/**
 * A request as this API and this model take it, without what they have refused. It is streamed, so that
 * the slot is free at the first byte; Groq refuses that together with a format.
 */
export function completionRequest(
  model: ModelConfig,
  messages: readonly Message[],
  ask: Ask,
  refused: ReadonlySet<Dispensable>,
): Record<string, unknown> {
  const format = refused.has('response_format') ? undefined : formatOf(model, ask);
  const isStreamed = !(model.profile === 'groq' && format);
  // Groq tells it in any case.
  const tellsUsageIfAsked = model.profile !== 'groq' && !refused.has('stream_options');
  const hasEffort = takesEffort.test(model.model) && !refused.has('reasoning_effort');
  return {
    model: model.model,
    messages,
    stream: isStreamed,
    ...(isStreamed && tellsUsageIfAsked ? { stream_options: { include_usage: true } } : {}),
    ...limitOf(model, ask.maxTokens, refused),
    ...(hasEffort ? { reasoning_effort: 'low' } : {}),
    ...(format ? { response_format: format } : {}),
  };
}

const refusing =
  /un(supported|known|recogni[sz]ed|expected|permitted)|not (be )?(support|permit|allow|accept|recogni[sz]e|play)|extra (inputs?|fields?|arguments?)|deprecated/i;

/** Caps under two names: one of them is always sent. */
const otherCap: Partial<Record<Dispensable, Dispensable>> = {
  max_tokens: 'max_completion_tokens',
  max_completion_tokens: 'max_tokens',
};

/** The parameter that a 400 refuses, of those that can be done without; undefined: it is none of them. */
export function refusedParameter(
  body: string,
  request: Record<string, unknown>,
  refused: ReadonlySet<Dispensable>,
): Dispensable | undefined {
  if (!refusing.test(body)) return undefined;
  return dispensable.find((name) => {
    const other = otherCap[name];
    const isNeeded = other !== undefined && refused.has(other);
    return name in request && !isNeeded && new RegExp(`\\b${name}\\b`).test(body);
  });
}
