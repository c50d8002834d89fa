/** A provider's refusal. `retryAfterMs` is its own word on when to come again. */
export class ProviderError extends Error {
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  constructor(message: string, retryable: boolean, retryAfterMs?: number) {
    super(message);
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

const tries = 3;
const longestWaitMs = 10_000;

/** `Retry-After` in milliseconds: seconds or an HTTP date. Source: RFC 9110, 10.2.3 */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

/** Turns an answer that is no success into a `ProviderError`. */
export function refuseUnlessOk(provider: string, response: Response): void {
  if (response.ok) return;
  const retryable = response.status === 429 || response.status >= 500;
  throw new ProviderError(
    `${provider} answered ${response.status}`,
    retryable,
    retryAfterMs(response.headers.get('retry-after'), Date.now()),
  );
}

/**
 * Tries three times on 429, 5xx, timeouts and cut connections, after a jittered, growing wait or the
 * provider's own. Other errors, and a wait past ten seconds, are final.
 */
export async function withRetries<T>(provider: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const failure = asProviderError(provider, error);
      const backoffMs = 250 * 2 ** attempt * (0.5 + Math.random());
      const waitMs = Math.max(failure.retryAfterMs ?? 0, backoffMs);
      if (!failure.retryable || attempt === tries || waitMs > longestWaitMs) throw failure;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

function asProviderError(provider: string, error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  const timedOut = error instanceof DOMException && /Timeout|Abort/.test(error.name);
  return new ProviderError(`${provider} ${timedOut ? 'took too long' : 'broke off'}`, true);
}
