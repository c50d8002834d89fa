import { createHash } from 'node:crypto';
import { type Outage, outageKinds, type Plan } from './chaos-plan.ts';
import type { Tally } from './chaos-tally.ts';

export type Provider = 'search' | 'complete';

/** Ways to fail now and then and how often, of 100. `hangs` ends with the caller's patience. */
const failures: [kind: string, share: number][] = [
  ['400', 15],
  ['403', 5],
  ['500', 46],
  ['429', 1],
  ['cut stream', 12],
  ['garbage', 8],
  ['nothing', 6],
  ['hangs up', 6],
  ['hangs', 1],
];

/** Of an outage that spares some calls: how many it does not, of 100. */
const mostCalls = 85;

/** A number in 0–1 that depends on its parts only: the same plan fails in the same places. */
const chance = (...parts: (string | number)[]): number =>
  createHash('sha256').update(parts.join('\0')).digest().readUInt32BE() / 2 ** 32;

const letter = (text: string, end = 'data: [DONE]\n\n'): Response =>
  new Response(`data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n${end}`);

/** No two letters are alike, so that it shows when one that was paid for is replaced by another. */
const answerOf = (provider: Provider, name: string, nth: number): Response =>
  provider === 'search'
    ? Response.json({ organic: [{ title: name, snippet: `about ${name}` }] })
    : letter(`Subject: Hello\n\nDear ${name} (${nth})`);

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

const afterSeconds = (seconds?: string): Response =>
  new Response('slow down', {
    status: 429,
    headers: seconds === undefined ? {} : { 'retry-after': seconds },
  });

async function fail(kind: string, provider: Provider, luck: number, init: RequestInit) {
  switch (kind) {
    case '429':
      return afterSeconds(luck < 0.4 ? '1' : luck < 0.5 ? '30' : undefined);
    case '429 for 2 s':
    case '429 for 40 s':
      return afterSeconds(kind.split(' ')[2]);
    case 'cut stream':
      return provider === 'search' ? brokenBody() : letter('Dear', '');
    case 'garbage':
      return new Response(provider === 'search' ? '<html>' : 'data: <html>\n\n');
    case 'nothing':
      return provider === 'search' ? new Response('', { status: 502 }) : letter('');
    case 'hangs':
      return untilAborted(init.signal);
    case 'hangs up':
      throw new TypeError('fetch failed');
    default:
      return new Response('no', { status: Number(kind) });
  }
}

/** Whom a request is about: a row, or nobody if it is a probe. Letters have the name in the row's lines. */
export const nameIn = (init: RequestInit): string =>
  /lead \d+/.exec(typeof init.body === 'string' ? init.body : '')?.[0] ?? 'nobody';

/** Outages that have begun, with their end (ms since 1970). */
type Begun = Outage & { untilMs: number };

/** Search and model as functions, each answering by the row; `failing` percent of requests fail. */
export class ChaosProviders {
  readonly #plan: Plan['providers'];
  readonly #tally: Tally;
  readonly #now: () => Date;
  readonly #tries = new Map<string, number>();
  #left: Outage[];
  #begun: Begun[] = [];
  readonly #whole = new WeakSet<Response>();
  #calls = { search: 0, complete: 0 };

  constructor(plan: Plan['providers'], { tally, now }: { tally: Tally; now: () => Date }) {
    this.#plan = plan;
    this.#left = [...plan.outages];
    this.#tally = tally;
    this.#now = now;
  }

  /** Outages that no call has met yet do not come any more. */
  calm(): void {
    this.#left = [];
  }

  /** Whether a provider lets nobody through, or few, at this time. */
  isAway = (provider: Provider): boolean => this.#outageOf(provider) !== undefined;

  call = async (provider: Provider, init: RequestInit): Promise<Response> => {
    const name = nameIn(init);
    const key = `${provider} ${name}`;
    const nth = (this.#tries.get(key) ?? 0) + 1;
    this.#tries.set(key, nth);
    this.#begin(provider);
    const { seed, failing } = this.#plan;
    const outage = this.#outageOf(provider);
    const luck = chance(seed, key, nth, 'luck');
    if (outage && (outage.share === 'all' || luck * 100 < mostCalls)) {
      this.#tally.count(`away: ${outage.kind}`);
      return fail(outage.kind, provider, luck, init);
    }
    if (chance(seed, key, nth) * 100 >= failing) {
      const whole = answerOf(provider, name, nth);
      this.#whole.add(whole);
      return whole;
    }
    let left = chance(seed, key, nth, 'kind') * 100;
    const [kind] = failures.find(([, share]) => (left -= share) < 0) ?? ['hangs up'];
    this.#tally.count(`provider: ${kind}`);
    return fail(kind, provider, luck, init);
  };

  /** Whether an answer is as it should be, and is paid for. */
  isWhole = (answer: Response): boolean => this.#whole.has(answer);

  #begin(provider: Provider): void {
    this.#calls[provider] += 1;
    const isDue = (outage: Outage) =>
      outage.provider === provider && outage.from < this.#calls[provider];
    const nowMs = this.#now().getTime();
    for (const outage of this.#left.filter(isDue))
      this.#begun.push({ ...outage, untilMs: nowMs + outage.seconds * 1000 });
    this.#left = this.#left.filter((outage) => !isDue(outage));
  }

  #outageOf(provider: Provider): Begun | undefined {
    const nowMs = this.#now().getTime();
    return this.#begun.find((one) => one.provider === provider && nowMs < one.untilMs);
  }
}

export const providerFailures = [
  ...failures.map(([kind]) => `provider: ${kind}`),
  ...outageKinds.map((kind) => `away: ${kind}`),
];
