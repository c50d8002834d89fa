import { invalid, missingParameter, onlyOne } from '../core/problem.ts';
import {
  bool,
  currency,
  decimal,
  hash,
  list,
  maxAmount,
  metadata,
  moments,
  natural,
  need,
  oneOf,
  str,
  strOrUnset,
  within,
  type Values,
} from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Price } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { given, mergeMetadata, pick } from './metadata.ts';
import { createProduct } from './create-product.ts';

const interval = oneOf('day', 'week', 'month', 'year');
/** Three years. Source: https://docs.stripe.com/api/prices/create#create_price-recurring-interval_count */
const maxIntervals = { day: 1095, week: 156, month: 36, year: 3 };

/** What `default_price_data` of a product may hold. */
export const defaultPriceRules = {
  currency: need(currency),
  unit_amount: within(0, maxAmount),
  unit_amount_decimal: decimal,
  recurring: hash({ interval: need(interval), interval_count: within(1) }),
  tax_behavior: oneOf('exclusive', 'inclusive', 'unspecified'),
  metadata,
};

const createRules = {
  ...defaultPriceRules,
  active: bool,
  billing_scheme: oneOf('per_unit'),
  lookup_key: str,
  nickname: str,
  product: str,
  product_data: hash({ name: need(str), metadata, active: bool, id: str, unit_label: str }),
  recurring: hash({
    interval: need(interval),
    interval_count: within(1),
    usage_type: oneOf('licensed'),
    trial_period_days: natural,
  }),
  transfer_lookup_key: bool,
};

/** Takes a lookup key from whoever has it, if that is allowed. */
function claimLookupKey(world: World, key: string | null | undefined, mayTransfer: boolean): void {
  if (key === undefined || key === null) return;
  const holder = world.store.all('price').find((price) => price.lookup_key === key);
  if (!holder) return;
  if (!mayTransfer)
    throw invalid(`A price (\`${holder.id}\`) already uses that lookup key.`, 'lookup_key');
  world.change('price.updated', holder, (price) => {
    price.lookup_key = null;
  });
}

function amountOf(params: Values<typeof createRules>): { cents: number; text: string } {
  const { unit_amount: cents, unit_amount_decimal: text } = params;
  onlyOne(params, 'unit_amount', 'unit_amount_decimal');
  if (cents !== undefined) return { cents, text: String(cents) };
  if (text === undefined) throw missingParameter('unit_amount');
  if (!Number.isInteger(Number(text)))
    throw invalid('This stand-in does not play fractions of a cent.', 'unit_amount_decimal');
  if (Number(text) > maxAmount)
    throw invalid(`This value must be less than or equal to ${maxAmount}.`, 'unit_amount_decimal');
  return { cents: Number(text), text };
}

function checkInterval({ recurring }: Values<typeof createRules>): void {
  if (!recurring || (recurring.interval_count ?? 1) <= maxIntervals[recurring.interval]) return;
  throw invalid(
    `A price recurs at least every three years: at most ${maxIntervals[recurring.interval]} times a ${recurring.interval}.`,
    'recurring[interval_count]',
  );
}

/** Makes a price. Its amount, currency and interval never change afterwards. */
export function createPrice(world: World, params: Values<typeof createRules>): Price {
  onlyOne(params, 'product', 'product_data');
  if (params.product !== undefined) world.store.need('product', params.product, 'product');
  else if (!params.product_data) throw missingParameter('product');
  checkInterval(params);
  const amount = amountOf(params);
  claimLookupKey(world, params.lookup_key, params.transfer_lookup_key ?? false);
  const product = params.product ?? createProduct(world, params.product_data ?? { name: '' }).id;
  const price = world.store.add('price', world.clock.now(), {
    ...pick(params, ['active', 'lookup_key', 'nickname', 'tax_behavior']),
    currency: params.currency,
    metadata: mergeMetadata({}, params.metadata),
    product,
    recurring: params.recurring
      ? {
          interval_count: 1,
          meter: null,
          trial_period_days: null,
          usage_type: 'licensed',
          ...(given(params.recurring) as { interval: 'month' }),
        }
      : null,
    type: params.recurring ? 'recurring' : 'one_time',
    unit_amount: amount.cents,
    unit_amount_decimal: amount.text,
  });
  world.emit('price.created', price);
  return price;
}

const update = route(
  'POST',
  '/v1/prices/:price',
  {
    active: bool,
    lookup_key: strOrUnset,
    metadata,
    nickname: strOrUnset,
    tax_behavior: oneOf('exclusive', 'inclusive', 'unspecified'),
    transfer_lookup_key: bool,
  },
  ({ world, id, params }) => {
    const price = world.store.need('price', id);
    const { metadata: meta, transfer_lookup_key: mayTransfer, ...fields } = params;
    // Source: github.com/stripe/stripe-python/issues/658
    if (params.active === false && world.store.find('product', price.product)?.default_price === id)
      throw invalid(
        'This price cannot be archived because it is the default price of its product.',
        'active',
      );
    if (params.tax_behavior !== undefined && price.tax_behavior !== 'unspecified')
      throw invalid(
        'The tax_behavior of a price cannot change once it is specified.',
        'tax_behavior',
      );
    if (params.lookup_key !== price.lookup_key)
      claimLookupKey(world, params.lookup_key, mayTransfer ?? false);
    return world.change('price.updated', price, (one) => {
      Object.assign(one, given(fields));
      one.metadata = mergeMetadata(one.metadata, meta);
    });
  },
);

/** Prices. Source: https://docs.stripe.com/api/prices */
export const priceRoutes: Route[] = [
  route('POST', '/v1/prices', createRules, ({ world, params }) => createPrice(world, params)),
  update,
  ...reads(
    'price',
    '/v1/prices',
    {
      active: bool,
      created: moments,
      currency,
      lookup_keys: list(str, 10),
      product: str,
      recurring: hash({ interval, usage_type: oneOf('licensed') }),
      type: oneOf('one_time', 'recurring'),
    },
    {
      lookup_keys: (one, keys) => keys.includes(one.lookup_key ?? ''),
      recurring: (one, by) =>
        one.recurring !== null &&
        (by.interval === undefined || one.recurring.interval === by.interval),
    },
  ),
];
