import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ProviderError } from '../../functions/providers/errors.pure.ts';
import { createResearch, noFindings, type Research } from '../../functions/providers/research.ts';
import {
  createResearchCache,
  entryName,
  forgetResearch,
} from '../../functions/providers/research-cache.ts';
import { createSharedRedis } from '../../functions/providers/shared-redis.ts';
import { sha256 } from '../../functions/shared/hash.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { startRedis, type Redis } from '../../local/redis/index.ts';
import { deadlineIn, rowCtx, rowToolsIn } from '../support/rows.ts';
import { quiet } from './providers-client.ts';

const company = (text: string): Research => ({ text, scope: 'company' });
const perhaps = (text: string): Research => ({ text, scope: 'user' });
const person = (text: string): Research => ({ text, scope: 'none' });

const ada = { userId: 'ada', jobId: "ada's job" };
const adasNext = { userId: 'ada', jobId: "ada's next job" };
const bob = { userId: 'bob', jobId: "bob's job" };

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
  const invocation = (startMs = 20_000, env: Record<string, string> = {}, of = ada) => {
    const given = ctx(env);
    const toolbox = rowToolsIn(given, createConnectionLimiter(), deadlineIn(startMs), of);
    return { ...toolbox.tools, ...toolbox, lines: given.lines };
  };
  const searches = () => providers.stats().search.requests;
  const redisCommands = async () => {
    const state = await fetch(`${redis.url}/_local/state`);
    return ((await state.json()) as { commands: number }).commands;
  };

  const sharedRedis = () => createSharedRedis(ctx(), createConnectionLimiter());
  const keyOf = async (name: string) => `rowloom:research:4:c:${await sha256(`company ${name}`)}`;
  const claims = () => ctx().redis.keys('rowloom:research:*:c:*');
  const waitForClaim = () => vi.waitUntil(async () => (await claims()).length > 0);

  /** A chunk as an invocation works it: all rows at once. */
  const work = async (names: string[], env: Record<string, string> = {}) => {
    const { prepare, search, finish, lines } = invocation(20_000, env);
    await prepare(names.map(company));
    const found = await Promise.all(names.map((name) => search(company(name))));
    await finish();
    return { found, lines };
  };

  test('a hundred rows of one company in 17 chunks are one search', async () => {
    const spellings = ['ACME Corp', 'acme  corp', ' Acme Corp '];
    const chunks = Array.from({ length: 17 }, (_, chunk) =>
      work(Array.from({ length: chunk < 15 ? 6 : 5 }, (_, i) => spellings[(chunk + i) % 3] ?? '')),
    );
    const all = (await Promise.all(chunks)).flatMap(({ found }) => found);
    expect(all).toHaveLength(100);
    for (const found of all) expect(found).toEqual(all[0]);
    expect(all[0]?.summary).toMatch(/acme/i);
    expect(all[0]?.sources[0]).toMatch(/^https:.*acme/);
    expect(searches()).toBe(1);
  });

  test('without Redis each chunk searches once, and says once that it is alone', async () => {
    const env = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:9' };
    const chunks = await Promise.all([1, 2, 3].map(() => work(Array(6).fill('ACME'), env)));
    expect(searches()).toBe(3);
    for (const { found, lines } of chunks) {
      for (const one of found) expect(one).toEqual(found[0]);
      expect(lines).toEqual([{ event: 'rows_without_redis', error: expect.any(String) }]);
    }
  });

  test('a Redis that hangs is asked once by a chunk', async () => {
    redis.faults.add({ kind: 'latency', ms: 5000, times: 1 });
    const before = await redisCommands();
    const { found, lines } = await work(['A', 'B']);
    expect(found).toHaveLength(2);
    expect(lines).toEqual([{ event: 'rows_without_redis', error: 'TimeoutError' }]);
    expect(await redisCommands()).toBe(before);
  });

  test('a chunk asks for its companies at once, stores each, and nothing of people', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `Company ${i}`);
    const commandsOf = async (work: () => Promise<unknown>) => {
      const before = await redisCommands();
      await work();
      return (await redisCommands()) - before;
    };
    // One for all, and the job's list with its expiry; a claim for each, and a look at what the others have; what
    // was found. The limiter may look too.
    const first = await commandsOf(() => work(names));
    expect(first - (3 + (20 + 1) + 20)).toBeLessThanOrEqual(2);
    expect(await commandsOf(() => work(names))).toBe(3);
    expect(searches()).toBe(20);

    const people = invocation();
    const searchPeople = async () => {
      await people.prepare([person('Ada'), person('Bob')]);
      await Promise.all([people.search(person('Ada')), people.search(person('Ada'))]);
      await people.finish();
    };
    expect(await commandsOf(searchPeople)).toBeLessThanOrEqual(2);
    expect((await ctx().redis.keys('rowloom:research:*:[cu]:*')).length).toBe(20);
    // Two people may have one name.
    expect(searches()).toBe(22);
  });

  test('a key tells nothing of the cell; what was found is kept for a day', async () => {
    await work(['Very Secret Company']);
    const { redis: client } = ctx();
    const keys = await client.keys('rowloom:research:*:c:*');
    expect(keys).toEqual([expect.stringMatching(/^rowloom:research:4:c:[0-9a-f]{64}$/)]);
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
    expect((await work(['Nobody'])).found).toEqual([noFindings]);
    providers.faults.clear();
    expect((await work(['Nobody'])).found).toEqual([noFindings]);
  });

  test('a search that failed is made by a chunk that waited for it', async () => {
    providers.faults.add({ kind: 'status', status: 400, body: {}, match: '/search', times: 1 });
    const [one, two] = [invocation(), invocation()];
    for (const { prepare } of [one, two]) await prepare([company('ACME')]);
    const failing = Promise.allSettled([1, 2].map(() => one.search(company('ACME'))));
    await waitForClaim();
    const waits = two.search(company('ACME'));
    for (const { status, reason } of (await failing) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).toBeInstanceOf(ProviderError);
    }
    expect((await waits).summary).toMatch(/ACME/);
    await two.finish();
    expect((await work(['ACME'])).found).toEqual([await waits]);
  });

  test('a chunk that died with a search is not waited for beyond the time to begin', async () => {
    const key = await keyOf('acme');
    await ctx().redis.set(key, 'c', { px: 10_000 });
    const { prepare, search, finish } = invocation(300);
    await prepare([company('ACME')]);
    expect((await search(company('ACME'))).summary).toMatch(/ACME/);
    await finish();
    expect(searches()).toBe(1);
  });

  test('nor for long: its claim is still there when the row searches itself', async () => {
    const key = await keyOf('acme');
    await ctx().redis.set(key, 'c', { px: 60_000 });
    const { prepare, search, finish } = invocation();
    await prepare([company('ACME')]);
    expect((await search(company('ACME'))).summary).toMatch(/ACME/);
    await finish();
    expect((await work(['ACME'])).found).toHaveLength(1);
    expect(searches()).toBe(1);
  });

  test('two chunks that need each other end, row after row, each company searched once', async () => {
    const [one, two] = [invocation(), invocation()];
    for (const { prepare } of [one, two]) await prepare(['A', 'B'].map(company));
    const inTurn = async ({ search, finish }: typeof one, names: string[]) => {
      for (const name of names) await search(company(name));
      await finish();
    };
    await Promise.all([inTurn(one, ['B', 'A']), inTurn(two, ['A', 'B'])]);
    expect(searches()).toBe(2);
  });

  test('counts the rows that a search was made for, and those that had one', async () => {
    await work(['A']);
    const searched: string[] = [];
    const research = createResearch({
      cache: createResearchCache(sharedRedis(), ada),
      deadline: deadlineIn(20_000),
      now: Date.now,
      search: async (text) => {
        if (text === 'C') throw new Error('no answer');
        searched.push(text);
        return { summary: text, sources: [] };
      },
    });
    const rows = [company('A'), company('B'), company('B'), person('B'), company('C')];
    await research.prepare(rows);
    await Promise.allSettled(rows.map(research.search));
    await research.finish();
    expect(searched).toEqual(['B', 'B']);
    expect(research.counts()).toEqual({ searches: 2, cached: 2 });
  });

  /** Whether each is known before its chunk asks anybody. */
  const search = async (of: typeof ada, ...queries: Research[]) => {
    const before = searches();
    const { prepare, search, finish } = invocation(20_000, {}, of);
    await prepare(queries);
    for (const query of queries) await search(query);
    await finish();
    return searches() - before;
  };
  const forget = (of: typeof ada) =>
    forgetResearch(sharedRedis(), of, new AbortController().signal);

  test('a company is shared by all users, what may be a person by the jobs of one', async () => {
    const asked = [company('ACME GmbH'), perhaps('Jane Roe'), person('Jim')];
    expect(await search(ada, ...asked)).toBe(3);
    expect(await search(adasNext, ...asked)).toBe(1);
    expect(await search(bob, ...asked)).toBe(2);
    expect(await search(bob, company('user ada jane roe'), company('jane roe'))).toBe(2);
  });

  test('a deletion takes what only its user asked for, and nothing that is of others', async () => {
    await search(ada, company('ACME GmbH'), company('Only Ada Inc'), perhaps('Jane Roe'));
    await search(bob, company('ACME GmbH'), perhaps('Jane Roe'), company("Bob's Ltd"));
    await search(ada, company("Bob's Ltd"));
    const ttl = () => keyOf('acme gmbh').then((key) => ctx().redis.ttl(key));
    expect(await ttl()).toBeGreaterThan(86_000);
    await forget(ada);
    expect(await ctx().redis.keys('*:job:*')).toEqual(["rowloom:research:4:job:bob's job"]);
    expect(await search(bob, company('ACME GmbH'), perhaps('Jane Roe'))).toBe(0);
    expect(await search(bob, company("Bob's Ltd"))).toBe(0);
    expect(await search(ada, company('Only Ada Inc'), perhaps('Jane Roe'))).toBe(2);
  });

  test('a deletion takes a thousand entries in pages, and none without Redis', async () => {
    const names = Array.from({ length: 1000 }, (_, i) => company(`Company ${i}`));
    const cache = createResearchCache(sharedRedis(), ada);
    const entries = names.map(({ text }) => entryName(text, 'company'));
    await cache.read(entries);
    await cache.keep(new Map(entries.map((entry) => [entry, noFindings])));
    expect(await ctx().redis.dbsize()).toBe(1001);
    redis.faults.add({ kind: 'status', status: 500, times: 2 });
    await forget(ada);
    redis.faults.clear();
    expect(await ctx().redis.dbsize()).toBe(1001);
    const before = await redisCommands();
    await forget(ada);
    expect(await ctx().redis.dbsize()).toBe(0);
    expect((await redisCommands()) - before).toBeLessThanOrEqual(3 * 5 + 3);
  });

  test('what a chunk stored after its job was deleted is taken back', async () => {
    const { prepare, search, takeBack } = invocation(20_000, {}, ada);
    await prepare([company('ACME GmbH'), perhaps('Jane Roe')]);
    await search(company('ACME GmbH'));
    await forget(ada);
    await search(perhaps('Jane Roe'));
    await takeBack();
    expect(await ctx().redis.keys('rowloom:research:*:[cu]:*')).toEqual([]);
  });
});
