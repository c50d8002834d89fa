import type Stripe from 'stripe';
import {
  lookupKeyOf,
  metadataOf,
  type CatalogueItem,
} from '../../functions/billing/catalogue.pure.ts';

export type Priced = { item: CatalogueItem; price: Stripe.Price };
/** Told of everything that is changed. */
export type Report = (line: string) => void;

export const productIdOf = (item: CatalogueItem): string => `rowloom_${item.kind}_${item.key}`;

const isMissing = (error: unknown): boolean =>
  (error as { code?: string }).code === 'resource_missing';

async function ensureProduct(stripe: Stripe, item: CatalogueItem, report: Report): Promise<string> {
  const id = productIdOf(item);
  try {
    const product = await stripe.products.retrieve(id);
    if (product.name !== item.name) {
      await stripe.products.update(id, { name: item.name });
      report(`product ${id}: renamed to ${item.name}`);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
    await stripe.products.create({ id, name: item.name, metadata: metadataOf(item) });
    report(`product ${id}: created`);
  }
  return id;
}

/** A price in Stripe is never changed: it fits, or a new one takes its lookup key over. */
function fits(price: Stripe.Price, item: CatalogueItem): boolean {
  const wanted = metadataOf(item);
  const ours = Object.keys(price.metadata).filter((key) => key.startsWith('rowloom_'));
  return (
    price.active &&
    price.unit_amount === item.amountCents &&
    price.currency === item.currency &&
    (price.recurring?.interval ?? null) === item.interval &&
    [...ours, ...Object.keys(wanted)].every((key) => price.metadata[key] === wanted[key])
  );
}

async function ensurePrice(stripe: Stripe, item: CatalogueItem, report: Report): Promise<Priced> {
  const product = await ensureProduct(stripe, item, report);
  const lookupKey = lookupKeyOf(item);
  const found = (await stripe.prices.list({ lookup_keys: [lookupKey], limit: 1 })).data[0];
  if (found && fits(found, item)) return { item, price: found };
  const price = await stripe.prices.create({
    product,
    currency: item.currency,
    unit_amount: item.amountCents,
    lookup_key: lookupKey,
    transfer_lookup_key: true,
    nickname: item.name,
    metadata: metadataOf(item),
    ...(item.interval && { recurring: { interval: item.interval } }),
  });
  report(`price ${lookupKey}: ${found ? `replaces ${found.id} with` : 'created'} ${price.id}`);
  return { item, price };
}

/** Makes the catalogue true in Stripe; gives every item with its price, in order. */
export async function ensurePrices(
  stripe: Stripe,
  items: readonly CatalogueItem[],
  report: Report,
): Promise<Priced[]> {
  const prices: Priced[] = [];
  for (const item of items) prices.push(await ensurePrice(stripe, item, report));
  return prices;
}
