import Stripe from 'stripe';

/** The API version that our code reads and that `stripe:setup` pins the webhook endpoint to. */
export const stripeApiVersion = '2026-10-28.endive';

type Transport = ReturnType<typeof Stripe.createFetchHttpClient>;
type Request = Parameters<Transport['makeRequest']>;
type Response = Awaited<ReturnType<Transport['makeRequest']>>;
type Headers = ReturnType<Response['getHeaders']>;
/** Our own key was refused: it is wrong (401) or may not do this (403). */
export type Refusal = { status: 401 | 403; /** Such as `/v1/prices`. */ resource: string };

type Timing = { tries: number; delayMs: number; longestWaitMs: number };

/** An answer that was read to its end. What is not Stripe's JSON becomes Stripe's form of an error. */
class Answer implements Response {
  readonly #status: number;
  readonly #headers: Headers;
  readonly #body: unknown;

  constructor(status: number, headers: Headers, body: unknown) {
    const isObject = body !== null && typeof body === 'object';
    const isUnclear = !isObject || (status >= 400 && !('error' in body));
    this.#status = isUnclear && status < 400 ? 502 : status;
    this.#headers = headers;
    this.#body = isUnclear ? { error: { type: 'api_error', message: 'Unclear answer.' } } : body;
  }

  getStatusCode = () => this.#status;
  getHeaders = () => this.#headers;
  getRawResponse = () => ({ headers: this.#headers });
  toJSON = () => Promise.resolve(this.#body);
  toStream = (): never => {
    throw new Error('No call of ours streams its answer.');
  };

  /** Whether the same call may fare better: 409 is an idempotency key whose first call still runs. */
  get isPassing(): boolean {
    const advice = this.#headers['stripe-should-retry'];
    if (this.#status === 429 || advice === 'true') return true;
    return advice !== 'false' && (this.#status === 409 || this.#status >= 500);
  }

  /** How long Stripe asks to wait; seconds or a date (RFC 9110, 10.2.3). */
  get retryAfterMs(): number {
    const given = String(this.#headers['retry-after'] ?? '').trim();
    if (/^\d+$/.test(given)) return Number(given) * 1000;
    return given === '' ? 0 : Math.max(0, Date.parse(given) - Date.now()) || 0;
  }
}

async function ask(inner: Transport, request: Request): Promise<Answer> {
  const response = await inner.makeRequest(...request);
  let body: unknown;
  try {
    body = await response.toJSON();
  } catch (error) {
    // A body that broke off is a lost connection; one that is no JSON is an unclear answer.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return new Answer(response.getStatusCode(), response.getHeaders(), body);
}

/** The SDK would try ECONNRESET and EPIPE once more by itself: it gets a failure without that code. */
const lastWord = (error: unknown): unknown =>
  (error as { code?: string }).code === 'ETIMEDOUT'
    ? error
    : new TypeError('The connection to Stripe failed.', { cause: error });

/** The path of a call without ids and parameters. */
const resourceOf = ([, , path]: Request): string => /^(\/\w+){1,2}/.exec(path)?.[0] ?? path;

/** Half to whole of an exponential step, and never less than Stripe asks for. */
const waitMs = (answer: Answer | undefined, attempt: number, delayMs: number): number =>
  Math.max(delayMs * 2 ** (attempt - 1) * (1 + Math.random()) * 0.5, answer?.retryAfterMs ?? 0);

/**
 * Tries a call again on 429, 409, 5xx, timeouts and lost connections: with the same idempotency key,
 * exponential backoff with jitter, `Retry-After` honoured (a wait that is too long for a person is
 * left to the caller). The SDK's own retries leave 429 and `Retry-After` out, and take a 5xx without
 * an `error` for success, so they are off.
 * Source: stripe-node 23.1.0, RequestSender._shouldRetry; docs.stripe.com/rate-limits
 */
export function withStripeRetries(
  inner: Transport,
  timing: Timing,
  onRefused?: (refusal: Refusal) => Promise<void>,
): Transport {
  return {
    getClientName: () => inner.getClientName(),
    makeRequest: async (...request) => {
      for (let attempt = 1; ; attempt += 1) {
        let answer: Answer | undefined;
        let failure: unknown;
        try {
          answer = await ask(inner, request);
        } catch (error) {
          failure = error;
        }
        const wait = waitMs(answer, attempt, timing.delayMs);
        const mayRetry = attempt < timing.tries && wait <= timing.longestWaitMs;
        if (answer && !(answer.isPassing && mayRetry)) {
          const status = answer.getStatusCode();
          if (status === 401 || status === 403)
            await onRefused?.({ status, resource: resourceOf(request) });
          return answer;
        }
        if (!mayRetry) throw lastWord(failure);
        await new Promise((resolve) => {
          setTimeout(resolve, wait);
        });
      }
    },
  };
}

export type StripeOptions = {
  secretKey: string;
  apiBase?: string | undefined;
  timeoutMs?: number;
  retryDelayMs?: number;
  /** Told, before the caller is, when Stripe refuses the key. */
  onRefused?: (refusal: Refusal) => Promise<void>;
};

/** By which options a client was made. */
const optionsOf = new WeakMap<Stripe, StripeOptions>();

/** A Stripe client for Workers: fetch, 10 s a try, three tries. `apiBase` names a stand-in. */
export function createStripe(options: StripeOptions): Stripe {
  const stripe = clientOf(options, Stripe.createFetchHttpClient());
  optionsOf.set(stripe, options);
  return stripe;
}

/**
 * A client like this one that awaits `turn` before each try, so that its calls can be paced and counted.
 * @throws Error for a client that `createStripe` did not make
 */
export function inTurn(stripe: Stripe, turn: () => Promise<void>): Stripe {
  const options = optionsOf.get(stripe);
  if (!options) throw new Error('Only a client of ours can be paced.');
  const inner = Stripe.createFetchHttpClient();
  return clientOf(options, {
    getClientName: () => inner.getClientName(),
    makeRequest: async (...request) => {
      await turn();
      return inner.makeRequest(...request);
    },
  });
}

function clientOf(options: StripeOptions, transport: Transport): Stripe {
  const base = options.apiBase ? new URL(options.apiBase) : undefined;
  const timing = { tries: 3, delayMs: options.retryDelayMs ?? 500, longestWaitMs: 10_000 };
  return new Stripe(options.secretKey, {
    apiVersion: stripeApiVersion,
    httpClient: withStripeRetries(transport, timing, options.onRefused),
    maxNetworkRetries: 0,
    timeout: options.timeoutMs ?? 10_000,
    telemetry: false,
    ...(base && {
      host: base.hostname,
      port: Number(base.port || (base.protocol === 'https:' ? 443 : 80)),
      protocol: base.protocol === 'https:' ? ('https' as const) : ('http' as const),
    }),
  });
}
