import type { RateLimiterOptions, Turn } from './rate-limiter.ts';
import type { Answer, Observation, RateStore } from './rate-store.ts';
import type { SlotUse } from './shared-redis.ts';

/** So long Redis' word that there is no limit holds for turns; it is asked again in the slot. */
const freeMs = 2000;
/** Calls that all invocations may make together before they hear of a refusal. */
const unheardCalls = 4;
const mostFreshMs = 1000;

type Batch = { turns: Turn[]; answer: Promise<boolean> };

const freshMs = (callsPerSecond: number) =>
  callsPerSecond > 0 ? Math.min(mostFreshMs, (unheardCalls * 1000) / callsPerSecond) : 0;

/** What an invocation last heard of the provider's limits, and what it has yet to tell. */
export function createRateView(
  store: RateStore,
  { now, deadline }: Pick<RateLimiterOptions, 'now' | 'deadline'>,
) {
  let heard: (Answer & { at: number }) | undefined;
  let uncounted = { calls: 0, tokens: 0 };
  let [tokensBack, refused] = [0, 0];
  let observed: Observation | undefined;
  let gathering: Batch | undefined;

  const ask = async (
    question: { calls: number[]; waiting: number; place: number; onlyFree: boolean },
    slot: SlotUse,
  ): Promise<Answer | undefined> => {
    const told = {
      uncounted: uncounted.calls,
      tokensBack: tokensBack - uncounted.tokens,
      observed,
      refused,
    };
    uncounted = { calls: 0, tokens: 0 };
    [tokensBack, refused] = [0, 0];
    observed = undefined;
    const longestWaitMs = Math.max(0, deadline.startUntil - now());
    const answer = await store.take({ ...question, ...told, longestWaitMs }, slot);
    if (answer) heard = { ...answer, at: now() };
    return answer;
  };
  const countAll = async (turns: Turn[]): Promise<boolean> => {
    await Promise.resolve();
    gathering = undefined;
    const calls = turns.map(({ tokens }) => tokens);
    const answer = await ask({ calls, waiting: 0, place: 0, onlyFree: true }, 'held');
    if (answer && !answer.isFree) return false;
    let { serial, tokens } = answer ?? { serial: 0, tokens: 0 };
    for (const turn of turns) {
      serial += 1;
      tokens += turn.tokens;
      Object.assign(turn, { serial, tokensUpTo: tokens, isCounted: true });
    }
    return true;
  };
  return {
    store,
    ask,
    heard: () => heard,
    /** There was no limit a moment ago, so turns need not be asked for. */
    isFree: () => heard !== undefined && heard.isFree && now() - heard.at < freeMs,
    isFresh: () =>
      heard !== undefined && heard.isFree && now() - heard.at < freshMs(heard.callsPerSecond),
    /** What Redis says of the moment; counts nothing. */
    look: (slot: SlotUse) => ask({ calls: [], waiting: 0, place: 0, onlyFree: true }, slot),
    /**
     * Counts a call if there is no limit (true), or says that there is one. Calls that begin together are
     * counted by one question.
     */
    countIfFree: async (turn: Turn): Promise<boolean> => {
      if (!gathering) {
        const turns: Turn[] = [];
        gathering = { turns, answer: countAll(turns) };
      }
      gathering.turns.push(turn);
      return gathering.answer;
    },
    /** A call that is made without asking; the next question tells of it. */
    count: (turn: Turn): void => {
      uncounted.calls += 1;
      uncounted.tokens += turn.tokens;
      turn.serial = (heard?.serial ?? 0) + uncounted.calls + 1;
      turn.tokensUpTo = (heard?.tokens ?? 0) + uncounted.tokens;
      turn.isCounted = true;
    },
    refuse: (): number => (refused += 1),
    /** Refusals that were not told yet, to be told now. */
    takeRefused: (): number => {
      const count = refused;
      refused = 0;
      return count;
    },
    giveBack: (tokens: number): number => (tokensBack += tokens),
    observe: (observation: Observation): void => {
      if (!observed || observed.serial < observation.serial) observed = observation;
    },
    forget: (): void => {
      heard = undefined;
    },
  };
}

export type RateView = ReturnType<typeof createRateView>;
