import type { OwnPace } from './own-pace.ts';
import { learnFromHeaders, learnFromQuiet, learnFromRefusal, type Lesson } from './pace.pure.ts';
import { type HeaderLimits, readRateHeaders } from './rate-headers.pure.ts';
import type { RateLimiter, RateLimiterOptions, Turn } from './rate-limiter.ts';
import type { Answer, Knowledge, SetPace } from './rate-store.ts';
import type { RateView } from './rate-view.ts';

/** Others may learn at the same time; who loses looks again. */
const tries = 3;
const minuteUs = 60_000_000;

const told = (limits: HeaderLimits): SetPace => ({
  every: limits.requestsPerMinute ? minuteUs / limits.requestsPerMinute.limit : 0,
  everyToken: limits.tokensPerMinute ? minuteUs / limits.tokensPerMinute.limit : 0,
});
const isNews = (every: number, known: number): boolean =>
  every > 0 && Math.abs(every - known) > every / 1000;

/** Hands on what answers say: to Redis, where others learn of it, one at a time. */
export function createLessons(
  options: Pick<RateLimiterOptions, 'profile' | 'now'>,
  { set, own, view }: { set: SetPace; own: OwnPace; view: RateView },
) {
  const { profile, now } = options;
  let learning: Promise<unknown> | undefined;

  type LessonOf = (knowledge: Knowledge) => Lesson | undefined;
  const learn = async (lessonOf: LessonOf, closeMs?: number): Promise<void> => {
    for (let i = 0; i < tries; i += 1) {
      const knowledge = await view.store.look(
        i === 0 ? closeMs : undefined,
        view.takeRefused(),
        'urgent',
      );
      const lesson = knowledge && lessonOf(knowledge);
      if (!lesson) break;
      if (await view.store.learn(knowledge.version, lesson, 'urgent')) break;
    }
    view.forget();
  };
  const begin = (lessonOf: LessonOf, closeMs?: number): void => {
    const mine = (learning ?? Promise.resolve())
      .then(() => learn(lessonOf, closeMs))
      .finally(() => {
        if (learning === mine) learning = undefined;
      });
    learning = mine;
  };
  return {
    /** When all that was heard is known to the others. */
    settled: async (): Promise<void> => learning as Promise<void> | undefined,
    fromRefusal: ((turn, { retryAfterMs, headers }) => {
      view.refuse();
      // Those that were under way when the first was refused say nothing new.
      if (own.isBeforeRefusal(turn.sentAt)) return;
      const { serial, tokens, sentAt } = turn;
      const limits = readRateHeaders(profile, headers);
      const retryAfterUs = retryAfterMs === undefined ? undefined : retryAfterMs * 1000;
      begin(({ learned, seen }) => {
        const refusal = { serial, tokens, limits, retryAfterUs };
        const sentAtUs = seen.now - (now() - sentAt) * 1000;
        return learnFromRefusal(learned, seen, { ...refusal, sentAt: sentAtUs }, set.every);
      }, own.refused(retryAfterMs));
    }) satisfies RateLimiter['refused'],
    fromSuccess: (turn: Turn, limits: HeaderLimits): void => {
      const { every, everyToken } = told(limits);
      const heard = view.heard();
      own.learn({ every, everyToken });
      if (every > 0 || everyToken > 0)
        view.observe({
          serial: turn.serial,
          tokens: turn.tokensUpTo,
          requestsLeft: limits.requestsPerMinute?.remaining ?? -1,
          tokensLeft: limits.tokensPerMinute?.remaining ?? -1,
          at: now(),
        });
      if (learning || !heard) return;
      if (
        isNews(every, heard.every) ||
        isNews(everyToken, heard.everyToken) ||
        limits.requestsPerDay?.remaining === 0
      )
        begin(({ learned }) => learnFromHeaders(learned, limits));
    },
    /** A pace that nobody was refused at for a while. */
    fromAnswer: ({ check, serial }: Answer): void => {
      if (check > 0 && serial >= check && !learning)
        begin(({ learned, seen }) => learnFromQuiet(learned, seen));
    },
  };
}

export type Lessons = ReturnType<typeof createLessons>;
