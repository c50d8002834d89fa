import type { ModelConfig } from '../env.ts';
import { cleanText } from '../shared/text.pure.ts';
import { ProviderError } from './errors.pure.ts';
import type { ProviderCall } from './call-provider.ts';
import { failedGeneration, type Finish, readCompletion } from './model-answer.pure.ts';
import {
  type Ask,
  completionRequest,
  type Dispensable,
  type Message,
  promptTokens,
  refusedParameter,
  tokensIn,
} from './model-params.pure.ts';

export type { Finish } from './model-answer.pure.ts';
export { type AnswerSchema, estimateTokens, type Message } from './model-params.pure.ts';

/** What an answer took, what was thought included; `isEstimated`: its provider does not tell. */
export type TokenUsage = { tokensIn: number; tokensOut: number; isEstimated: boolean };

/** An answer as it came, at most 32,000 characters: it may be cut, blocked or a refusal (`finish`). */
export type ModelAnswer = { text: string; finish: Finish; usage: TokenUsage };

/** The smallest question there is, to see whether a model answers; for `probeTokens` at most. */
export const probeMessages: Message[] = [{ role: 'user', content: 'Answer with the word ok.' }];
export const probeTokens = 16;

/** One try: headers and stream, from the moment it has its slot. */
const timeoutMs = 20_000;
const longestAnswer = 32_000;
const longestError = 4000;

/** What each model has refused in this isolate, so that it is not asked for again. */
const refusals = new Map<string, Set<Dispensable>>();
const refusalsOf = ({ baseUrl, model }: ModelConfig): Set<Dispensable> => {
  const key = `${baseUrl}\n${model}`;
  const refused = refusals.get(key) ?? new Set();
  refusals.set(key, refused);
  return refused;
};

type Exchange = {
  call: ProviderCall;
  messages: readonly Message[];
  request: Record<string, unknown>;
  refused: Set<Dispensable>;
};

const estimated = (text: string, finish: Finish, messages: readonly Message[]): ModelAnswer => ({
  text: cleanText(text, longestAnswer),
  finish: text.length > longestAnswer && finish === 'stop' ? 'length' : finish,
  usage: { tokensIn: promptTokens(messages), tokensOut: tokensIn(text), isEstimated: true },
});

async function readAnswered(response: Response, { messages }: Exchange): Promise<ModelAnswer> {
  const { text, finish, counted } = readCompletion(await response.text());
  const answer = estimated(text, finish, messages);
  return counted ? { ...answer, usage: { ...counted, isEstimated: false } } : answer;
}

/**
 * Learns from a 400 or 422 which parameter to do without, or answers with what the model wrote instead of
 * JSON; undefined: ask again. Throws what `accept` makes of any other.
 */
async function readMalformed(
  response: Response,
  { call, messages, refused, request }: Exchange,
): Promise<ModelAnswer | undefined> {
  // A copy: what else there is to learn of the body is left to `accept`.
  const body = (await response.clone().text()).slice(0, longestError);
  const written = failedGeneration(body);
  if (written !== undefined) return estimated(written, 'stop', messages);
  const parameter = refusedParameter(body, request, refused);
  if (parameter) return void refused.add(parameter);
  await call.accept(response);
  throw new ProviderError('Model gave no readable answer', 'retryable');
}

/**
 * One answer of an OpenAI-compatible model; a stream frees the slot at its first byte. A parameter that
 * the model refuses is left out in a second request, and from then on. Throws `ProviderError`.
 */
export async function askModel(
  model: ModelConfig,
  call: ProviderCall,
  messages: readonly Message[],
  { urgent, ...ask }: Ask & { urgent: boolean },
): Promise<ModelAnswer> {
  const refused = refusalsOf(model);
  // Each parameter is refused once: no more requests than there are of them.
  for (;;) {
    const request = completionRequest(model, messages, ask, refused);
    const exchange = { call, messages, request, refused };
    const answer = await call.fetch(
      `${model.baseUrl}/chat/completions`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${model.apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(request),
        redirect: 'manual',
        signal: call.signal,
      },
      timeoutMs,
      async (response) => {
        if (response.status === 400 || response.status === 422)
          return readMalformed(response, exchange);
        // At once: whoever has the slot next must know of a 429.
        await call.accept(response);
        return readAnswered(response, exchange);
      },
      call.check,
      urgent,
    );
    if (answer) return answer;
  }
}
