import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createRowTools, ProviderError } from '../../functions/processing/create-row-tools.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { startRedis, type Redis } from '../../local/redis/index.ts';
import { deadlineIn, rowCtx } from '../support/rows.ts';
import { quiet } from './providers-client.ts';

const company = (text: string) => ({ text, cacheable: true });
const person = (text: string) => ({ text, cacheable: false });

describe('research is shared', () => {
  let redis: Redis;
  let providers: Providers;

  beforeAll(async () => {
    [redis, providers] = await Promise.all([
      startRedis({ token: 'token' }),
      startProviders({ ...quiet, searchLatencyMs: 100 }),
    ]);
  });
  afterAll(() => Promise.all([redis.close(), providers.close()]));
  beforeEach(async () => {
    redis.faults.clear();
    providers.faults.clear();
    await ctx().redis.flushall();
    await fetch(`${providers.url}/_local/stats?reset`);
  });

  const ctx = (env: Record<string, string> = {}) =>
    rowCtx({
      UPSTASH_REDIS_REST_URL: redis.url,
      SERPER_BASE_URL: providers.serperUrl,
      LLM_BASE_URL: providers.llmUrl,
      ...env,
    });
  const invocation = (startMs = 20_000, env: Record<string, string> = {}, chunk?: string) => {
    const given = ctx(env);
    const toolbox = createRowTools(given, createConnectionLimiter(), deadlineIn(startMs), chunk);
    return { ...toolbox.tools, ...toolbox, lines: given.lines };
  };
  const searches = () => providers.stats().search.requests;
  const redisCommands = async () => {
    const state = await fetch(`${redis.url}/_local/state`);
    return ((await state.json()) as { commands: number }).commands;
  };

  /** A chunk as an invocation works it: all rows at once. */
  const work = async (names: string[], env: Record<string, string> = {}) => {
    const { prepare, search, finish, lines } = invocation(20_000, env);
    await prepare(names.map(company));
    const summaries = await Promise.all(names.map((name) => search(company(name))));
    await finish();
    return { summaries, lines };
  };

  test('a hundred rows of one company in 17 chunks are one search', async () => {
    const spellings = ['ACME Corp', 'acme  corp', ' Acme Corp '];
    const chunks = Array.from({ length: 17 }, (_, chunk) =>
      work(Array.from({ length: chunk < 15 ? 6 : 5 }, (_, i) => spellings[(chunk + i) % 3] ?? '')),
    );
    const all = (await Promise.all(chunks)).flatMap(({ summaries }) => summaries);
    expect(all).toHaveLength(100);
    expect(new Set(all).size).toBe(1);
    expect(all[0]).toMatch(/acme/i);
    expect(searches()).toBe(1);
  });

  test('without Redis each chunk searches once, and says once that it is alone', async () => {
    const env = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:9' };
    const chunks = await Promise.all([1, 2, 3].map(() => work(Array(6).fill('ACME'), env)));
    expect(searches()).toBe(3);
    for (const { summaries, lines } of chunks) {
      expect(new Set(summaries).size).toBe(1);
      expect(lines).toEqual([{ event: 'rows_without_redis', error: expect.any(String) }]);
    }
  });

  test('a Redis that hangs costs a chunk one wait of 1.5 seconds', async () => {
    redis.faults.add({ kind: 'latency', ms: 5000 });
    const from = Date.now();
    expect((await work(['A', 'B'])).summaries).toHaveLength(2);
    expect(Date.now() - from).toBeLessThan(2500);
  });

  test('a chunk of many companies makes two calls to Redis, and none for people', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `Company ${i}`);
    const before = await redisCommands();
    await work(names);
    expect((await redisCommands()) - before).toBe(2);
    const again = await redisCommands();
    await work(names);
    expect((await redisCommands()) - again).toBe(1);
    expect(searches()).toBe(20);

    const people = invocation();
    const last = await redisCommands();
    await people.prepare([person('Ada'), person('Bob')]);
    await Promise.all([people.search(person('Ada')), people.search(person('Ada'))]);
    await people.finish();
    expect(await redisCommands()).toBe(last);
    expect(searches()).toBe(21);
  });

  test('a key tells nothing of the cell; a summary is kept for a day', async () => {
    await work(['Very Secret Company']);
    const { redis: client } = ctx();
    const keys = await client.keys('*');
    expect(keys).toEqual([expect.stringMatching(/^rowloom:research:1:[0-9a-f]{64}$/)]);
    const left = await client.ttl(keys[0] ?? '');
    expect(left).toBeGreaterThan(86_000);
    expect(left).toBeLessThanOrEqual(86_400);
  });

  test('nothing found is an answer too', async () => {
    providers.faults.add({
      kind: 'status',
      status: 200,
      body: { organic: [] },
      match: '/search',
    });
    expect((await work(['Nobody'])).summaries).toEqual(['']);
    providers.faults.clear();
    expect((await work(['Nobody'])).summaries).toEqual(['']);
  });

  test('a search that failed is free for the next one, who waits for it meanwhile', async () => {
    providers.faults.add({ kind: 'status', status: 403, body: {}, match: '/search', times: 1 });
    const [one, two] = [invocation(), invocation()];
    await one.prepare([company('ACME')]);
    await two.prepare([company('ACME')]);
    const waits = two.search(company('ACME'));
    const failed = await Promise.allSettled([1, 2].map(() => one.search(company('ACME'))));
    for (const { status, reason } of failed as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).toBeInstanceOf(ProviderError);
    }
    expect(await waits).toMatch(/ACME/);
    await Promise.all([one.finish(), two.finish()]);
    expect((await work(['ACME'])).summaries).toEqual([await waits]);
  });

  test('what was claimed and not begun is free after the end of the invocation', async () => {
    const [one, two] = [invocation(), invocation()];
    await one.prepare([company('ACME')]);
    await two.prepare([company('ACME')]);
    const waits = two.search(company('ACME'));
    await one.finish();
    expect(await waits).toMatch(/ACME/);
    await two.finish();
    expect(searches()).toBe(1);
  });

  test('a chunk that is delivered again does not wait for what its dead invocation claimed', async () => {
    const names = ['A', 'B', 'C'].map(company);
    await invocation(20_000, {}, 'job:1').prepare(names);
    const again = invocation(20_000, {}, 'job:1');
    await again.prepare(names);
    const before = await redisCommands();
    await Promise.all(names.map(again.search));
    expect(searches()).toBe(3);
    // It stores what it found, and has asked for nothing in between.
    expect(await redisCommands()).toBeLessThanOrEqual(before + 1);
  });

  test('an invocation that died is not waited for beyond the time to begin', async () => {
    const [dead, alive] = [invocation(), invocation(1000)];
    await dead.prepare([company('ACME')]);
    await alive.prepare([company('ACME')]);
    const from = Date.now();
    expect(await alive.search(company('ACME'))).toMatch(/ACME/);
    expect(Date.now() - from).toBeLessThan(1500);
    await alive.finish();
    expect((await work(['ACME'])).summaries).toHaveLength(1);
    expect(searches()).toBe(1);
  });

  test('two invocations that need each other end, row after row, each company searched once', async () => {
    const [one, two] = [invocation(), invocation()];
    await one.prepare([company('A')]);
    await two.prepare([company('B')]);
    await one.prepare([company('B')]);
    await two.prepare([company('A')]);
    const from = Date.now();
    const inTurn = async ({ search, finish }: typeof one, names: string[]) => {
      for (const name of names) await search(company(name));
      await finish();
    };
    await Promise.all([inTurn(one, ['B', 'A']), inTurn(two, ['A', 'B'])]);
    expect(Date.now() - from).toBeLessThan(2000);
    expect(searches()).toBe(2);
  });
});
