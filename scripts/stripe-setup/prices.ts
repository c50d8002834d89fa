import type Stripe from 'stripe';
import {
  lookupKeyOf,
  metadataOf,
  type CatalogueItem,
} from '../../functions/billing/catalogue.pure.ts';
import type { CheckoutSettings } from '../../functions/env.ts';

export type Priced = { item: CatalogueItem; price: Stripe.Price };
/** Told of everything that is changed. */
export type Report = (line: string) => void;
type TaxSettings = Pick<CheckoutSettings, 'automaticTax' | 'taxBehavior'>;

const untaxed: TaxSettings = { automaticTax: false, taxBehavior: 'exclusive' };

export const productIdOf = (item: CatalogueItem): string => `rowloom_${item.kind}_${item.key}`;

const isMissing = (error: unknown): boolean =>
  (error as { code?: string }).code === 'resource_missing';

/** What has to be changed about a product, and in which words. */
function productChanges(product: Stripe.Product, item: CatalogueItem) {
  const metadata = metadataOf(item);
  const isMarked = Object.entries(metadata).every(([key, text]) => product.metadata[key] === text);
  const isNamed = product.name === item.name;
  const changes: Stripe.ProductUpdateParams = {
    ...(!isNamed && { name: item.name }),
    ...(!isMarked && { metadata }),
    ...(!product.active && { active: true }),
  };
  const words = [
    !isNamed && `renamed to ${item.name}`,
    !isMarked && 'marked as ours',
    !product.active && 'taken out of the archive',
  ].filter((word) => word !== false);
  return { changes, words };
}

async function ensureProduct(stripe: Stripe, item: CatalogueItem, report: Report): Promise<string> {
  const id = productIdOf(item);
  try {
    const { changes, words } = productChanges(await stripe.products.retrieve(id), item);
    if (words.length > 0) {
      await stripe.products.update(id, changes);
      report(`product ${id}: ${words.join(', ')}`);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
    await stripe.products.create({ id, name: item.name, metadata: metadataOf(item) });
    report(`product ${id}: created`);
  }
  return id;
}

const isVague = ({ tax_behavior: own }: Stripe.Price): boolean =>
  (own ?? 'unspecified') === 'unspecified';

/** What a price is worth never changes: it fits, or a new one takes its lookup key over. */
function fits(price: Stripe.Price, item: CatalogueItem, tax: TaxSettings): boolean {
  const wanted = metadataOf(item);
  const ours = Object.keys(price.metadata).filter(
    (key) => key.startsWith('rowloom_') && key !== 'rowloom_listed',
  );
  return (
    price.active &&
    price.unit_amount === item.amountCents &&
    price.currency === item.currency &&
    (price.recurring?.interval ?? null) === item.interval &&
    (price.recurring?.interval_count ?? 1) === 1 &&
    (!tax.automaticTax || isVague(price) || price.tax_behavior === tax.taxBehavior) &&
    [...ours, ...Object.keys(wanted)].every((key) => price.metadata[key] === wanted[key])
  );
}

/** What has to be changed about a price that fits; its tax behavior can be said once. */
function priceChanges(price: Stripe.Price, item: CatalogueItem, tax: TaxSettings) {
  const isListed = price.metadata['rowloom_listed'] === 'true';
  const isNamed = price.nickname === item.name;
  const isToTax = tax.automaticTax && isVague(price);
  const changes: Stripe.PriceUpdateParams = {
    ...(!isListed && { metadata: { rowloom_listed: 'true' } }),
    ...(!isNamed && { nickname: item.name }),
    ...(isToTax && { tax_behavior: tax.taxBehavior }),
  };
  const words = [
    !isListed && 'listed',
    !isNamed && `renamed to ${item.name}`,
    isToTax && `tax ${tax.taxBehavior}`,
  ].filter((word) => word !== false);
  return { changes, words };
}

async function bringUpToDate(
  stripe: Stripe,
  { item, price }: Priced,
  tax: TaxSettings,
  report: Report,
): Promise<Priced> {
  const { changes, words } = priceChanges(price, item, tax);
  if (words.length === 0) return { item, price };
  report(`price ${lookupKeyOf(item)}: ${price.id} ${words.join(', ')}`);
  return { item, price: await stripe.prices.update(price.id, changes) };
}

async function ensurePrice(
  stripe: Stripe,
  item: CatalogueItem,
  tax: TaxSettings,
  report: Report,
): Promise<Priced> {
  const product = await ensureProduct(stripe, item, report);
  const lookupKey = lookupKeyOf(item);
  const found = (await stripe.prices.list({ lookup_keys: [lookupKey], limit: 1 })).data[0];
  if (found && fits(found, item, tax))
    return bringUpToDate(stripe, { item, price: found }, tax, report);
  const price = await stripe.prices.create({
    product,
    currency: item.currency,
    unit_amount: item.amountCents,
    lookup_key: lookupKey,
    transfer_lookup_key: true,
    nickname: item.name,
    metadata: { ...metadataOf(item), rowloom_listed: 'true' },
    ...(tax.automaticTax && { tax_behavior: tax.taxBehavior }),
    ...(item.interval && { recurring: { interval: item.interval } }),
  });
  report(`price ${lookupKey}: ${found ? `replaces ${found.id} with` : 'created'} ${price.id}`);
  return { item, price };
}

/**
 * Every other price is private: archiving the new one must not bring an old one back. It is not archived, for
 * whoever has it keeps it, and Stripe plans no change of a subscription whose price is archived.
 */
async function unlistOthers(stripe: Stripe, prices: Priced[], report: Report): Promise<void> {
  const listed = new Set(prices.map(({ price }) => price.id));
  for await (const { id, metadata } of stripe.prices.list({ limit: 100 })) {
    if (listed.has(id) || metadata['rowloom_listed'] !== 'true') continue;
    await stripe.prices.update(id, { metadata: { rowloom_listed: '' } });
    report(
      `price ${id}: no longer listed (${metadata['rowloom_kind']} ${metadata['rowloom_key']})`,
    );
  }
}

/** Makes the catalogue true in Stripe; gives every item with its price, in order. */
export async function ensurePrices(
  stripe: Stripe,
  items: readonly CatalogueItem[],
  report: Report,
  tax: TaxSettings = untaxed,
): Promise<Priced[]> {
  const prices: Priced[] = [];
  for (const item of items) prices.push(await ensurePrice(stripe, item, tax, report));
  await unlistOthers(stripe, prices, report);
  return prices;
}
