import { pause, type Deadline } from './deadline.ts';
import { RowPostponed } from './errors.pure.ts';
import type { SharedRedis } from './shared-redis.ts';

/** Turns to call a provider, so that all invocations together keep to its rate. */
export type Bucket = {
  /** The moment (ms since 1970) from which a call may be made. Throws `RowPostponed`. */
  take: () => Promise<number>;
  /** Nobody gets a turn for so long. Never throws. */
  delay: (waitMs: number) => Promise<void>;
};

/** Turns reserved at once; a killed invocation wastes no more. */
const mostTurns = 6;
/** How far ahead turns are given away. */
const horizonMs = 5000;

/** `count` turns, the first after `firstMs`, then one an interval; none: too far ahead to reserve. */
type Grant = { count: number; firstMs: number };

/**
 * GCRA without a burst: the key holds the moment (µs) of the next free turn. Redis' own clock counts,
 * so that invocations agree. Turns that nobody uses are simply lost.
 * Source: en.wikipedia.org/wiki/Generic_cell_rate_algorithm
 */
const reserveScript = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval = tonumber(ARGV[1])
local last = now + tonumber(ARGV[3])
local first = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now + tonumber(ARGV[4]))
local count = 0
if first <= last then
  count = math.min(tonumber(ARGV[2]), math.floor((last - first) / interval) + 1)
end
local free = first + count * interval
if free > now then
  redis.call('SET', KEYS[1], string.format('%.0f', free), 'PX', math.ceil((free - now) / 1000) + 1000)
end
return { count, first - now }`;

export type BucketOptions = {
  provider: string;
  ratePerSecond: number;
  /** Invocations that share the rate when Redis does not answer. */
  parallelInvocations: number;
  shared: SharedRedis;
  deadline: Deadline;
  now: () => number;
};

export function createSharedRateLimiter(options: BucketOptions): Bucket {
  const { deadline, now } = options;
  const reservations = createReservations(options);
  const waiting: { resolve: (at: number) => void; reject: (error: unknown) => void }[] = [];
  let serving = false;

  const refuseAll = (error: unknown) => {
    for (const row of waiting.splice(0)) row.reject(error);
  };
  const serveOnce = async (): Promise<void> => {
    const { grant, intervalMs } = await reservations.reserve(Math.min(mostTurns, waiting.length));
    const firstAt = now() + grant.firstMs;
    for (let i = 0; i < grant.count; i += 1) waiting.shift()?.resolve(firstAt + i * intervalMs);
    if (grant.count > 0) return;
    if (firstAt > deadline.startUntil) return refuseAll(new RowPostponed(grant.firstMs, true));
    // Everybody who was refused comes back when turns are free again, but not all at once.
    const untilFreeMs = Math.max(0, grant.firstMs - horizonMs);
    await pause(untilFreeMs + Math.random() * 1000, deadline.signal);
  };
  const serve = async (): Promise<void> => {
    if (serving) return;
    serving = true;
    try {
      // Rows that begin together are counted together.
      await Promise.resolve();
      while (waiting.length > 0) await serveOnce();
    } catch (error) {
      refuseAll(error);
    } finally {
      serving = false;
    }
  };
  return {
    take: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        void serve();
      }),
    delay: reservations.delay,
  };
}

/** Reserves in Redis; without it alone, at this invocation's share of the rate. */
function createReservations(options: BucketOptions) {
  const { provider, ratePerSecond, parallelInvocations, shared, deadline, now } = options;
  const intervalMs = 1000 / ratePerSecond;
  const ownIntervalMs = intervalMs * parallelInvocations;
  // Others are alone as well: they must not all begin at once.
  let ownFreeAt = now() + Math.random() * ownIntervalMs;

  const evaluate = (turns: number, aheadMs: number, delayMs: number) =>
    shared.ask((redis) =>
      redis.eval<number[], [number, number]>(
        reserveScript,
        [`rowloom:turns:${provider}`],
        [intervalMs * 1000, turns, aheadMs * 1000, delayMs * 1000].map(Math.round),
      ),
    );
  return {
    reserve: async (turns: number): Promise<{ grant: Grant; intervalMs: number }> => {
      const aheadMs = Math.min(horizonMs, Math.max(0, deadline.startUntil - now()));
      const answer = await evaluate(turns, aheadMs, 0);
      if (answer) return { grant: { count: answer[0], firstMs: answer[1] / 1000 }, intervalMs };
      const firstMs = Math.max(0, ownFreeAt - now());
      const count = firstMs <= aheadMs ? 1 : 0;
      ownFreeAt = now() + firstMs + count * ownIntervalMs;
      return { grant: { count, firstMs }, intervalMs: ownIntervalMs };
    },
    delay: async (waitMs: number): Promise<void> => {
      ownFreeAt = Math.max(ownFreeAt, now() + waitMs);
      await evaluate(0, 0, waitMs);
    },
  };
}
