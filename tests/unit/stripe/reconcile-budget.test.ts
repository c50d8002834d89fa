import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createStripe } from '../../../functions/clients/stripe.ts';
import type { Ctx } from '../../../functions/context.ts';
import { inBudget } from '../../../functions/stripe/reconcile-budget.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('asks a Stripe that answers at once no more than 100 times in any second, whoever asks at once', async () => {
  const moments: number[] = [];
  vi.stubGlobal('fetch', () => {
    moments.push(Date.now());
    return Promise.resolve(Response.json({ object: 'list', data: [], has_more: false }));
  });
  const stripe = createStripe({ secretKey: 'sk_test_pace', apiBase: 'http://127.0.0.1:9' });
  const { ctx, isSpent } = inBudget({ stripe, db: {} } as unknown as Ctx);
  const ask = async () => {
    for (let nth = 0; nth < 50; nth += 1) await ctx.stripe.prices.list({ limit: 1 });
  };
  const all = Promise.all(Array.from({ length: 6 }, ask));
  await vi.advanceTimersByTimeAsync(3000);
  const before = moments.length;
  await vi.advanceTimersByTimeAsync(3000);
  await all;
  expect(before).toBeGreaterThan(200);
  expect(moments).toHaveLength(300);
  const most = moments.map((at) => moments.filter((one) => one >= at && one < at + 1000).length);
  expect(Math.max(...most)).toBeLessThanOrEqual(100);
  expect(isSpent()).toBe(false);
});
