import { listInOrder, listOf } from './list.ts';
import type { Raw } from './form.ts';
import { invalid } from './problem.ts';
import type { Store, Tables } from './store.ts';

type Hash = Record<string, unknown>;

/** Fields that hold an id and can be expanded, by kind of object (`kind/inner.path` for nested). */
const references: Record<string, (keyof Tables | keyof typeof others)[]> = {
  product: ['default_price'],
  price: ['product'],
  'checkout.session': ['customer', 'invoice', 'payment_intent', 'payment_link', 'subscription'],
  'checkout.session.discounts': ['coupon', 'promotion_code'],
  discount: ['customer', 'promotion_code'],
  'discount.source': ['coupon'],
  promotion_code: ['customer'],
  'promotion_code.promotion': ['coupon'],
  credit_note: ['customer', 'customer_balance_transaction', 'invoice'],
  'credit_note.refunds': ['refund'],
  customer_balance_transaction: ['checkout_session', 'credit_note', 'customer', 'invoice'],
  subscription: ['customer', 'discounts', 'latest_invoice', 'schedule'],
  subscription_schedule: ['customer', 'subscription'],
  invoice: ['customer', 'discounts'],
  'invoice.total_discount_amounts': ['discount'],
  'invoice.parent.subscription_details': ['subscription'],
  'line_item.pricing.price_details': ['price'],
  line_item: ['discounts', 'subscription'],
  'line_item.discount_amounts': ['discount'],
  invoice_payment: ['invoice'],
  'invoice_payment.payment': ['payment_intent'],
  payment_intent: ['customer', 'latest_charge'],
  charge: ['balance_transaction', 'customer', 'payment_intent'],
  refund: [
    'balance_transaction',
    'charge',
    'customer',
    'failure_balance_transaction',
    'payment_intent',
  ],
  dispute: ['charge', 'payment_intent'],
  'radar.early_fraud_warning': ['charge', 'payment_intent'],
  'billing_portal.session': ['configuration'],
};
/** Fields that are not called as the kind that they refer to. */
const others = {
  checkout_session: 'checkout.session',
  configuration: 'billing_portal.configuration',
  default_price: 'price',
  discounts: 'discount',
  failure_balance_transaction: 'balance_transaction',
  latest_charge: 'charge',
  latest_invoice: 'invoice',
  schedule: 'subscription_schedule',
} as const;

/** Fields that are absent until asked for. Source: https://docs.stripe.com/expand */
const includable: Record<string, Record<string, (store: Store, id: string) => unknown>> = {
  'checkout.session': {
    line_items: (store, id) =>
      listInOrder(
        (store.notes.sessions[id]?.lines ?? []).map((line) => store.need('item', line)),
        {},
        `/v1/checkout/sessions/${id}/line_items`,
      ),
  },
  customer: {
    subscriptions: (store, id) =>
      listOf(
        store
          .of('subscription', 'customer', id)
          .filter((one) => !['canceled', 'incomplete_expired'].includes(one.status)),
        {},
        `/v1/customers/${id}/subscriptions`,
      ),
  },
  invoice: {
    payments: (store, id) =>
      listOf(store.of('invoice_payment', 'invoice', id), {}, `/v1/invoice_payments?invoice=${id}`),
  },
  charge: {
    refunds: (store, id) =>
      listOf(store.of('refund', 'charge', id), {}, `/v1/charges/${id}/refunds`),
  },
};

const isHash = (value: unknown): value is Hash =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every field that is a reference, or absent until asked for, in any kind of object. */
const expandable = new Set<string>([
  ...Object.values(references).flat(),
  ...Object.values(includable).flatMap((each) => Object.keys(each)),
]);

/** Refuses, before anything is done, what no object could expand. @throws Problem 400 */
export function checkPaths(paths: Raw = {}): void {
  for (const path of Object.values(paths))
    if (typeof path === 'string' && !expandable.has(path.split('.').at(-1) ?? ''))
      throw refusal(path);
}

const refusal = (path: string): Error =>
  invalid(
    `This property cannot be expanded (${path}). You may want to try expanding 'data.${path}', or the property does not exist.`,
    { param: 'expand' },
  );

/**
 * The answer with the expansions that a request asks for; what is kept is not touched, and only what
 * lies on the way is copied.
 * @throws Problem for a property that cannot be expanded or a path deeper than four.
 */
export function expand(store: Store, answer: Hash, paths: string[]): Hash {
  return paths.reduce((whole, path) => {
    const parts = path.split('.');
    if (parts.length > 4 + (parts[0] === 'data' ? 1 : 0))
      throw invalid(`You cannot expand more than 4 levels of a property. Property: ${path}`);
    return walk({ store, path }, whole, parts, String(whole['object']));
  }, answer);
}

type Ask = { store: Store; path: string };

function walk(ask: Ask, here: Hash, parts: string[], place: string): Hash {
  const [name, ...rest] = parts;
  if (name === undefined) return here;
  const value = resolve(ask, here, name, place, rest.length > 0);
  const within = here['object'] === 'list' ? '' : `${place}.${name}`;
  const deeper = (each: unknown): unknown =>
    isHash(each) && rest.length > 0 ? walk(ask, each, rest, placeOf(each, within)) : each;
  return { ...here, [name]: Array.isArray(value) ? value.map(deeper) : deeper(value) };
}

const placeOf = (value: Hash, otherwise: string): string =>
  typeof value['object'] === 'string' ? value['object'] : otherwise;

/** The value of a field after expansion; a field that is neither a reference nor on the way is refused. */
function resolve(ask: Ask, here: Hash, name: string, place: string, isOnTheWay: boolean): unknown {
  const known = includable[place] ?? {};
  const include = Object.hasOwn(known, name) ? known[name] : undefined;
  const value = here[name];
  if (include && !isHash(value)) return include(ask.store, String(here['id']));
  const field = references[place]?.find((one) => one === name);
  const kind =
    field && (field in others ? others[field as keyof typeof others] : (field as keyof Tables));
  if (kind) {
    const fill = (id: unknown): unknown => {
      if (typeof id !== 'string') return id;
      return ask.store.find(kind, id) ?? { id, object: kind, deleted: true };
    };
    return Array.isArray(value) ? value.map(fill) : fill(value);
  }
  if (!isOnTheWay || !Object.hasOwn(here, name) || typeof value !== 'object')
    throw refusal(ask.path);
  return value;
}
