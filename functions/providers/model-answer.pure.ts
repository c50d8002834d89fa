import { ProviderError } from './errors.pure.ts';

/** How an answer ended; `refusal`: the text is what the model says instead of an answer. */
export type Finish = 'stop' | 'length' | 'content_filter' | 'refusal';

/** Tokens as the provider counted them, what was thought included; undefined: it did not tell. */
type Counted = { tokensIn: number; tokensOut: number };
type Reply = { text: string; finish: Finish; counted: Counted | undefined };

type Part = { content?: unknown; refusal?: unknown } | null;
type Usage = { prompt_tokens?: unknown; completion_tokens?: unknown } | null;
type Piece = {
  choices?: { delta?: Part; message?: Part; finish_reason?: unknown }[];
  usage?: Usage;
  x_groq?: { usage?: Usage } | null;
  error?: unknown;
} | null;

const unreadable = () => new ProviderError('Model gave no readable answer', 'retryable');

function parsePiece(json: string): Piece {
  let piece: Piece;
  try {
    piece = JSON.parse(json) as Piece;
  } catch {
    throw unreadable();
  }
  if (piece?.error) throw new ProviderError('Model reported an error', 'retryable');
  return piece;
}

/** An answer's pieces: one without streaming, those before `[DONE]` with it. */
function piecesOf(body: string): { pieces: Piece[]; isDone: boolean } {
  if (body.trimStart().startsWith('{')) return { pieces: [parsePiece(body)], isDone: false };
  const pieces: Piece[] = [];
  for (const line of body.split(/\r?\n/)) {
    if (!line.startsWith('data:')) continue;
    const data = line.slice(5).trim();
    if (data === '[DONE]') return { pieces, isDone: true };
    pieces.push(parsePiece(data));
  }
  return { pieces, isDone: false };
}

function finishOf(reason: unknown): Finish | undefined {
  if (typeof reason !== 'string' || reason === '') return undefined;
  if (reason === 'error') throw new ProviderError('Model reported an error', 'retryable');
  if (/length|max_tokens/.test(reason)) return 'length';
  return reason === 'content_filter' ? 'content_filter' : 'stop';
}

function countedIn(piece: Piece): Counted | undefined {
  const usage = piece?.usage ?? piece?.x_groq?.usage;
  const { prompt_tokens: tokensIn, completion_tokens: tokensOut } = usage ?? {};
  return isCount(tokensIn) && isCount(tokensOut) ? { tokensIn, tokensOut } : undefined;
}
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

const stringOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * Joins an answer, streamed or not. What a model thinks stands in fields of its own, which are not read.
 * Throws a retryable `ProviderError` for one that ends without `[DONE]` and a finish reason (it was cut),
 * reports an error, or cannot be read. Source: platform.openai.com/docs/api-reference/chat-streaming
 */
export function readCompletion(body: string): Reply {
  const { pieces, isDone } = piecesOf(body);
  let [text, refusal] = ['', ''];
  let finish: Finish | undefined;
  let counted: Counted | undefined;
  for (const piece of pieces) {
    const choice = piece?.choices?.[0];
    const part = choice?.delta ?? choice?.message;
    text += stringOf(part?.content);
    refusal += stringOf(part?.refusal);
    finish = finishOf(choice?.finish_reason) ?? finish;
    counted = countedIn(piece) ?? counted;
  }
  if (!finish && !isDone) throw new ProviderError('Model broke off', 'retryable');
  if (!finish && text + refusal === '') throw new ProviderError('Model wrote nothing', 'retryable');
  return refusal === ''
    ? { text, finish: finish ?? 'stop', counted }
    : { text: refusal, finish: 'refusal', counted };
}

/** What the model wrote where Groq found that it is not JSON: an answer, if a broken one. */
export function failedGeneration(errorBody: string): string | undefined {
  try {
    const { error } = JSON.parse(errorBody) as {
      error?: { code?: unknown; failed_generation?: unknown } | null;
    };
    return error?.code === 'json_validate_failed' ? stringOf(error.failed_generation) : undefined;
  } catch {
    return undefined;
  }
}
