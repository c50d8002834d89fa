import { TurnLost } from './errors.pure.ts';
import { createOwnPace } from './own-pace.ts';
import { readRateHeaders } from './rate-headers.pure.ts';
import { createLessons } from './rate-lessons.ts';
import type { RateLimiter, RateLimiterOptions } from './rate-limiter.ts';
import { createRateStore, setPaceOf } from './rate-store.ts';
import { createRateView } from './rate-view.ts';
import { createTurnQueue } from './turn-queue.ts';

/** A turn that is used so much later asks again whether the provider still takes calls. */
const staleMs = 1000;

/** One provider's limiter for one invocation. */
export function createSharedRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { profile, now } = options;
  const set = setPaceOf(options.limits);
  const own = createOwnPace(options, set);
  const view = createRateView(createRateStore(options, set), options);
  const lessons = createLessons(options, { set, own, view });
  const queue = createTurnQueue(options, { own, view, lessons });

  return {
    turn: queue.turn,
    confirm: async (turn) => {
      if (own.isBeforeRefusal(turn.givenAt) || own.closedMs() > 0) throw new TurnLost();
      if (!turn.isCounted) {
        if (view.isFresh()) view.count(turn);
        else if (!(await view.countIfFree(turn))) throw new TurnLost();
      } else if (turn.isFree ? !view.isFresh() : now() - turn.givenAt > staleMs) {
        const answer = await view.look('held');
        if (answer && (turn.isFree ? !answer.isFree : answer.blockedMs > 0)) throw new TurnLost();
      }
      // Others were counted while it waited for its slot, and go before it.
      turn.serial = Math.max(turn.serial, view.heard()?.serial ?? 0);
      if (own.closedMs() > 0) throw new TurnLost();
      turn.sentAt = now();
    },
    succeeded: (turn, { tokens, headers }) => {
      own.succeeded();
      // OpenAI counts what was asked for, whatever was used; of others than Groq nothing is known.
      if (tokens !== undefined && profile === 'groq') view.giveBack(turn.tokens - tokens);
      if (headers) lessons.fromSuccess(turn, readRateHeaders(profile, headers));
    },
    refused: lessons.fromRefusal,
    pace: async () => {
      const answer = await view.look('waiting');
      if (!answer) return own.callsPerMinute();
      return answer.spacingMs > 0 ? 60_000 / answer.spacingMs : undefined;
    },
  };
}
