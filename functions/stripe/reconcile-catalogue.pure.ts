import type { CatalogueChange } from './reading.pure.ts';

type Stored = {
  prices: Record<string, Record<string, unknown>>;
  products: Record<string, string>;
};

const snake = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What of a price can change in Stripe; its name is the product's. */
const changing = ['key', 'credits', 'trialCredits', 'grantsMonthly', 'active', 'listed'];

/** Whether a price is stored as it is told: field by field that both have. */
function isSamePrice(change: object, row: Record<string, unknown> | undefined): boolean {
  if (!row) return false;
  return Object.entries(change).every(([name, value]) => {
    const column = snake(name);
    return !changing.includes(name) || !Object.hasOwn(row, column) || row[column] === value;
  });
}

/** Whether the catalogue says already what Stripe's does; a product without a price of ours is nobody's. */
export const answersFor = (changes: readonly CatalogueChange[], stored: Stored): boolean =>
  changes.every((change) => {
    if (change.change === 'price') return isSamePrice(change, stored.prices[change.priceId]);
    if (change.change !== 'product') return false;
    const name = stored.products[change.productId];
    return name === undefined || name === change.name;
  });
