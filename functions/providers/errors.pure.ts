/**
 * `final`: the same request would fail again, which may be the row's fault. `denied`: our key, our credit,
 * our permission or the model is refused, which never is. `retryable`: 5xx, a timeout, a cut connection, an answer that
 * cannot be read. `limited`: 429.
 */
export type Refusal = 'final' | 'denied' | 'retryable' | 'limited';

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
 * A model was asked, and the row or its prompt is why there is no answer to be had: nobody pays for that, and a
 * user has so many of them a day.
 */
export class RowFault extends ProviderError {}

/**
 * What a model's call threw, with the blame: a refusal that is still thrown here, others having been answered, was
 * of this row alone. A provider that fails, or takes too long, is never the row's fault.
 */
export const blamed = (error: unknown): unknown =>
  error instanceof ProviderError && (error.refusal === 'final' || error.refusal === 'denied')
    ? new RowFault(error.message, error.refusal)
    : error;

/**
 * A row that could not have its turn before the deadline: a provider's limit, the shared rate, or the
 * deadline itself. It did not fail: it is worked again after `retryAfterMs`. `inTurn`: it only awaits its
 * turn, and nobody has refused it.
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

/** Why nobody calls a provider for now. `refused`: our key, our credit, the model or a parameter. */
export const awayReasons = ['unavailable', 'rate_limited', 'quota_exhausted', 'refused'] as const;
export type AwayReason = (typeof awayReasons)[number];

/** What is known of a provider that is away; `untilMs` (since 1970): when it said to come back. */
export type Away = {
  provider: string;
  reason: AwayReason;
  /** For operators: a status, a limit; never content. */
  detail: string;
  untilMs?: number | undefined;
};

/** A row that needs a provider which is away: it did not fail, and waits. */
export class ProviderAway extends Error implements Away {
  readonly provider: string;
  readonly reason: AwayReason;
  readonly detail: string;
  readonly untilMs: number | undefined;
  /** The row can go on as soon as one of these works. */
  readonly waitsFor: string[];
  constructor({ provider, reason, detail, untilMs }: Away, waitsFor = [provider]) {
    super(`${provider} is away: ${reason}`);
    this.provider = provider;
    this.reason = reason;
    this.detail = detail;
    this.untilMs = untilMs;
    this.waitsFor = waitsFor;
  }
}

/** The turn is no more worth anything: the provider was closed, or has shown a limit, since it was given. */
export class TurnLost extends Error {}
