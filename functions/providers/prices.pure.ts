import type { ModelConfig, Prices } from '../env.ts';

/** What providers and the queue were asked for; the searches are those that were paid. */
export type PaidUsage = {
  models?: readonly {
    model: Pick<ModelConfig, 'name' | 'model'>;
    tokensIn: number;
    tokensOut: number;
  }[];
  searches?: number;
  queueMessages?: number;
};

/** The price of a model by its name here, its provider's, or that without a date. */
function priceOf({ name, model }: Pick<ModelConfig, 'name' | 'model'>, { models }: Prices) {
  const undated = model.replace(/-\d{4}-\d{2}-\d{2}$/, '');
  const known = [name, model, undated].find((each) => Object.hasOwn(models, each));
  return known === undefined ? undefined : models[known];
}

/**
 * What a usage cost, in whole millionths of a US dollar; `isPriced`: false where a model has no price, so
 * that its tokens cost nothing here.
 */
export function costMicros(
  { models = [], searches = 0, queueMessages = 0 }: PaidUsage,
  prices: Prices,
): { micros: number; isPriced: boolean } {
  let micros = searches * prices.search * 1000 + queueMessages * prices.queue * 10;
  let isPriced = true;
  for (const { model, tokensIn, tokensOut } of models) {
    const price = priceOf(model, prices);
    // Dollars for a million tokens are millionths of a dollar for one.
    if (price) micros += tokensIn * price.in + tokensOut * price.out;
    else isPriced = false;
  }
  return { micros: Math.round(micros), isPriced };
}

/** The models whose tokens cost nothing in a usage, since no price of theirs is known. */
export const unpricedModels = (
  models: readonly Pick<ModelConfig, 'name' | 'model'>[],
  prices: Prices,
): string[] => models.flatMap((model) => (priceOf(model, prices) ? [] : model.name));
