import { randomBytes } from 'node:crypto';
import objects from '../../local/stripe/objects.json' with { type: 'json' };

export { event } from './stripe-stories/index.ts';

type Json = Record<string, unknown>;

/** Stripe's current object shapes, as the stand-in uses them. */
const templates = objects as Record<string, Json>;

const newId = (prefix: string): string => `${prefix}_${randomBytes(8).toString('hex')}`;

export type Sale = {
  userId?: string | undefined;
  customer?: string;
  email?: string;
  subscription?: string;
  price?: string;
  /** Unix seconds. */
  periodStart?: number;
  periodEnd?: number;
};

const month = 30 * 86_400;
const now = 1_790_000_000;

const defaults = (sale: Sale) => ({
  customer: 'cus_none',
  subscription: 'sub_none',
  price: 'price_none',
  periodStart: now,
  periodEnd: (sale.periodStart ?? now) + month,
  ...sale,
});

const metadataOf = (userId: string | undefined): Json =>
  userId === undefined ? {} : { user_id: userId };

/** A subscription's invoice in today's shape; `paid` unless said otherwise. */
export function invoice(given: Sale, fields: Json = {}): Json {
  const sale = defaults(given);
  const line = {
    ...templates['line_item'],
    id: newId('il'),
    amount: 1900,
    quantity: 1,
    period: { start: sale.periodStart, end: sale.periodEnd },
    pricing: { type: 'price_details', price_details: { price: sale.price, product: 'prod_x' } },
    parent: {
      type: 'subscription_item_details',
      subscription_item_details: {
        subscription: sale.subscription,
        subscription_item: 'si_x',
        proration: false,
      },
    },
  };
  return {
    ...templates['invoice'],
    id: newId('in'),
    status: 'paid',
    billing_reason: 'subscription_create',
    total: 1900,
    subtotal: 1900,
    amount_paid: 1900,
    customer: sale.customer,
    customer_email: sale.email ?? null,
    lines: { object: 'list', data: [line], has_more: false },
    parent: {
      type: 'subscription_details',
      subscription_details: { subscription: sale.subscription, metadata: metadataOf(sale.userId) },
    },
    ...fields,
  };
}

/** The same invoice as an endpoint pinned to a version before "basil" gets it. */
export function olderInvoice(given: Sale, fields: Json = {}): Json {
  const sale = defaults(given);
  const { parent: _, ...rest } = invoice(given, fields);
  const line = {
    id: newId('il'),
    object: 'line_item',
    amount: 1900,
    quantity: 1,
    proration: false,
    period: { start: sale.periodStart, end: sale.periodEnd },
    price: { id: sale.price, object: 'price' },
    subscription: sale.subscription,
  };
  return {
    ...rest,
    subscription: sale.subscription,
    subscription_details: { metadata: metadataOf(sale.userId) },
    lines: { object: 'list', data: [line], has_more: false },
  };
}

export function subscription(given: Sale, fields: Json = {}): Json {
  const sale = defaults(given);
  const item = {
    ...templates['subscription_item'],
    price: { ...templates['price'], id: sale.price },
    quantity: 1,
    current_period_start: sale.periodStart,
    current_period_end: sale.periodEnd,
  };
  return {
    ...templates['subscription'],
    id: sale.subscription,
    customer: sale.customer,
    status: 'active',
    metadata: metadataOf(sale.userId),
    items: { object: 'list', data: [item], has_more: false },
    cancel_at: null,
    cancel_at_period_end: false,
    trial_end: null,
    trial_start: null,
    ended_at: null,
    ...fields,
  };
}

/** A paid checkout session of packs. */
export const packSession = (
  given: Sale & { pack?: string; quantity?: number },
  fields: Json = {},
): Json => ({
  ...templates['checkout.session'],
  id: newId('cs'),
  mode: 'payment',
  status: 'complete',
  payment_status: 'paid',
  customer: given.customer ?? null,
  client_reference_id: given.userId ?? null,
  customer_details: { email: given.email ?? null },
  metadata: {
    ...metadataOf(given.userId),
    ...(given.pack !== undefined && { pack: given.pack, quantity: String(given.quantity ?? 1) }),
  },
  ...fields,
});

/** A paid checkout session of a subscription. */
export const planSession = (sale: Sale, fields: Json = {}): Json =>
  packSession(sale, { mode: 'subscription', subscription: sale.subscription ?? null, ...fields });
