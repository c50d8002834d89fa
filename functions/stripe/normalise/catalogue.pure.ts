import {
  amountOr,
  asAmount,
  asIdentity,
  asObject,
  asSeconds,
  asText,
  idOf,
  need,
  Unreadable,
  type Json,
} from './json.pure.ts';

/** A price that `stripe:setup` marked as ours (`rowloom_kind`, `rowloom_key`, `rowloom_credits`, …). */
export type Price = {
  id: string;
  productId: string;
  kind: 'plan' | 'pack';
  key: string;
  name: string;
  /** Null: unlimited. */
  credits: number | null;
  trialCredits: number;
  /** Of a plan; null: paid once. */
  interval: 'month' | 'year' | null;
  grantsMonthly: boolean;
  amountCents: number;
  currency: string;
  active: boolean;
  /** `rowloom_listed`: offered to everybody; a private price only carries its key. */
  listed: boolean;
  /** Unix seconds. */
  createdAt: number | null;
};

const countOf = (value: unknown): number | undefined => {
  const text = asText(value);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
};

/** @throws Unreadable for a plan by the day or the week, or by several months at once */
function intervalOf(price: Json, kind: string): Price['interval'] {
  const recurring = asObject(price['recurring']);
  const interval = asText(recurring['interval']);
  if (kind === 'pack' || interval === undefined) return null;
  const count = amountOr(recurring['interval_count'], 1, 'interval_count');
  if (count === 1 && (interval === 'month' || interval === 'year')) return interval;
  throw new Unreadable(
    `A plan is paid by the month or the year, not every ${count} ${interval}${count === 1 ? '' : 's'}.`,
  );
}

/**
 * A price of ours; null: not one.
 * @throws Unreadable without an amount, with metadata that says no number of credits, or by another period
 * Source: docs.stripe.com/api/prices/object
 */
export function normalisePrice(price: Json): Price | null {
  const metadata = asObject(price['metadata']);
  const kind = asText(metadata['rowloom_kind']);
  const key = asText(metadata['rowloom_key']);
  if (kind === undefined || key === undefined) return null;
  const id = need(asText(price['id']), 'The price has no id.');
  const lacks = `Price ${id} has no usable amount or rowloom_ metadata.`;
  const isUnlimited = metadata['rowloom_credits'] === 'unlimited';
  const credits = isUnlimited ? null : need(countOf(metadata['rowloom_credits']), lacks);
  if (kind !== 'plan' && (kind !== 'pack' || credits === null)) throw new Unreadable(lacks);
  return {
    id,
    productId: need(idOf(price['product']), lacks),
    kind,
    key,
    name: asText(price['nickname']) ?? key,
    credits,
    trialCredits: countOf(metadata['rowloom_trial_credits']) ?? 0,
    interval: intervalOf(price, kind),
    grantsMonthly: metadata['rowloom_grants'] === 'monthly',
    amountCents: need(asAmount(price['unit_amount']), lacks),
    currency: need(asText(price['currency']), lacks),
    active: price['active'] === true,
    listed: metadata['rowloom_listed'] === 'true',
    createdAt: asSeconds(price['created']) ?? null,
  };
}

export type Product = {
  id: string;
  name: string;
  /** Whether its own metadata says that it is ours. */
  isMarked: boolean;
};

/** A product with the name that people see; null without one. */
export function normaliseProduct(product: Json): Product | null {
  const id = asText(product['id']);
  const name = asText(product['name']);
  if (id === undefined || name === undefined) return null;
  const isMarked = Object.keys(asObject(product['metadata'])).some((key) =>
    key.startsWith('rowloom_'),
  );
  return { id, name, isMarked };
}

/** What Stripe answered when it was asked for an object as it is now, which `fetchMissing` put beside it. */
export type Present = {
  object: Json;
  /** By Stripe's clock, to the second. */
  atUs: number;
  /** When it was asked, by ours. */
  askedMs: number;
};

/** Null: it was not asked, or did not answer. */
export function normalisePresent(object: Json): Present | null {
  const now = asObject(object['rowloom_now']);
  const at = asSeconds(now['at']);
  if (at === undefined) return null;
  const askedMs = asAmount(now['askedMs']) ?? 0;
  return { object: asObject(now['object']), atUs: at * 1_000_000, askedMs };
}

export type Customer = { id: string; userId: string | null; isDeleted: boolean };

/** @throws Unreadable without id */
export const normaliseCustomer = (customer: Json): Customer => ({
  id: need(asText(customer['id']), 'The customer has no id.'),
  userId: asIdentity(asObject(customer['metadata'])['user_id']) ?? null,
  isDeleted: customer['deleted'] === true,
});
