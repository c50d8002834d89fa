import { pause, type Deadline } from './deadline.ts';
import { ProviderError, RowPostponed } from './errors.pure.ts';
import type { SlotFetch } from './connection-limiter.ts';
import type { Gate } from './provider-cooldown.ts';

const tries = 3;
const firstBackoffMs = 500;
const longestBackoffMs = 8000;

/** `Retry-After` in milliseconds: seconds or an HTTP date. Source: RFC 9110, 10.2.3 */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  // A date that has passed by the time it arrives means: now.
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** What an answer that is no success means. */
function refusalOf(provider: string, response: Response, now: number): ProviderError | undefined {
  if (response.ok) return undefined;
  const { status } = response;
  const again = status >= 500 || status === 408;
  return new ProviderError(
    `${provider} answered ${status}`,
    status === 429 ? 'limited' : again ? 'retryable' : 'final',
    retryAfterMs(response.headers.get('retry-after'), now),
  );
}

/** How one try is made: `check` goes to `fetch`, `accept` comes first in its `read`. */
export type ProviderCall = {
  fetch: SlotFetch;
  signal: AbortSignal;
  check: () => void;
  /** Throws `ProviderError` for an answer that is no success. */
  accept: (response: Response) => void;
};

export type Retries = {
  provider: string;
  fetch: SlotFetch;
  gate: Gate;
  deadline: Deadline;
  now: () => number;
};

/**
 * Works until it succeeds: after 5xx, timeouts and cut connections three times, after 429 as often as
 * the time until `startUntil` allows. Waits have full jitter and are no shorter than the provider's own
 * word. Throws `ProviderError` when it failed, `RowPostponed` when it had no turn. A row that the deadline
 * stops after a failed try has failed: a provider that hangs would otherwise postpone it for ever.
 */
export async function withRetries<T>(
  retries: Retries,
  work: (call: ProviderCall) => Promise<T>,
): Promise<T> {
  const { provider, fetch, gate, deadline, now } = retries;
  let failed: ProviderError | undefined;
  let refusals = 0;
  const accept = (response: Response): void => {
    const refusal = refusalOf(provider, response, now());
    if (refusal?.refusal === 'limited')
      gate.close(Math.max(refusal.retryAfterMs ?? 0, Math.random() * jitterWindowMs(refusals + 1)));
    if (refusal) throw refusal;
  };
  const call = { fetch, signal: deadline.signal, check: gate.check, accept };
  for (let failures = 0; ;) {
    if (refusals > 0 && now() >= deadline.startUntil) throw failed ?? new RowPostponed();
    await gate.enter(jitterWindowMs(refusals));
    try {
      return await work(call);
    } catch (error) {
      if (deadline.signal.aborted) throw failed ?? new RowPostponed();
      const failure = asProviderError(provider, error);
      if (failure.refusal === 'final') throw failure;
      if (failure.refusal === 'limited') {
        refusals += 1;
        continue;
      }
      failures += 1;
      failed = failure;
      const waitMs = (failure.retryAfterMs ?? 0) + Math.random() * jitterWindowMs(failures);
      if (failures === tries || now() + waitMs >= deadline.stopAt) throw failure;
      await pause(waitMs, deadline.signal).catch(() => Promise.reject(failure));
    }
  }
}

const jitterWindowMs = (times: number): number =>
  Math.min(longestBackoffMs, firstBackoffMs * 2 ** times);

function asProviderError(provider: string, error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  const timedOut = error instanceof DOMException && /Timeout|Abort/.test(error.name);
  return new ProviderError(`${provider} ${timedOut ? 'took too long' : 'broke off'}`, 'retryable');
}
