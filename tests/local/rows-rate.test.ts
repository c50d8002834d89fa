import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RowPostponed } from '../../functions/providers/errors.pure.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { startRedis, type Redis } from '../../local/redis/index.ts';
import { deadlineIn, rowCtx, rowToolsIn } from '../support/rows.ts';
import { quiet } from './providers-client.ts';

const nowhere = 'http://127.0.0.1:9';
const asked = [{ role: 'user' as const, content: 'Write to ACME' }];

/** A rate that the model keeps to, and one invocation after the other against it. */
async function rig(redisUrl: string, ratePerSecond: number | null, knobs: Record<string, string>) {
  const providers = await startProviders({ ...quiet, llmRatePerSecond: ratePerSecond });
  const lines: Record<string, unknown>[] = [];
  const invocation = (startMs = 20_000) => {
    const ctx = rowCtx({
      UPSTASH_REDIS_REST_URL: redisUrl,
      LLM_BASE_URL: providers.llmUrl,
      ...knobs,
    });
    const toolbox = rowToolsIn(
      { ...ctx, log: (event, fields) => lines.push({ event, ...fields }) },
      createConnectionLimiter(),
      deadlineIn(startMs),
    );
    return toolbox.tools;
  };
  return { providers, lines, invocation };
}

const statuses = (providers: Providers) => providers.stats().llm.statuses;

describe('the model answers 20 calls a second', () => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await startRedis({ token: 'token' });
  });
  beforeEach(() => rowCtx({ UPSTASH_REDIS_REST_URL: redis.url }).redis.flushall());
  afterAll(() => redis.close());

  /** A hundred rows over 17 invocations, all at once. */
  const hundredRows = async (knobs: Record<string, string>) => {
    const { providers, invocation } = await rig(redis.url, 20, knobs);
    const from = Date.now();
    const rows = Array.from({ length: 17 }, (_, i) => {
      const { complete } = invocation();
      return Array.from({ length: i < 15 ? 6 : 5 }, () => complete(asked));
    }).flat();
    const outcomes = await Promise.allSettled(rows);
    const seconds = (Date.now() - from) / 1000;
    await providers.close();
    const ok = outcomes.filter(({ status }) => status === 'fulfilled').length;
    return { rows: rows.length, ok, seconds, statuses: statuses(providers) };
  };

  test('a hundred rows in 17 invocations succeed, refused now and then', async () => {
    const { rows, ok } = await hundredRows({});
    expect({ rows, ok }).toEqual({ rows: 100, ok: 100 });
  });

  test('with the knob none of them is refused, and they use the rate', async () => {
    const { rows, ok, seconds, statuses } = await hundredRows({ LLM_REQUESTS_PER_MINUTE: '1200' });
    expect({ rows, ok, statuses }).toEqual({ rows: 100, ok: 100, statuses: { '200': 100 } });
    // 99 intervals of 50 ms, and a little for those who come back for more.
    expect(seconds).toBeGreaterThan(4.8);
  });
});

describe('turns', () => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await startRedis({ token: 'token' });
  });
  afterAll(() => redis.close());
  beforeEach(() => rowCtx({ UPSTASH_REDIS_REST_URL: redis.url }).redis.flushall());
  const commands = async () =>
    ((await (await fetch(`${redis.url}/_local/state`)).json()) as { commands: number }).commands;

  test('six rows reserve theirs in a few calls; without a limit there is one at most for each', async () => {
    const limited = await rig(redis.url, null, { LLM_REQUESTS_PER_MINUTE: '6000' });
    const before = await commands();
    const { complete } = limited.invocation();
    await Promise.all(Array.from({ length: 6 }, () => complete(asked)));
    const reserved = (await commands()) - before;
    expect(reserved).toBeLessThanOrEqual(4);
    const free = await rig(redis.url, null, {});
    await free.invocation().complete(asked);
    expect((await commands()) - before - reserved).toBeLessThanOrEqual(4);
    await Promise.all([limited.providers.close(), free.providers.close()]);
  });

  test('a row whose turn would come too late is postponed at once, not failed', async () => {
    const { providers, invocation } = await rig(redis.url, null, { LLM_REQUESTS_PER_MINUTE: '6' });
    const { complete } = invocation(1000);
    const from = Date.now();
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => complete(asked)));
    expect(Date.now() - from).toBeLessThan(1000);
    const late = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(late).toHaveLength(4);
    for (const { reason } of late as { reason: unknown }[]) {
      expect(reason).toBeInstanceOf(RowPostponed);
      expect((reason as RowPostponed).retryAfterMs).toBeGreaterThan(8000);
      expect((reason as RowPostponed).retryAfterMs).toBeLessThanOrEqual(10_000);
    }
    await providers.close();
  });

  test('a 429 in spite of it holds back the other invocations as well', async () => {
    const { providers, invocation, lines } = await rig(redis.url, null, {
      LLM_REQUESTS_PER_MINUTE: '2400',
    });
    providers.faults.add({
      kind: 'status',
      status: 429,
      headers: { 'retry-after': '1' },
      match: '/chat',
      times: 1,
    });
    const from = Date.now();
    const first = invocation().complete(asked);
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await invocation().complete(asked);
    expect(Date.now() - from).toBeGreaterThanOrEqual(1000);
    expect(Date.now() - from).toBeLessThan(3000);
    await first;
    expect(statuses(providers)).toEqual({ '200': 2, '429': 1 });
    await providers.close();
  });

  test('without Redis an invocation keeps to its share of the rate', async () => {
    const { providers, invocation } = await rig(nowhere, null, {
      LLM_REQUESTS_PER_MINUTE: '6000',
      PARALLEL_INVOCATIONS: '10',
    });
    const { complete } = invocation();
    const from = Date.now();
    await Promise.all(Array.from({ length: 8 }, () => complete(asked)));
    const seconds = (Date.now() - from) / 1000;
    // Ten a second are left for it: 7 intervals of 100 ms.
    expect(seconds).toBeGreaterThanOrEqual(0.69);
    expect(seconds).toBeLessThan(2);
    await providers.close();
  });
});
