import { ProviderError, type Refusal } from './errors.pure.ts';

/** Nobody is believed to be away for longer than this without being asked again. */
const longestWaitMs = 86_400_000;

/** `Retry-After` in milliseconds, a day at most: seconds or an HTTP date. Source: RFC 9110, 10.2.3 */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  // A date that has passed by the time it arrives means: now.
  return Number.isFinite(ms) ? Math.min(longestWaitMs, Math.max(0, ms)) : undefined;
}

/** What providers say when the money is spent, under statuses that mean other things as well. */
const spent = /insufficient_quota|not enough credits|out of credits|billing_hard_limit/i;

/** 404: the model or the address is gone, which is no row's doing. */
const refusalOf = (status: number, said: string): Refusal => {
  if ([401, 402, 403, 404].includes(status) || spent.test(said)) return 'denied';
  if (status === 429) return 'limited';
  return status >= 500 || status === 408 ? 'retryable' : 'final';
};

/** The longest part of a refusal that is looked at for what it means; nothing of it is kept. */
const longestSaid = 4000;

/**
 * Throws `ProviderError` for an answer that is no success. Its body is read only where the status does not
 * say all: 4xx.
 */
export async function acceptAnswer(label: string, response: Response, now: number): Promise<void> {
  if (response.ok) return;
  const { status } = response;
  const said = status >= 400 && status < 500 ? await response.text().catch(() => '') : '';
  throw new ProviderError(
    `${label} answered ${status}`,
    refusalOf(status, said.slice(0, longestSaid)),
    retryAfterMs(response.headers.get('retry-after'), now),
  );
}

/** Whatever a call threw, as what it means for the row. */
export function asProviderError(label: string, error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  const timedOut = error instanceof DOMException && /Timeout|Abort/.test(error.name);
  return new ProviderError(`${label} ${timedOut ? 'took too long' : 'broke off'}`, 'retryable');
}
