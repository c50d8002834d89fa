import { normalisePrice, normaliseProduct } from '../normalise/catalogue.pure.ts';
import { idOf, type Json } from '../normalise/json.pure.ts';
import { skip, tell, type Reading, type StripeEvent } from '../reading.pure.ts';

/** price.created and .updated: what a price is worth stands in its metadata. */
export function readPrice(object: Json, event: StripeEvent): Reading {
  const price = normalisePrice(object);
  if (!price) return skip('not a price of ours');
  const { id: priceId, createdAt, ...terms } = price;
  const times = { eventAt: event.created, createdAt: createdAt ?? event.created };
  return tell(null, { changes: [{ change: 'price', priceId, ...terms, ...times }] });
}

export function readPriceDeleted(object: Json): Reading {
  const priceId = idOf(object);
  if (priceId === undefined) return skip('has no id');
  return tell(null, { changes: [{ change: 'price_deleted', priceId }] });
}

/** product.created and .updated: the name that people see. */
export function readProduct(object: Json): Reading {
  const product = normaliseProduct(object);
  if (!product) return skip('has no name');
  return tell(null, {
    changes: [{ change: 'product', productId: product.id, name: product.name }],
  });
}
