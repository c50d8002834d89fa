import * as z from 'zod';
import { json } from './fields.ts';

const dollars = z.number('is not a number').nonnegative('is negative');
const modelPrice = z.strictObject({ in: dollars, out: dollars }, 'is not {in, out}');
const prices = z.strictObject(
  {
    search: dollars.optional(),
    queue: dollars.optional(),
    models: z.record(z.string(), modelPrice, 'is not a price by model').optional(),
  },
  'is not {search, queue, models}',
);

/**
 * US dollars: per 1,000 searches, per 100,000 messages of the queue, per million tokens in and out of a
 * model, by its name in the configuration or its provider's.
 */
export type Prices = {
  search: number;
  queue: number;
  models: Record<string, { in: number; out: number }>;
};

/**
 * List prices where PRICES says nothing, as of 2026-11. Sources: console.groq.com/docs/models,
 * developers.openai.com/api/docs/pricing, serper.dev (the smallest package; $0.30 in the largest),
 * upstash.com/pricing/qstash.
 */
const listPrices: Prices = {
  search: 1,
  queue: 1,
  models: {
    'openai/gpt-oss-120b': { in: 0.15, out: 0.6 },
    'openai/gpt-oss-20b': { in: 0.075, out: 0.3 },
    'gpt-4o': { in: 2.5, out: 10 },
    'gpt-4o-mini': { in: 0.15, out: 0.6 },
    'gpt-4.1': { in: 2, out: 8 },
    'gpt-4.1-mini': { in: 0.4, out: 1.6 },
    'gpt-5': { in: 1.25, out: 10 },
    'gpt-5-mini': { in: 0.25, out: 2 },
    'gpt-5-nano': { in: 0.05, out: 0.4 },
    'gpt-5.4': { in: 2.5, out: 15 },
    'gpt-5.4-mini': { in: 0.75, out: 4.5 },
    'gpt-5.4-nano': { in: 0.2, out: 1.25 },
  },
};

export const priceSettings = {
  PRICES: json(prices, [...Object.keys(prices.shape), ...Object.keys(modelPrice.shape)]).optional(),
};

export const pricesOf = ({
  PRICES: own,
}: {
  PRICES?: z.infer<typeof prices> | undefined;
}): Prices => ({
  search: own?.search ?? listPrices.search,
  queue: own?.queue ?? listPrices.queue,
  models: { ...listPrices.models, ...own?.models },
});
