import { invalid, missing } from '../core/problem.ts';
import { hash, list, str } from '../core/params.ts';
import type { Coupon, Discount, Invoice, PromotionCode, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import type { Due } from './billing-cycle.ts';
import type { TotalDiscount } from './invoice-totals.ts';
import { money } from './invoice-lines.ts';
import { addIntervals } from './periods.ts';

/** `discounts` of a subscription; `''` takes all away. Source: https://docs.stripe.com/api/subscriptions/update */
export const discountRules = list(hash({ coupon: str, discount: str, promotion_code: str }), 20);
export type DiscountParams = ReturnType<typeof discountRules.read>[number];

/** Who redeems: what a promotion code's restrictions ask about. */
export type Redeemer = {
  customer: string | null;
  currency: string;
  /** What is bought, before discounts. */
  amount: number;
  /** Discounts that are there already and may be named again. */
  has?: string[];
};
type Found = { coupon: Coupon; promotion: PromotionCode | null };

/** The coupon of a discount, as it was redeemed. */
const couponOf = (world: World, { id, source }: Discount): Coupon =>
  world.store.notes.redeemed[id] ?? world.store.need('coupon', source.coupon ?? '');

/** A coupon as totals need it. */
export const termsOf = (id: string, coupon: Coupon): TotalDiscount => ({
  amountOff: coupon.amount_off,
  id,
  percentOff: coupon.percent_off,
});

/** Keeps `valid` and `active` as they stand at the clock's time, after redemptions too. */
export function refreshCoupons(world: World): void {
  const now = world.clock.now();
  const isUsedUp = (one: Coupon | PromotionCode): boolean =>
    one.max_redemptions !== null && one.times_redeemed >= one.max_redemptions;
  for (const coupon of world.store.all('coupon'))
    if (isUsedUp(coupon) || now >= (coupon.redeem_by ?? Infinity)) coupon.valid = false;
  for (const code of world.store.all('promotion_code')) {
    const coupon = world.store.find('coupon', code.promotion.coupon ?? '');
    if (isUsedUp(code) || now >= (code.expires_at ?? Infinity) || !coupon?.valid)
      code.active = false;
  }
}

function checkCoupon(coupon: Coupon, currency: string, param: string): void {
  if (!coupon.valid)
    throw coupon.max_redemptions !== null && coupon.times_redeemed >= coupon.max_redemptions
      ? invalid(`Coupon ${coupon.id} is used up and cannot be applied.`, param)
      : invalid(`Coupon expired: ${coupon.id}`, { code: 'coupon_expired', param });
  if (coupon.currency !== null && coupon.currency !== currency)
    throw invalid(`The coupon ${coupon.id} is in ${coupon.currency}, not in ${currency}.`, {
      param,
    });
}

/** Sources of the texts: stripe-php issue 1146; the others are this stand-in's own. */
function checkPromotion(world: World, one: PromotionCode, by: Redeemer, param: string): void {
  if (!one.active) throw invalid(`The promotion code ${one.code} is not active.`, param);
  if (one.customer !== null && one.customer !== by.customer)
    throw invalid('This promotion code cannot be redeemed by this customer.', param);
  const {
    first_time_transaction: isFirst,
    minimum_amount: least,
    minimum_amount_currency: leastCurrency,
  } = one.restrictions;
  const hasPaid = world.store
    .of('charge', 'customer', by.customer ?? '')
    .some((charge) => charge.paid);
  if (isFirst && hasPaid)
    throw invalid(
      'This promotion code cannot be redeemed because the associated customer has prior transactions.',
      param,
    );
  if (least !== null && leastCurrency !== by.currency)
    throw invalid(`This promotion code is not for orders in ${by.currency}.`, param);
  if (least !== null && by.amount < least)
    throw invalid(
      `This promotion code needs an order of ${money(least, one.restrictions.minimum_amount_currency ?? by.currency)}.`,
      param,
    );
}

/** The coupon that an entry names, redeemable. @throws Problem otherwise. */
export function findCoupon(
  world: World,
  entry: { coupon?: string | undefined; promotion_code?: string | undefined },
  by: Redeemer,
  param: string,
): Found {
  const { store } = world;
  refreshCoupons(world);
  const code = entry.promotion_code;
  const promotion =
    code === undefined ? null : store.need('promotion_code', code, `${param}[promotion_code]`);
  const name = `${param}[${promotion ? 'promotion_code' : 'coupon'}]`;
  const coupon = store.need('coupon', promotion?.promotion.coupon ?? entry.coupon ?? '', name);
  if (promotion) checkPromotion(world, promotion, by, name);
  checkCoupon(coupon, by.currency, name);
  return { coupon, promotion };
}

/** Redeems a coupon: a discount that belongs to nothing yet. */
export function redeem(world: World, { coupon, promotion }: Found): Discount {
  const now = world.clock.now();
  const months = coupon.duration === 'repeating' ? (coupon.duration_in_months ?? 0) : null;
  coupon.times_redeemed += 1;
  if (promotion) promotion.times_redeemed += 1;
  refreshCoupons(world);
  const discount = world.store.add('discount', now, {
    end: months && addIntervals(now, { interval: 'month', interval_count: months }, 1),
    promotion_code: promotion?.id ?? null,
    source: { coupon: coupon.id, type: 'coupon' },
    start: now,
  });
  world.store.notes.redeemed[discount.id] = structuredClone(coupon);
  return discount;
}

/**
 * The ids of the discounts that `discounts` names, redeemed anew except for those of `by.has`. All
 * are checked before any is redeemed. Give them to `setDiscounts`, or to a new subscription.
 */
export function readDiscounts(world: World, entries: DiscountParams[], by: Redeemer): string[] {
  const found = entries.map((entry, index) => {
    const param = `discounts[${index}]`;
    if (Object.keys(entry).length !== 1)
      throw invalid(`You must specify one of these parameters: coupon, discount, promotion_code.`, {
        param,
      });
    if (entry.discount === undefined) return findCoupon(world, entry, by, param);
    if (!by.has?.includes(entry.discount))
      throw missing('discount', entry.discount, `${param}[discount]`);
    return entry.discount;
  });
  return found.map((one) => (typeof one === 'string' ? one : redeem(world, one).id));
}

/** Whether one of the coupons that `discounts` names takes the whole price off. */
export const isGivenAway = (world: World, entries: DiscountParams[], by: Redeemer): boolean =>
  entries.some(
    (entry, index) =>
      entry.discount === undefined &&
      findCoupon(world, entry, by, `discounts[${index}]`).coupon.percent_off === 100,
  );

/** Gives a subscription its discounts and tells of those that came and went. */
export function setDiscounts(world: World, subscription: Subscription, ids: string[]): void {
  const { store } = world;
  const gone = subscription.discounts.filter((id) => !ids.includes(id));
  subscription.discounts = ids;
  for (const discount of ids.map((id) => store.need('discount', id))) {
    if (discount.subscription !== null) continue;
    Object.assign(discount, { customer: subscription.customer, subscription: subscription.id });
    world.emit('customer.discount.created', discount);
  }
  for (const id of gone) world.emit('customer.discount.deleted', store.need('discount', id));
}

/** Discounts of a subscription that its next invoice takes; `once` not beside another draft. */
export function discountsFor(world: World, subscription: Subscription): TotalDiscount[] {
  const drafts = world.store
    .of('invoice', 'subscription', subscription.id)
    .filter((one) => one.status === 'draft')
    .flatMap((one) => one.discounts);
  return subscription.discounts
    .map((id) => world.store.need('discount', id))
    .map((discount) => ({ coupon: couponOf(world, discount), id: discount.id }))
    .filter(({ coupon, id }) => coupon.duration !== 'once' || !drafts.includes(id))
    .map(({ coupon, id }) => termsOf(id, coupon));
}

function dropDiscounts(world: World, subscription: Subscription, ids: string[]): void {
  if (ids.length === 0) return;
  const left = subscription.discounts.filter((id) => !ids.includes(id));
  world.change('customer.subscription.updated', subscription, (one) =>
    setDiscounts(world, one, left),
  );
}

/** A `once` discount leaves its subscription with the first invoice that it made cheaper. */
export function useUpDiscounts(world: World, subscription: Subscription, invoice: Invoice): void {
  const isOnce = (id: string): boolean =>
    couponOf(world, world.store.need('discount', id)).duration === 'once';
  const used = (invoice.total_discount_amounts ?? [])
    .filter(({ amount, discount }) => amount > 0 && subscription.discounts.includes(discount))
    .map(({ discount }) => discount)
    .filter(isOnce);
  dropDiscounts(world, subscription, used);
}

/** Repeating discounts end when their months are over. */
export const discountsDue = (world: World): Due[] =>
  world.store.played('subscription').flatMap((one) =>
    (one.ended_at === null ? one.discounts : []).flatMap((id): Due[] => {
      const end = world.store.find('discount', id)?.end ?? null;
      const run = (): void => dropDiscounts(world, one, [id]);
      return end === null ? [] : [{ at: end, rank: 2, run }];
    }),
  );
