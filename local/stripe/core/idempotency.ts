import { Problem } from './problem.ts';

type Kept = { fingerprint: string; status: number; body: string; requestId: string; at: number };

/** Stripe forgets a key once it is at least this old. */
const keptSeconds = 24 * 3600;

/**
 * The first answer to every idempotency key.
 * Source: https://docs.stripe.com/api/idempotent_requests
 */
export class Idempotency {
  #kept = new Map<string, Kept>();
  #running = new Set<string>();

  /** Marks a key as in progress; a second request meanwhile is a 409. Gives the release. */
  begin(key: string): () => void {
    if (this.#running.has(key))
      throw new Problem(409, {
        type: 'idempotency_error',
        code: 'idempotency_key_in_use',
        message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try again later.`,
      });
    this.#running.add(key);
    return () => this.#running.delete(key);
  }

  /** The first answer, or undefined for a new key. @throws Problem 400 if the request differs. */
  find(key: string, fingerprint: string, now: number): Kept | undefined {
    const kept = this.#kept.get(key);
    if (!kept || now - kept.at >= keptSeconds) return undefined;
    if (kept.fingerprint !== fingerprint)
      throw new Problem(400, {
        type: 'idempotency_error',
        message: `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
      });
    return kept;
  }

  keep(key: string, answer: Kept): void {
    this.#kept.set(key, answer);
  }

  save(): [string, Kept][] {
    return [...this.#kept];
  }

  load(saved: [string, Kept][]): void {
    this.#kept = new Map(saved);
  }
}
