import { expect, test } from 'vitest';
import type { Prices } from '../../functions/env.ts';
import { costMicros } from '../../functions/providers/prices.pure.ts';

const prices: Prices = {
  search: 1,
  queue: 1,
  models: { 'gpt-4o-mini': { in: 0.15, out: 0.6 }, mine: { in: 1, out: 2 } },
};
const tokens = (name: string, model: string) => ({
  model: { name, model },
  tokensIn: 1_000_000,
  tokensOut: 500_000,
});

test('a job of a thousand rows costs what the providers would ask for', () => {
  // 1,000 searches: $1; 10 messages: $0.0001; 700,000 tokens in, 150,000 out: $0.105 + $0.09.
  const models = [
    { model: { name: 'llm', model: 'gpt-4o-mini' }, tokensIn: 700_000, tokensOut: 150_000 },
  ];
  expect(costMicros({ models, searches: 1000, queueMessages: 10 }, prices)).toEqual({
    micros: 1_000_000 + 100 + 105_000 + 90_000,
    isPriced: true,
  });
});

test('a model has the price of its own name, else its provider’s, dated or not', () => {
  const cost = (name: string, model: string) =>
    costMicros({ models: [tokens(name, model)] }, prices);
  expect(cost('mine', 'gpt-4o-mini')).toEqual({ micros: 2_000_000, isPriced: true });
  expect(cost('llm', 'gpt-4o-mini-2024-07-18')).toEqual({ micros: 450_000, isPriced: true });
});

test('a model without a price costs nothing and says so; the rest is counted', () => {
  for (const name of ['unknown', 'constructor', '__proto__'])
    expect(costMicros({ models: [tokens(name, name)], searches: 2 }, prices)).toEqual({
      micros: 2000,
      isPriced: false,
    });
});

test('parts of a millionth are rounded once', () => {
  const one = { model: { name: 'llm', model: 'gpt-4o-mini' }, tokensIn: 1, tokensOut: 0 };
  expect(costMicros({ models: [one, one, one, one] }, prices).micros).toBe(1);
  expect(costMicros({}, prices)).toEqual({ micros: 0, isPriced: true });
});
