import { hash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { sleep } from '../support/http.ts';
import { tokensOf, type Email } from './canned-email.ts';
import { textOf, type Completion } from './openai-request.ts';

type Outgoing = Pick<ServerResponse, 'writeHead' | 'write' | 'end' | 'destroy' | 'destroyed'>;

/** How many pieces a streamed letter comes in. More would cost time in load runs and show nothing. */
const PIECES = 5;

function usageOf(request: Completion, letter: Email) {
  const prompt = request.messages.reduce((sum, m) => sum + 4 + tokensOf(textOf(m)).length, 0);
  const written = letter.tokens.length;
  return {
    prompt_tokens: prompt,
    completion_tokens: written,
    total_tokens: prompt + written,
  };
}

const headOf = (request: Completion, object: string) => ({
  id: `chatcmpl-${hash('sha256', JSON.stringify(request.messages), 'hex').slice(0, 29)}`,
  object,
  created: Math.floor(Date.now() / 1000),
  model: request.model,
  system_fingerprint: 'fp_rowloom_local',
});

/** The answer without `stream`. https://platform.openai.com/docs/api-reference/chat/object */
export const completion = (request: Completion, letter: Email) => ({
  ...headOf(request, 'chat.completion'),
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: letter.text, refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: letter.finishReason,
    },
  ],
  usage: usageOf(request, letter),
});

/** The events of a streamed answer, grouped by the moment they go out. */
function eventsOf(request: Completion, letter: Email): string[] {
  const head = headOf(request, 'chat.completion.chunk');
  const withUsage = request.stream_options?.include_usage === true;
  const chunk = (delta: object, finish_reason: string | null = null) =>
    event({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...(withUsage ? { usage: null } : {}),
    });
  const size = Math.max(1, Math.ceil(letter.tokens.length / PIECES));
  const pieces: string[] = [];
  for (let at = 0; at < letter.tokens.length; at += size)
    pieces.push(chunk({ content: letter.tokens.slice(at, at + size).join('') }));
  const first = chunk({ role: 'assistant', content: '', refusal: null });
  const last = [
    chunk({}, letter.finishReason),
    ...(withUsage ? [event({ ...head, choices: [], usage: usageOf(request, letter) })] : []),
    'data: [DONE]\n\n',
  ].join('');
  return [first + (pieces.shift() ?? ''), ...pieces, last];
}

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;

/**
 * Streams the letter as Server-Sent Events over `streamMs`; with `cut` the connection ends in the
 * middle, without an end of the chunked body, as a crashed server's does.
 * https://platform.openai.com/docs/api-reference/chat-streaming
 */
export async function stream(
  outgoing: Outgoing,
  { request, letter, streamMs, cut }: StreamOptions,
): Promise<void> {
  const events = eventsOf(request, letter);
  const until = cut ? Math.ceil(events.length / 2) : events.length;
  const pauseMs = streamMs / Math.max(1, events.length - 1);
  outgoing.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-request-id': `req_${crypto.randomUUID().replaceAll('-', '')}`,
  });
  for (const [index, text] of events.slice(0, until).entries()) {
    if (index > 0 && pauseMs > 0) await sleep(pauseMs);
    if (outgoing.destroyed) return;
    outgoing.write(text);
  }
  if (!cut) {
    outgoing.end();
    return;
  }
  // Gives the pieces time to leave: destroying at once would also drop what is still buffered.
  await sleep(20);
  outgoing.destroy();
}

export type StreamOptions = {
  request: Completion;
  letter: Email;
  streamMs: number;
  cut: boolean;
};
