import { Ratelimit } from '@upstash/ratelimit';
import { Redis as Client } from '@upstash/redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startRedis, type Redis } from '../../local/redis/index.ts';

const WINDOW_MS = 60_000;
/** Client and stand-in are one process and read one clock: it stands still until a test moves it. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const nextWindow = () => pass(WINDOW_MS - (Date.now() % WINDOW_MS) + 1);

describe('rate limits', () => {
  let redis: Redis;
  let client: Client;
  type Limiter = ConstructorParameters<typeof Ratelimit>[0]['limiter'];
  // Without a time-out: after five seconds, which a busy machine may take, everything would be allowed.
  const strict = { ephemeralCache: false, timeout: 0 } as const;
  const limiter = (kind: Limiter, prefix: string) =>
    new Ratelimit({ redis: client, limiter: kind, prefix, ...strict });
  const allowed = async (limit: Ratelimit, id: string, calls: number) => {
    const all = await Promise.all(Array.from({ length: calls }, () => limit.limit(id)));
    return all.filter(({ success }) => success).length;
  };

  beforeAll(async () => {
    redis = await startRedis({ token: 'secret' });
    client = new Client({ url: redis.url, token: 'secret', retry: false });
  });
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 + WINDOW_MS / 2 });
    return () => vi.useRealTimers();
  });
  afterAll(() => redis.close());

  it('fixed window: holds under concurrency, per id, and opens with the next window', async () => {
    const limit = limiter(Ratelimit.fixedWindow(5, `${WINDOW_MS} ms`), 'fixed');
    nextWindow();
    expect(await allowed(limit, 'a', 12)).toBe(5);
    expect(await allowed(limit, 'b', 3)).toBe(3);
    expect(await limit.getRemaining('b')).toMatchObject({ remaining: 2, limit: 5 });
    const refused = await limit.limit('a');
    expect(refused).toMatchObject({ success: false, limit: 5, remaining: 0 });
    expect(refused.reset).toBeGreaterThan(Date.now());
    nextWindow();
    expect(await allowed(limit, 'a', 6)).toBe(5);
    await limit.resetUsedTokens('a');
    expect(await allowed(limit, 'a', 6)).toBe(5);
  });

  it('sliding window: the last window still counts, in proportion', async () => {
    const limit = limiter(Ratelimit.slidingWindow(6, `${WINDOW_MS} ms`), 'sliding');
    nextWindow();
    expect(await allowed(limit, 'a', 10)).toBe(6);
    nextWindow();
    // Just into the next window nearly all of the last one weighs still: 5.99…, rounded down.
    expect(await allowed(limit, 'a', 6)).toBe(1);
    pass(WINDOW_MS * 2);
    nextWindow();
    expect(await allowed(limit, 'a', 10)).toBe(6);
    expect((await limit.getRemaining('a')).remaining).toBe(0);
  });

  it('token bucket: empties, refills at its rate, never above its size', async () => {
    const limit = limiter(Ratelimit.tokenBucket(2, '300 ms', 4), 'bucket');
    expect(await limit.getRemaining('a')).toMatchObject({ remaining: 4 });
    expect(await allowed(limit, 'a', 9)).toBe(4);
    pass(340);
    expect(await allowed(limit, 'a', 9)).toBe(2);
    pass(1000);
    expect(await allowed(limit, 'a', 9)).toBe(4);
    const greedy = await limit.limit('b', { rate: 5 });
    expect(greedy.success).toBe(false);
    expect((await limit.limit('b', { rate: 4 })).success).toBe(true);
  });

  it('dynamic limits work, and so does the script of the deny list', async () => {
    const limit = new Ratelimit({
      redis: client,
      limiter: Ratelimit.fixedWindow(5, '10 s'),
      prefix: 'dynamic',
      ...strict,
      dynamicLimits: true,
    });
    await limit.setDynamicLimit({ limit: 2 });
    expect(await allowed(limit, 'a', 5)).toBe(2);
    // As in the library, whose own call would fetch a list from the internet.
    const script = `
        local results = redis.call('SMISMEMBER', KEYS[1], unpack(ARGV))
        local status = redis.call('TTL', KEYS[2])
        if status == -2 then redis.call('SETEX', KEYS[2], 30, "pending") end
        return { results, status }`;
    await client.sadd('deny', 'villain');
    const check = () => client.eval(script, ['deny', 'status'], ['villain', 'hero']);
    expect(await check()).toEqual([[1, 0], -2]);
    expect(await check()).toEqual([[1, 0], 30]);
  });
});
