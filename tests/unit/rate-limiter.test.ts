import { describe, expect, test } from 'vitest';
import type { SetLimits } from '../../functions/providers/rate-limiter.ts';
import type { Kind, LimitedProvider } from '../support/rate/limited-provider.ts';
import { simulate, type Simulation } from '../support/rate/simulate.ts';

/** 2,000 rows on 100 invocations in virtual time, the script itself in the local Redis. */
const minute = (kind: Kind, fields: Partial<LimitedProvider> = {}): Simulation => ({
  rows: 2000,
  model: { kind, requests: 1000, windowMs: 60_000, tokens: 330_000, ...fields },
});
const second = (kind: Kind): LimitedProvider => ({ kind, requests: 100, windowMs: 1000 });

const headers = { refusedCount: true, retryAfter: true, headers: 'openai' } as const;
const unknown: [string, Simulation][] = [
  ['a bucket', minute('bucket')],
  ['a bucket, with Retry-After', minute('bucket', { retryAfter: true })],
  ['a bucket where refused calls count', minute('bucket', { refusedCount: true })],
  ['the same with Retry-After', minute('bucket', { refusedCount: true, retryAfter: true })],
  ['a window', minute('fixed')],
  ['a window, with Retry-After', minute('fixed', { retryAfter: true })],
  ['a sliding window where refused calls count', minute('sliding', { refusedCount: true })],
  ['headers of requests', minute('bucket', headers)],
  ['headers of tokens', minute('bucket', { ...headers, tokens: 290_000 })],
  ["Groq's headers", minute('bucket', { retryAfter: true, headers: 'groq', tokens: 230_000 })],
];

describe('a limit that nobody set is used, and less than 2 % are refused', () => {
  test.each(unknown)('%s', { timeout: 120_000 }, async (_, simulation) => {
    const { failed, done, model, slowestStart, seconds } = await simulate(simulation);
    expect({ failed, done }).toEqual({ failed: 0, done: 2000 });
    expect(model.used).toBeGreaterThan(0.9);
    expect(model.refusedShare).toBeLessThan(0.02);
    // Nobody starves: each chunk has its first row long before the last is done.
    expect(slowestStart).toBeLessThan(seconds * 0.8);
    expect(model.commands).toBeLessThan(2000 * 3.5);
  });

  test.each<Kind>(['bucket', 'fixed'])(
    '100 searches a second (%s)',
    { timeout: 120_000 },
    async (kind) => {
      const { done, search } = await simulate({ rows: 4000, search: second(kind) });
      expect(done).toBe(4000);
      // Of 40 s, five go by while the pace is looked for.
      expect(search.used).toBeGreaterThan(0.85);
      expect(search.refusedShare).toBeLessThan(0.02);
    },
  );
});

describe('a limit that is set', () => {
  test.each<Kind>(['bucket', 'fixed', 'sliding'])(
    'of 100 searches a second is used to 95 % (%s)',
    { timeout: 120_000 },
    async (kind) => {
      const setSearch = { requestsPerSecond: 100 };
      const { search } = await simulate({ rows: 4000, setSearch, search: second(kind) });
      expect(search.used).toBeGreaterThan(0.95);
      expect(search.refusedShare).toBeLessThan(0.01);
      expect(search.commands).toBeLessThan(4000);
    },
  );

  test.each<[Kind, SetLimits]>([
    ['fixed', { requestsPerMinute: 1000 }],
    ['bucket', { tokensPerMinute: 300_000 }],
  ])('a minute holds from the start (%s, %j)', { timeout: 120_000 }, async (kind, setModel) => {
    const { done, seconds, model } = await simulate({ ...minute(kind), setModel });
    expect(done).toBe(2000);
    expect(model.refused).toBe(0);
    // 1,000 a minute, and those of the last row's time.
    expect(seconds).toBeLessThan(120 / 0.93);
  });
});

test('without Redis an invocation keeps to its share', { timeout: 120_000 }, async () => {
  const simulation = { ...minute('bucket'), noRedis: true, setModel: { requestsPerMinute: 1000 } };
  const { done, model } = await simulate(simulation);
  expect({ done, refused: model.refused }).toEqual({ done: 2000, refused: 0 });
});

test('without a limit there is a command for a call at most', { timeout: 120_000 }, async () => {
  const { done, seconds, search, model } = await simulate({ rows: 2000 });
  expect(done).toBe(2000);
  expect(seconds).toBeLessThan(10);
  expect(Math.max(search.commands, model.commands)).toBeLessThanOrEqual(2000);
});
