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

/** List prices where PRICES says nothing. */
const listPrices: Prices = {
  search: 1,
  queue: 1,
  models: {
    'openai/gpt-oss-120b': { in: 0.15, out: 0.6 },
  },
};

export const priceFields = [...Object.keys(prices.shape), ...Object.keys(modelPrice.shape)];
export const priceSettings = { PRICES: json(prices).optional() };

export const pricesOf = ({
  PRICES: own,
}: {
  PRICES?: z.infer<typeof prices> | undefined;
}): Prices => ({
  search: own?.search ?? listPrices.search,
  queue: own?.queue ?? listPrices.queue,
  models: { ...listPrices.models, ...own?.models },
});
