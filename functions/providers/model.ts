import type { ModelConfig } from '../env.ts';
import { ProviderError } from './errors.pure.ts';
import type { ProviderCall } from './http.ts';
import { cleanText } from '../shared/text.pure.ts';

export type Message = { role: 'system' | 'user'; content: string };

/** One try: headers and stream, from the moment it has its slot. */
const timeoutMs = 20_000;
const longestAnswer = 8000;

type StreamChunk = {
  choices?: { delta?: { content?: unknown } | null; finish_reason?: unknown }[];
  error?: unknown;
} | null;

function readChunk(data: string): StreamChunk {
  try {
    return JSON.parse(data) as StreamChunk;
  } catch {
    throw new ProviderError('Model gave no readable answer', 'retryable');
  }
}

/** An answer that ran into its limit, up to its last whole sentence if it has one. */
const wholeSentences = (text: string): string => /^[^]*[.!?…](?=\s|$)/.exec(text)?.[0] ?? text;

/** Joins the text of a streamed answer. One that ends without `[DONE]` or a finish reason was cut. */
export async function readStream(response: Response): Promise<string> {
  let text = '';
  let finished = false;
  // Nothing is shown before the end, and the slot is free since the headers: the whole is read at once.
  for (const line of (await response.text()).split(/\r?\n/)) {
    if (!line.startsWith('data:')) continue;
    const data = line.slice(5).trim();
    if (data === '[DONE]') {
      finished = true;
      break;
    }
    const chunk = readChunk(data);
    if (chunk?.error) throw new ProviderError('Model reported an error', 'retryable');
    const choice = chunk?.choices?.[0];
    const content = choice?.delta?.content;
    if (typeof content === 'string') text += content;
    if (choice?.finish_reason) finished = true;
    if (choice?.finish_reason === 'length') return wholeSentences(text);
    if (text.length > longestAnswer) return text;
  }
  if (!finished) throw new ProviderError('Model broke off', 'retryable');
  return text;
}

/**
 * One answer of an OpenAI-compatible model, at most 8,000 characters; the stream frees the slot at its
 * first byte. Source: platform.openai.com/docs/api-reference/chat-streaming
 */
export const askModel = (
  config: ModelConfig,
  call: ProviderCall,
  messages: Message[],
  maxTokens: number,
  urgent: boolean,
): Promise<string> =>
  call.fetch(
    `${config.baseUrl}/chat/completions`,
    {
      method: 'POST',
      headers: { authorization: `Bearer ${config.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: config.model, messages, stream: true, max_tokens: maxTokens }),
      redirect: 'manual',
      signal: call.signal,
    },
    timeoutMs,
    async (response) => {
      call.accept(response);
      const text = cleanText(await readStream(response), longestAnswer);
      if (text === '') throw new ProviderError('Model wrote nothing', 'retryable');
      return text;
    },
    call.check,
    urgent,
  );
