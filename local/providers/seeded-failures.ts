import { hash } from 'node:crypto';

/** How a request fails: an error, a rate limit, or no answer at all. */
type Failure = 'error' | 'rate-limit' | 'hang';

/** A number in 0–1 that depends on nothing but its parts. */
export function chance(...parts: (string | number)[]): number {
  return Number.parseInt(hash('sha256', parts.join('\0'), 'hex').slice(0, 8), 16) / 2 ** 32;
}

/**
 * Decides failures from seed, request and attempt: the same run fails in the same places whatever
 * its order and timing, and a retry of the same request is a new throw.
 */
export class SeededFailures {
  #attempts = new Map<string, number>();

  draw(seed: number, failureRate: number, request: string): Failure | undefined {
    if (failureRate <= 0) return undefined;
    const key = hash('sha256', request, 'base64');
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempt);
    if (chance(seed, key, attempt) >= failureRate) return undefined;
    const kind = chance(seed, key, attempt, 'kind');
    return kind < 0.6 ? 'error' : kind < 0.9 ? 'rate-limit' : 'hang';
  }

  /** Forgets attempts, so that a repeated run meets the same failures again. */
  reset(): void {
    this.#attempts.clear();
  }
}
