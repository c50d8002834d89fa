import { fail, skip, type Decision } from '../decision.pure.ts';
import { asInteger, asObject, asText, idOf, type Json } from '../shapes.pure.ts';

const count = (value: unknown): number | undefined => {
  const text = asText(value);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
};

/**
 * price.created and .updated: what a price is worth stands in its metadata, as `stripe:setup` writes it
 * (`rowloom_kind`, `rowloom_key`, `rowloom_credits`, `rowloom_trial_credits`, `rowloom_grants`).
 */
export function decidePrice(price: Json, eventAt: number): Decision {
  const metadata = asObject(price['metadata']);
  const kind = asText(metadata['rowloom_kind']);
  const key = asText(metadata['rowloom_key']);
  if (kind === undefined || key === undefined) return skip('not a price of ours');

  const priceId = asText(price['id']);
  const productId = idOf(price['product']);
  const amountCents = asInteger(price['unit_amount']);
  const currency = asText(price['currency']);
  const isUnlimited = metadata['rowloom_credits'] === 'unlimited';
  const credits = isUnlimited ? null : count(metadata['rowloom_credits']);
  if (
    priceId === undefined ||
    productId === undefined ||
    amountCents === undefined ||
    currency === undefined ||
    credits === undefined ||
    !(kind === 'plan' || (kind === 'pack' && credits !== null))
  )
    return fail('unreadable', `Price ${priceId ?? '?'} has no usable amount or rowloom_ metadata.`);
  return {
    identity: null,
    effects: [
      {
        effect: 'price',
        priceId,
        productId,
        kind,
        key,
        name: asText(price['nickname']) ?? key,
        credits,
        trialCredits: count(metadata['rowloom_trial_credits']) ?? 0,
        interval: asText(asObject(price['recurring'])['interval']) ?? null,
        grantsMonthly: metadata['rowloom_grants'] === 'monthly',
        amountCents,
        currency,
        active: price['active'] === true,
        eventAt,
        createdAt: asInteger(price['created']) ?? eventAt,
      },
    ],
  };
}

export function decidePriceDeleted(price: Json): Decision {
  const priceId = asText(price['id']);
  if (priceId === undefined) return skip('has no id');
  return { identity: null, effects: [{ effect: 'price_deleted', priceId }] };
}

/** product.updated: the name that people see. */
export function decideProduct(product: Json): Decision {
  const productId = asText(product['id']);
  const name = asText(product['name']);
  if (productId === undefined || name === undefined) return skip('has no name');
  return { identity: null, effects: [{ effect: 'product', productId, name }] };
}
