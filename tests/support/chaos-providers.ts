import { createHash } from 'node:crypto';
import type { Tally } from './chaos-tally.ts';

export type Provider = 'search' | 'complete';

/** Ways to fail and how often, of 100. `hangs` ends with the caller's patience. */
const failures: [kind: string, share: number][] = [
  ['403', 30],
  ['500', 22],
  ['429', 15],
  ['cut stream', 12],
  ['garbage', 8],
  ['nothing', 6],
  ['hangs up', 6],
  ['hangs', 1],
];

/** A number in 0–1 that depends on its parts only: the same plan fails in the same places. */
const chance = (...parts: (string | number)[]): number =>
  createHash('sha256').update(parts.join('\0')).digest().readUInt32BE() / 2 ** 32;

const letter = (text: string, end = 'data: [DONE]\n\n'): Response =>
  new Response(`data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n${end}`);

/** No two letters are alike, so that it shows when one that was paid for is replaced by another. */
const answerOf = (provider: Provider, name: string, nth: number): Response =>
  provider === 'search'
    ? Response.json({ organic: [{ title: name, snippet: `about ${name}` }] })
    : letter(`Dear ${name} (${nth})`);

/** A body that breaks off in the middle. */
const brokenBody = (): Response =>
  new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"organic":[{"ti'));
        controller.error(new TypeError('terminated'));
      },
    }),
  );

const untilAborted = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error));
  });

async function fail(kind: string, provider: Provider, luck: number, init: RequestInit) {
  switch (kind) {
    case '403':
      return new Response('no', { status: 403 });
    case '500':
      return new Response('oops', { status: 500 });
    case '429': {
      const seconds = luck < 0.4 ? '1' : luck < 0.5 ? '90' : undefined;
      const headers = seconds === undefined ? {} : { 'retry-after': seconds };
      return new Response('slow down', { status: 429, headers });
    }
    case 'cut stream':
      return provider === 'search' ? brokenBody() : letter('Dear', '');
    case 'garbage':
      return new Response(provider === 'search' ? '<html>' : 'data: <html>\n\n');
    case 'nothing':
      return provider === 'search' ? new Response('', { status: 502 }) : letter(' ');
    case 'hangs':
      return untilAborted(init.signal);
    default:
      throw new TypeError('fetch failed');
  }
}

/** Whom a request is about. Searches ask for the name; letters have it in the row's lines. */
const nameIn = (body: string): string => /lead \d+/.exec(body)?.[0] ?? 'nobody';

/** Search and model as functions, each answering by the row; `failing` percent of requests fail. */
export function chaosProviders(options: { failing: number; seed: number }, tally: Tally) {
  const tries = new Map<string, number>();
  return async (provider: Provider, init: RequestInit): Promise<Response> => {
    const name = nameIn(typeof init.body === 'string' ? init.body : '');
    const key = `${provider} ${name}`;
    const nth = (tries.get(key) ?? 0) + 1;
    tries.set(key, nth);
    if (chance(options.seed, key, nth) * 100 >= options.failing)
      return answerOf(provider, name, nth);
    let left = chance(options.seed, key, nth, 'kind') * 100;
    const [kind] = failures.find(([, share]) => (left -= share) < 0) ?? ['hangs up'];
    tally.count(`provider: ${kind}`);
    return fail(kind, provider, chance(options.seed, key, nth, 'luck'), init);
  };
}

export const providerFailures = failures.map(([kind]) => `provider: ${kind}`);
