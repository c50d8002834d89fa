import templates from '../objects.json' with { type: 'json' };
import { random } from '../core/ids.ts';
import {
  bool,
  currency,
  decimal,
  hash,
  maxAmount,
  metadata,
  moments,
  natural,
  need,
  oneOf,
  str,
  within,
  type Rule,
  type Values,
} from '../core/params.ts';
import { invalid, missingParameter } from '../core/problem.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Coupon, PromotionCode } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { needCustomer } from './customers.ts';
import { refreshCoupons } from './discounts.ts';
import { mergeMetadata } from './metadata.ts';

const couponRules = {
  amount_off: within(1, maxAmount),
  currency,
  duration: oneOf('forever', 'once', 'repeating'),
  // The upper bound is the stand-in's: Stripe documents none.
  duration_in_months: within(1, 1200),
  id: str,
  max_redemptions: within(1),
  metadata,
  name: str,
  percent_off: decimal,
  redeem_by: natural,
};

function checkCoupon(world: World, params: Values<typeof couponRules>): void {
  const { amount_off: amount, percent_off: percent, duration_in_months: months } = params;
  if ((amount === undefined) === (percent === undefined))
    throw invalid('You must pass exactly one of these parameters: amount_off, percent_off.');
  if (amount !== undefined && params.currency === undefined) throw missingParameter('currency');
  if (percent !== undefined && params.currency !== undefined)
    throw invalid('A currency goes with amount_off, and only with it.', 'currency');
  if (percent !== undefined && !(Number(percent) > 0 && Number(percent) <= 100))
    throw invalid('The percent_off must be greater than 0 and at most 100.', 'percent_off');
  if ((params.duration === 'repeating') !== (months !== undefined))
    throw invalid(
      'duration_in_months goes with the duration `repeating`, and only with it.',
      'duration_in_months',
    );
  if (params.redeem_by !== undefined && params.redeem_by <= world.clock.now())
    throw invalid('redeem_by must be in the future.', 'redeem_by');
  if (params.id !== undefined && world.store.find('coupon', params.id))
    throw invalid('Coupon already exists.', { code: 'resource_already_exists', param: 'id' });
}

function createCoupon(world: World, params: Values<typeof couponRules>): Coupon {
  checkCoupon(world, params);
  const { id, percent_off: percent, ...fields } = params;
  const coupon = world.store.make('coupon', world.clock.now(), {
    ...fields,
    ...(id !== undefined && { id }),
    currency: params.currency ?? null,
    metadata: mergeMetadata({}, params.metadata),
    percent_off: percent === undefined ? null : Number(percent),
  });
  world.store.replace('coupon', coupon.id, coupon);
  world.emit('coupon.created', coupon);
  return coupon;
}

/** What a buyer types. Source: https://docs.stripe.com/api/promotion_codes/create#create_promotion_code-code */
const typed: Rule<string> = {
  read(raw, name) {
    const code = str.read(raw, name);
    if (/^[a-z\d-]+$/i.test(code)) return code;
    throw invalid('A promotion code has letters, digits and dashes alone.', { param: name });
  },
};

const promotionRules = {
  active: bool,
  code: typed,
  customer: str,
  expires_at: natural,
  max_redemptions: within(1),
  metadata,
  promotion: need(hash({ coupon: need(str), type: need(oneOf('coupon')) })),
  restrictions: hash({
    first_time_transaction: bool,
    minimum_amount: natural,
    minimum_amount_currency: currency,
  }),
};

const sameCode = (one: PromotionCode, code: string): boolean =>
  one.code.toLowerCase() === code.toLowerCase();

/** The active promotion code that a buyer types; codes do not tell case apart. */
export function findCode(world: World, code: string): PromotionCode {
  refreshCoupons(world);
  const found = world.store.all('promotion_code').find((one) => one.active && sameCode(one, code));
  if (!found) throw invalid('This code is invalid.', 'promotion_code');
  return found;
}

function createPromotionCode(world: World, params: Values<typeof promotionRules>): PromotionCode {
  const { restrictions = {}, ...fields } = params;
  const coupon = world.store.need('coupon', params.promotion.coupon, 'promotion[coupon]');
  refreshCoupons(world);
  if (!coupon.valid)
    throw invalid(`Coupon expired: ${coupon.id}`, { code: 'coupon_expired', param: 'promotion' });
  if (params.customer !== undefined) needCustomer(world, params.customer, 'customer');
  const code = params.code ?? random(8).toUpperCase();
  if (world.store.all('promotion_code').some((one) => one.active && sameCode(one, code)))
    throw invalid(`An active promotion code with \`code: ${code}\` already exists.`, 'code');
  if (params.expires_at !== undefined && params.expires_at <= world.clock.now())
    throw invalid('expires_at must be in the future.', 'expires_at');
  const { minimum_amount: least, minimum_amount_currency: inCurrency } = restrictions;
  if ((least === undefined) !== (inCurrency === undefined))
    throw missingParameter('restrictions[minimum_amount_currency]');
  const made = world.store.add('promotion_code', world.clock.now(), {
    ...fields,
    code,
    metadata: mergeMetadata({}, params.metadata),
    restrictions: { ...templates.promotion_code.restrictions, ...restrictions },
  });
  world.emit('promotion_code.created', made);
  return made;
}

/** Coupons and promotion codes. Source: https://docs.stripe.com/api/coupons, /promotion_codes */
export const couponRoutes: Route[] = [
  route('POST', '/v1/coupons', couponRules, ({ world, params }) => createCoupon(world, params)),
  route('POST', '/v1/coupons/:coupon', { metadata, name: str }, ({ world, id, params }) =>
    world.change('coupon.updated', world.store.need('coupon', id), (one) => {
      one.metadata = mergeMetadata(one.metadata ?? {}, params.metadata);
      one.name = params.name ?? one.name;
    }),
  ),
  route('DELETE', '/v1/coupons/:coupon', {}, ({ world, id }) => {
    const coupon = world.store.need('coupon', id);
    world.store.remove('coupon', id);
    refreshCoupons(world);
    world.emit('coupon.deleted', coupon);
    return { id, object: 'coupon', deleted: true };
  }),
  ...reads('coupon', '/v1/coupons', { created: moments }),
  route('POST', '/v1/promotion_codes', promotionRules, ({ world, params }) =>
    createPromotionCode(world, params),
  ),
  route('POST', '/v1/promotion_codes/:code', { active: bool, metadata }, ({ world, id, params }) =>
    world.change('promotion_code.updated', world.store.need('promotion_code', id), (one) => {
      one.active = params.active ?? one.active;
      one.metadata = mergeMetadata(one.metadata ?? {}, params.metadata);
      refreshCoupons(world);
    }),
  ),
  ...reads(
    'promotion_code',
    '/v1/promotion_codes',
    { active: bool, code: str, coupon: str, created: moments, customer: str },
    { code: sameCode, coupon: (one, id) => one.promotion.coupon === id },
  ),
];
