import type { Profile } from '../env.ts';
import type { Deadline } from './deadline.ts';
import type { SharedRedis } from './shared-redis.ts';

/** What a provider allows, as far as it is set; what is not is learned. */
export type SetLimits = {
  requestsPerSecond?: number | undefined;
  requestsPerMinute?: number | undefined;
  tokensPerMinute?: number | undefined;
};

/** Leave to make one call; only the limiter looks into it. Times are ms since 1970. */
export type Turn = {
  readonly tokens: number;
  readonly givenAt: number;
  /** Given without asking, since there was no limit: it is counted when it is confirmed. */
  isCounted: boolean;
  /** Given while there was no limit. */
  isFree: boolean;
  /** How many calls, and tokens, had been given with this one, over all invocations. */
  serial: number;
  tokensUpTo: number;
  sentAt: number;
};

/**
 * Spaces the calls to one provider, by requests and tokens, over all invocations together. None of its
 * verbs fails because Redis does not answer: the invocation then keeps to its share of what is set.
 */
export type RateLimiter = {
  /**
   * Resolves when a call of about `tokens` may be made; to be awaited without a slot. Throws `RowPostponed`
   * (`inTurn`) when its turn is after `deadline.startUntil`, which may be extended meanwhile, when the
   * deadline's signal aborts, or when it would have to wait longer than `longestWaitMs`; and `ProviderAway` when
   * the provider said to come back in 15 s or later.
   */
  turn: (tokens: number, longestWaitMs?: number) => Promise<Turn>;
  /**
   * In the call's slot, just before the request: it may ask Redis by the slot it holds. Throws `TurnLost`
   * when the provider has been closed or limited since; give the slot back and ask for another turn.
   */
  confirm: (turn: Turn) => Promise<void>;
  /** At the answer's headers, and again with `tokens` once they are known; either may be left out. */
  succeeded: (turn: Turn, used: { tokens?: number | undefined; headers?: Headers }) => void;
  /**
   * 429. To be called in the same tick in which the headers are read, before the slot is given away: others
   * hear of it by the next one. The next `turn` waits as long as was asked for.
   */
  refused: (turn: Turn, said: { retryAfterMs?: number | undefined; headers: Headers }) => void;
  /** Calls a minute that are set, known or learned; undefined: no limit seen. One Redis command at most. */
  pace: () => Promise<number | undefined>;
};

export type RateLimiterOptions = {
  /** `search`, or a model's name. */
  provider: string;
  limits: SetLimits;
  profile: Profile;
  /** Invocations that share what is set when Redis does not answer. */
  parallelInvocations: number;
  shared: SharedRedis;
  deadline: Deadline;
  /** ms since 1970. */
  now: () => number;
  /** Rows have to wait for their turns, for so long at least: there may be more time for them. */
  onLimited: (waitMs: number) => void;
};
