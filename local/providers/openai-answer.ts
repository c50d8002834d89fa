import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { hash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { sleep } from '../support/http.ts';
import { cannedText } from './canned-email.ts';
import { errorBody, knownProblem } from './openai-errors.ts';
import { reasons, textOf, type Completion } from './openai-request.ts';
import type { Scripted, Settings } from './settings.ts';

type Answer = ReturnType<typeof writeAnswer>;
type Entry = Scripted | undefined;
/** What is asked, how it is played and what comes of it. */
type Exchange = { request: Completion; settings: Settings; entry: Entry; answer: Answer };

/** How many pieces a streamed answer comes in. More would cost time in load runs and show nothing. */
const pieceCount = 5;
const refused = "I'm sorry, I can't assist with that request.";
const thought = 'The user wants a text about a company. '.split(/(?<= )/);
const effortTokens: Record<string, number> = { low: 40, medium: 160, high: 640 };

/** Rough tokens of an answer: a word with the space before it. */
const tokensOf = (text: string): string[] => text.match(/\s*\S+/g) ?? [];
/** Tokens of a prompt as OpenAI estimates them for its limits, by characters. */
export const promptTokens = (said: string): number => Math.ceil(said.length / 4);

function broken(text: string, kind: Scripted['kind'] | undefined): string {
  if (kind === 'broken-json') return text.slice(0, -Math.ceil(text.length / 4));
  if (!text.startsWith('{') || (kind !== 'wrong-shape' && kind !== 'wrong-type')) return text;
  const [[first] = [''], ...others] = Object.entries(JSON.parse(text) as object);
  if (kind === 'wrong-type') return JSON.stringify({ [first]: {}, ...Object.fromEntries(others) });
  return JSON.stringify({ ...Object.fromEntries(others), surprise: 1 });
}

function stopped(text: string, stop: Completion['stop']): string {
  const ends = [stop ?? []].flat().map((sequence) => text.indexOf(sequence));
  return text.slice(0, Math.min(...ends.filter((at) => at >= 0), text.length));
}

/** Writes the answer: reasoning first, then as many words as the request's limit leaves. */
export function writeAnswer(request: Completion, settings: Settings, entry: Entry) {
  const { kind } = entry ?? {};
  const refusal = kind === 'refusal' ? refused : null;
  const written = kind === 'text' ? (entry?.text ?? '') : cannedText(request);
  const all = tokensOf(refusal ?? stopped(broken(written, kind), request.stop));
  const isHalf = kind === 'length' || kind === 'content-filter';
  const most = isHalf ? Math.ceil(all.length / 2) : Infinity;
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Infinity;
  const effort = effortTokens[request.reasoning_effort ?? 'medium'] ?? 0;
  const thinking = reasons(settings.profile, request) ? (settings.reasoningTokens ?? effort) : 0;
  const length = Math.min(thinking, limit);
  const reasoning = Array.from({ length }, (_, i) => thought[i % thought.length] ?? '');
  const tokens = all.slice(0, Math.min(most, limit - length));
  const cut = kind === 'content-filter' ? 'content_filter' : 'length';
  return { tokens, reasoning, refusal, finishReason: tokens.length < all.length ? cut : 'stop' };
}

/** https://platform.openai.com/docs/api-reference/chat/object and groq-sdk's `CompletionUsage` */
export function usageOf({ request, settings, answer }: Exchange) {
  const prompt_tokens = promptTokens(request.messages.map(textOf).join('\n'));
  const completion_tokens = answer.reasoning.length + answer.tokens.length;
  const details = { completion_tokens_details: { reasoning_tokens: answer.reasoning.length } };
  const seconds = { queue_time: 0.01, prompt_time: 0.01, completion_time: 0.1, total_time: 0.11 };
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    ...(answer.reasoning.length > 0 || settings.profile === 'openai' ? details : {}),
    ...(settings.profile === 'groq' ? seconds : {}),
  };
}

const headOf = ({ request }: Exchange, object: string) => ({
  id: `chatcmpl-${hash('sha256', JSON.stringify(request.messages), 'hex').slice(0, 29)}`,
  object,
  created: Math.floor(Date.now() / 1000),
  model: request.model,
  system_fingerprint: 'fp_rowloom_local',
});
const groqId = () => ({ id: `req_${crypto.randomUUID().replaceAll('-', '')}` });
const showsReasoning = ({ request, settings, answer }: Exchange) =>
  settings.profile === 'groq' && answer.reasoning.length > 0 && request.include_reasoning !== false;

/** The answer without `stream`. */
export function completion(exchange: Exchange) {
  const { answer, settings } = exchange;
  const [text, isGroq] = [answer.tokens.join(''), settings.profile === 'groq'];
  const reasoning = showsReasoning(exchange) ? { reasoning: answer.reasoning.join('') } : {};
  const own = isGroq
    ? { content: text, ...reasoning }
    : { content: answer.refusal ? null : text, refusal: answer.refusal && text, annotations: [] };
  const message = { role: 'assistant', ...own };
  return {
    ...headOf(exchange, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, finish_reason: answer.finishReason }],
    usage: usageOf(exchange),
    ...(isGroq ? { service_tier: 'on_demand', x_groq: groqId() } : {}),
  };
}

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;

/** The events of a streamed answer, grouped by the moment they go out. */
function eventsOf(exchange: Exchange): string[] {
  const { request, settings, answer } = exchange;
  const [head, isGroq] = [headOf(exchange, 'chat.completion.chunk'), settings.profile === 'groq'];
  const withUsage = request.stream_options?.include_usage === true;
  const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) =>
    event({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...(withUsage && !isGroq ? { usage: null } : {}),
      ...more,
    });
  const size = Math.max(1, Math.ceil(answer.tokens.length / pieceCount));
  const pieces: string[] = [];
  for (let at = 0; at < answer.tokens.length; at += size) {
    const text = answer.tokens.slice(at, at + size).join('');
    pieces.push(chunk(answer.refusal && !isGroq ? { refusal: text } : { content: text }));
  }
  if (showsReasoning(exchange)) pieces.unshift(chunk({ reasoning: answer.reasoning.join('') }));
  const [usage, id] = [usageOf(exchange), groqId()];
  const used = isGroq ? { x_groq: { ...id, usage } } : { usage };
  const first = isGroq
    ? chunk({ role: 'assistant', content: '' }, null, { x_groq: id })
    : chunk({ role: 'assistant', content: '', refusal: null });
  const last = chunk({}, answer.finishReason, isGroq ? used : {});
  const extra = withUsage ? event({ ...head, choices: [], ...used }) : '';
  return [first + (pieces.shift() ?? ''), ...pieces, `${last}${extra}data: [DONE]\n\n`];
}

/**
 * Streams an answer as Server-Sent Events over `llmStreamMs`. The script may cut the connection without
 * an end of the chunked body, as a crashed server's does, end it early, or put an error in (OpenAI's
 * are plain data, Groq's an event `error`: sashabaranov/go-openai#1057).
 */
export async function stream(
  outgoing: ServerResponse,
  exchange: Exchange,
  headers: Record<string, string>,
): Promise<Response> {
  const { entry, settings } = exchange;
  const events = eventsOf(exchange);
  const kind = entry && ['cut', 'unfinished', 'stream-error'].find((kind) => kind === entry.kind);
  const until = kind ? (entry?.chunks ?? Math.ceil(events.length / 2)) : events.length;
  const pauseMs = settings.llmStreamMs / Math.max(1, events.length - 1);
  const type = { 'content-type': 'text/event-stream; charset=utf-8' };
  outgoing.writeHead(200, { ...type, 'cache-control': 'no-cache', ...headers }).flushHeaders();
  for (const [index, text] of events.slice(0, until).entries()) {
    if (index > 0 && pauseMs > 0) await sleep(pauseMs);
    if (outgoing.destroyed) return RESPONSE_ALREADY_SENT;
    outgoing.write(text);
  }
  const problem = kind === 'stream-error' && knownProblem(settings.profile, 'error');
  const name = settings.profile === 'groq' ? 'event: error\n' : '';
  if (problem) outgoing.write(name + event(errorBody(settings.profile, problem)));
  // Gives the pieces time to leave: destroying at once would also drop what is still buffered.
  if (kind === 'cut') await sleep(20).then(() => outgoing.destroy());
  else outgoing.end();
  return RESPONSE_ALREADY_SENT;
}
