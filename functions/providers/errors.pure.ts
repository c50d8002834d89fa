/**
 * `final`: the same request would fail again. `retryable`: 5xx, a timeout, a cut connection, an answer
 * that cannot be read. `limited`: 429.
 */
export type Refusal = 'final' | 'retryable' | 'limited';

/** Why a row failed; the message is shown to the user. `retryAfterMs` is the provider's own word. */
export class ProviderError extends Error {
  readonly refusal: Refusal;
  readonly retryAfterMs: number | undefined;
  constructor(message: string, refusal: Refusal = 'final', retryAfterMs?: number) {
    super(message);
    this.refusal = refusal;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * A row that could not have its turn before the deadline: a provider's limit, the shared rate, another
 * invocation's search, or the deadline itself. It did not fail: it is worked again after `retryAfterMs`.
 * `inTurn`: it only awaits its turn, and nobody has refused it.
 */
export class RowPostponed extends Error {
  readonly retryAfterMs: number;
  readonly inTurn: boolean;
  constructor(retryAfterMs = 0, inTurn = false) {
    super('The row could not have its turn in time');
    this.inTurn = inTurn;
    this.retryAfterMs = Math.max(0, Math.ceil(retryAfterMs));
  }
}
