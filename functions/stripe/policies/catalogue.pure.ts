import type { Notice } from '../../notices/notice.pure.ts';
import {
  normalisePresent,
  normalisePrice,
  normaliseProduct,
  type Present,
  type Price,
} from '../normalise/catalogue.pure.ts';
import { asObject, idOf, present, Unreadable, type Json } from '../normalise/json.pure.ts';
import {
  microseconds,
  skip,
  tell,
  type CatalogueChange,
  type Knowledge,
  type Lack,
  type Reading,
  type StripeEvent,
} from '../reading.pure.ts';

/** Within one second an object is made before it is changed, and read after both. */
const changedUs = 250_000;
const readUs = 500_000;

const asOf = ({ type, created }: StripeEvent) => ({
  atUs: microseconds(created) + (type.endsWith('.created') ? 0 : changedUs),
  isRead: false,
});

/**
 * An answer is never older than the event that it was asked for. Of several in one second the one that was asked
 * last is the newest: our milliseconds of eight minutes fit behind Stripe's second.
 */
const asRead = ({ atUs, askedMs }: Present, { created }: StripeEvent) => ({
  atUs: Math.max(atUs, microseconds(created)) + readUs + (askedMs % readUs),
  isRead: true,
});

type Named = Pick<Price, 'kind' | 'key'>;
const nameOf = ({ kind, key }: Named): string => `${kind} ${key}`;

type AsOf = ReturnType<typeof asOf> | { atUs: null; isRead: false };

function priceChange(price: Price, event: StripeEvent, at: AsOf, known: Named | undefined) {
  const { id: priceId, ...terms } = price;
  const createdAt = terms.createdAt ?? event.created;
  const knownAs = known ? nameOf(known) : null;
  return { change: 'price', priceId, ...terms, createdAt, knownAs, ...at } as const;
}

/** What a price is known as, is told as and is by now; the same words whichever of them came first. */
function renamed(priceId: string, names: (Named | null | undefined)[]): Notice[] {
  const each = present(names.map((one) => one && nameOf(one))).toSorted();
  if (each.length < 2) return [];
  const detail = `Price ${priceId} was renamed in Stripe: it has been ${each.join(' and ')}, and counts as what its metadata says last. What was paid before keeps its name.`;
  return [{ kind: 'renamed_price', subject: { type: 'price', id: priceId }, detail }];
}

/** A product that Stripe showed together with its price. */
function nameWith(price: Json, at: AsOf): CatalogueChange[] {
  const product = normaliseProduct(asObject(price['product']));
  return product ? [{ change: 'product', productId: product.id, name: product.name, ...at }] : [];
}

/** price.created and .updated: what a price is worth stands in its metadata, and is as Stripe has it by now. */
export function readPrice(object: Json, event: StripeEvent, { prices }: Knowledge): Reading {
  const told = normalisePrice(object);
  if (!told) return skip('not a price of ours');
  const answer = normalisePresent(object);
  const now = answer && normalisePrice(answer.object);
  const at = now ? asRead(answer, event) : asOf(event);
  const known = prices.get(told.id);
  return tell(null, {
    changes: [
      priceChange(now ?? told, event, at, known),
      ...(now ? nameWith(answer.object, at) : []),
    ],
    notices: renamed(told.id, [told, now, known]),
  });
}

/** What a price's or a product's event lacks is what they are by now: one second may hold several updates. */
export function lackOfPrice(object: Json): Lack | null {
  const price = normalisePrice(object);
  return price && { lack: 'price_now', priceId: price.id };
}

/** One that cannot be read never came into the catalogue. */
function readable(object: Json): Price | null {
  try {
    return normalisePrice(object);
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

/** Nothing is told of a price after its deletion; that of one that is not known yet is kept as a price off sale. */
export function readPriceDeleted(object: Json, event: StripeEvent, { prices }: Knowledge): Reading {
  const priceId = idOf(object);
  if (priceId === undefined) return skip('has no id');
  const price = readable({ ...object, active: false });
  const gone: CatalogueChange = { change: 'price_deleted', priceId };
  const last =
    price && priceChange(price, event, { atUs: null, isRead: false }, prices.get(priceId));
  return tell(null, { changes: [last ?? gone] });
}

/** Ours by its metadata, or by a price of ours. */
const isOurs = (object: Json, { prices }: Knowledge): boolean => {
  const product = normaliseProduct(object);
  return (
    product !== null &&
    (product.isMarked || [...prices.values()].some(({ productId }) => productId === product.id))
  );
};

/** product.created and .updated: the name that people see. */
export function readProduct(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const told = normaliseProduct(object);
  if (!told) return skip('has no name');
  if (!isOurs(object, knowledge)) return skip('not a product of ours');
  const answer = normalisePresent(object);
  const now = answer && normaliseProduct(answer.object);
  const { id: productId, name } = now ?? told;
  const at = now ? asRead(answer, event) : asOf(event);
  return tell(null, { changes: [{ change: 'product', productId, name, ...at }] });
}

export function lackOfProduct(object: Json, knowledge: Knowledge): Lack | null {
  const product = normaliseProduct(object);
  return product && isOurs(object, knowledge)
    ? { lack: 'product_now', productId: product.id }
    : null;
}
