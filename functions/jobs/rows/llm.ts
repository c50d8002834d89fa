import type { RowInput } from './processor.ts';
import { ProviderError, refuseUnlessOk, withRetries } from './retry.ts';

const timeoutMs = 45_000;
const longestAnswer = 8000;

export type Message = { role: 'system' | 'user'; content: string };

type StreamChunk = {
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[];
  error?: { message?: string };
};

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
    const chunk = JSON.parse(data) as StreamChunk;
    if (chunk.error) throw new ProviderError('The model reported an error', true);
    const choice = chunk.choices?.[0];
    text += choice?.delta?.content ?? '';
    if (choice?.finish_reason) finished = true;
    if (text.length > longestAnswer) return text.slice(0, longestAnswer);
  }
  if (!finished) throw new ProviderError('The model broke off', true);
  return text;
}

// oxlint-disable-next-line no-control-regex -- line ends and tabs stay, the rest of the control characters go
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Asks an OpenAI-compatible model; the stream frees the slot at its first byte. */
export const complete = (input: RowInput, messages: Message[]): Promise<string> =>
  withRetries('Model', () =>
    input.fetch(
      `${input.config.llm.baseUrl}/chat/completions`,
      {
        method: 'POST',
        headers: {
          authorization: `Bearer ${input.config.llm.apiKey}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({
          model: input.config.llm.model,
          messages,
          stream: true,
          max_tokens: 600,
        }),
      },
      timeoutMs,
      async (response) => {
        refuseUnlessOk('Model', response);
        const text = (await readStream(response)).replace(control, '').trim();
        if (text === '') throw new ProviderError('The model wrote nothing', true);
        return text;
      },
    ),
  );
