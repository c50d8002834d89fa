import { pause } from './deadline.ts';
import { ProviderAway, RowPostponed } from './errors.pure.ts';
import type { OwnPace } from './own-pace.ts';
import type { Lessons } from './rate-lessons.ts';
import type { RateLimiterOptions, Turn } from './rate-limiter.ts';
import { type Answer, mostTurns } from './rate-store.ts';
import type { RateView } from './rate-view.ts';

/** A provider that says to come back in so long is away. */
const longestHoldMs = 15_000;
/** Whoever is told to come again does so no sooner, and not to the millisecond with others. */
const leastWaitMs = 10;

/** The pace may change while somebody waits in the line. */
const longestSleepMs = 10_000;

type Row = {
  tokens: number;
  longestWaitMs: number;
  resolve: (turn: Turn) => void;
  reject: (error: unknown) => void;
};

type Counted = Pick<Turn, 'serial' | 'tokensUpTo'>;

/** The rows that wait, first come, first served. */
function createRows({ deadline, now }: Pick<RateLimiterOptions, 'deadline' | 'now'>) {
  const rows: Row[] = [];
  const give = (inMs: number, isFree: boolean, counted?: Counted): void => {
    const row = rows.shift();
    if (!row) return;
    const { tokens } = row;
    const turn = () =>
      row.resolve({
        tokens,
        isFree,
        givenAt: now(),
        sentAt: 0,
        isCounted: counted !== undefined,
        ...(counted ?? {
          serial: 0,
          tokensUpTo: 0,
        }),
      });
    if (inMs <= 0) turn();
    else pause(inMs, deadline.signal).then(turn, row.reject);
  };
  return {
    rows,
    give,
    giveAll: ({ startsIn, serial, tokens, isFree }: Answer): void => {
      let tokensUpTo = tokens;
      for (const [index, inMs] of startsIn.entries()) {
        tokensUpTo += rows[0]?.tokens ?? 0;
        give(inMs, isFree, { serial: serial + index + 1, tokensUpTo });
      }
    },
    refuseAll: (error: unknown): void => {
      for (const row of rows.splice(0)) row.reject(error);
    },
    /** Those that would rather go elsewhere. */
    refuseImpatient: (waitMs: number): void => {
      const patient = rows.filter((row) => waitMs <= row.longestWaitMs);
      for (const row of rows.splice(0, rows.length, ...patient))
        if (waitMs > row.longestWaitMs) row.reject(new RowPostponed(waitMs, true));
    },
  };
}

/** Gets turns for the rows of an invocation: one of them asks for all. */
export function createTurnQueue(
  options: Pick<RateLimiterOptions, 'provider' | 'deadline' | 'now' | 'onLimited'>,
  { own, view, lessons }: { own: OwnPace; view: RateView; lessons: Lessons },
) {
  const { provider, deadline, now } = options;
  const { rows, give, giveAll, refuseAll, refuseImpatient } = createRows(options);
  let serving = false;
  let place = 0;
  /** Until when the line stands still, as far as is known. */
  let heldUntil = 0;

  /** Holds all rows for so long, or lets them go when that is too long. */
  const hold = async (
    waitMs: number,
    closedMs: number,
    isQuota: boolean,
    spreadMs = leastWaitMs,
  ): Promise<void> => {
    if (closedMs >= longestHoldMs)
      return refuseAll(
        new ProviderAway({
          provider,
          reason: isQuota ? 'quota_exhausted' : 'rate_limited',
          detail: isQuota ? 'Its quota is used up' : 'It asks for a pause',
          untilMs: now() + closedMs,
        }),
      );
    refuseImpatient(waitMs);
    if (rows.length === 0) return;
    heldUntil = now() + waitMs;
    // It may give more time, since waiting costs nothing.
    options.onLimited(waitMs);
    if (now() + waitMs > deadline.startUntil) return refuseAll(new RowPostponed(waitMs, true));
    const sleepMs = Math.min(longestSleepMs, waitMs) + leastWaitMs + spreadMs * Math.random();
    await pause(sleepMs, deadline.signal);
    heldUntil = 0;
  };
  const serveAlone = async (tokens: number): Promise<void> => {
    const longestMs = Math.max(0, deadline.startUntil - now());
    const waitMs = own.take(tokens, longestMs);
    if (waitMs <= longestMs) give(waitMs, false, { serial: 0, tokensUpTo: 0 });
    else await hold(waitMs, 0, false);
  };
  const serveOnce = async (tokens: number): Promise<void> => {
    await lessons.settled();
    const closedMs = own.closedMs();
    if (closedMs > 0) return hold(closedMs, closedMs, false);
    if (view.isFree()) return give(0, true);
    const calls = rows.slice(0, mostTurns).map((row) => row.tokens);
    const question = { calls, waiting: rows.length, place, onlyFree: false };
    place = 0;
    const answer = await view.ask(question, 'urgent');
    if (!answer) return serveAlone(tokens);
    giveAll(answer);
    lessons.fromAnswer(answer);
    if (rows.length === 0 || answer.isFree || answer.waitMs === undefined) return;
    place = answer.place;
    // Without a line those who wait must not come all at once.
    const spreadMs = place === 0 ? answer.waitMs : leastWaitMs;
    await hold(answer.waitMs, answer.blockedMs, answer.isQuota, spreadMs);
  };
  const serve = async (): Promise<void> => {
    if (serving) return;
    serving = true;
    try {
      // Rows that begin together ask together.
      await Promise.resolve();
      for (let [row] = rows; row; [row] = rows) await serveOnce(row.tokens);
    } catch (error) {
      refuseAll(error);
    } finally {
      serving = false;
    }
  };
  return {
    turn: (tokens: number, longestWaitMs = Infinity): Promise<Turn> =>
      new Promise((resolve, reject) => {
        const heldMs = heldUntil - now();
        if (heldMs > longestWaitMs) return reject(new RowPostponed(heldMs, true));
        rows.push({ tokens, longestWaitMs, resolve, reject });
        void serve();
      }),
  };
}
