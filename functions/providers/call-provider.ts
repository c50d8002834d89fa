import type { SlotFetch } from './connection-limiter.ts';
import { type Deadline, pause } from './deadline.ts';
import type { Breaker } from './breaker.ts';
import { ProviderAway, type ProviderError, RowPostponed, TurnLost } from './errors.pure.ts';
import { acceptAnswer, asProviderError } from './http.ts';
import type { RateLimiter } from './rate-limiter.ts';

const tries = 3;
const firstBackoffMs = 500;
const longestBackoffMs = 8000;
/** A try that took so long has hung: the provider may be away. */
const hangsMs = 5000;

/** How one try is made: `check` goes to `fetch`, `accept` comes first in its `read`. */
export type ProviderCall = {
  fetch: SlotFetch;
  signal: AbortSignal;
  check: () => Promise<void>;
  /** Throws `ProviderError` for an answer that is no success. */
  accept: (response: Response) => Promise<void>;
};

/** A search engine or a model as the rows of one invocation use it. */
export type Provider = {
  /** As users read it: `Search`, `Model`. */
  label: string;
  fetch: SlotFetch;
  limiter: RateLimiter;
  breaker: Breaker;
  deadline: Deadline;
  now: () => number;
};

/** One answer, and the tokens that it took where there are such. */
export type Answered<T> = { answer: T; tokens?: number | undefined };

const backoffMs = (failures: number): number =>
  Math.random() * Math.min(longestBackoffMs, firstBackoffMs * 2 ** failures);

/**
 * Calls a provider for one row until it answers: after 5xx, timeouts and cut connections three times, after 429
 * whenever it has its turn again, after a refusal of the row twice. `tokens`: about how many it will take.
 *
 * Throws `ProviderError` when it is the row's own trouble, `ProviderAway` when nobody gets an answer or the
 * provider refuses us, `RowPostponed` when the deadline came first.
 */
export async function callProvider<T>(
  provider: Provider,
  tokens: number,
  work: (call: ProviderCall) => Promise<Answered<T>>,
  longestWaitMs?: number,
): Promise<T> {
  const { label, fetch, limiter, breaker, deadline, now } = provider;
  let sinceMs = now();
  let sentMs = sinceMs;
  let isDenied = false;
  for (let failures = 0; ;) {
    breaker.assertClosed();
    if (deadline.isHalted) throw new RowPostponed(0, true);
    const turn = await limiter.turn(tokens, longestWaitMs).catch(async (error: unknown) => {
      // Over its limit for long: for everybody, not for this invocation alone.
      throw error instanceof ProviderAway ? await breaker.open(error) : error;
    });
    if (failures === 0) sinceMs = now();
    const accept = async (response: Response): Promise<void> => {
      const { headers } = response;
      try {
        await acceptAnswer(label, response, now());
        limiter.succeeded(turn, { headers });
      } catch (error) {
        // Before the slot goes to the next one, which should know. Not every 429 is about the pace.
        const { refusal, retryAfterMs } = asProviderError(label, error);
        if (refusal === 'limited') limiter.refused(turn, { retryAfterMs, headers });
        throw error;
      }
    };
    const check = async (): Promise<void> => {
      breaker.assertClosed();
      // The job was paused while the row waited for its slot: what it has found is kept.
      if (deadline.isHalted) throw new RowPostponed(0, true);
      await limiter.confirm(turn);
      sentMs = now();
    };
    try {
      const answered = await work({ fetch, signal: deadline.signal, check, accept });
      breaker.succeeded(sentMs);
      limiter.succeeded(turn, answered);
      return answered.answer;
    } catch (error) {
      if (error instanceof TurnLost) continue;
      if (error instanceof ProviderAway || error instanceof RowPostponed) throw error;
      const failure = asProviderError(label, error);
      if (failure.refusal === 'limited') {
        if (deadline.signal.aborted) throw new RowPostponed(0, true);
        continue;
      }
      if (failure.refusal === 'denied') {
        // A model may refuse one row so: whether it refuses us, a probe says. One that was mended meanwhile takes the row.
        await breaker.judge(sentMs);
        if (isDenied) throw failure;
        isDenied = true;
        continue;
      }
      failures += 1;
      await afterFailure(provider, { failure, failures, sinceMs, sentMs });
    }
  }
}

type Failed = { failure: ProviderError; failures: number; sinceMs: number; sentMs: number };

/**
 * Waits for the next try; throws when there is none. Tries that come to nothing are the row's own trouble only if
 * the provider has answered others before the last one and since: it may have gone and come back meanwhile.
 */
async function afterFailure(
  { breaker, deadline, now }: Provider,
  { failure, failures, sinceMs, sentMs }: Failed,
): Promise<void> {
  // Cut short by the deadline: whether anybody else got an answer cannot be asked any more.
  if (deadline.signal.aborted) throw new RowPostponed();
  const failedMs = now();
  const waitMs = (failure.retryAfterMs ?? 0) + backoffMs(failures);
  const isLast = failure.refusal === 'final' || failures === tries;
  const isLate = failedMs + waitMs >= deadline.stopAt;
  // One that hangs takes its time: who else is answered is asked after the first try.
  const looksAway = breaker.failed() || failedMs - sinceMs >= hangsMs;
  if (isLast || isLate || looksAway) await breaker.judge(sentMs);
  if (isLast) throw failure;
  if (isLate) throw new RowPostponed(waitMs);
  await pause(waitMs, deadline.signal);
  if (failures === tries - 1) await breaker.judge(failedMs);
}
