import { invalid } from '../core/problem.ts';
import type { SessionNote } from '../core/store.ts';
import type { LineItem, Session } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { findCoupon, termsOf, type Redeemer } from './discounts.ts';
import { totalsOf } from './invoice-totals.ts';
import { isInclusive, taxOf } from './taxes.ts';

export const noteOf = (world: World, session: Session): SessionNote => {
  const note = world.store.notes.sessions[session.id];
  if (!note) throw invalid(`No such checkout session: '${session.id}'`);
  return note;
};

/** The lines of a session in the order in which they were given, also of one that was only told. */
export const linesOf = (world: World, session: Session): LineItem[] =>
  world.store.notes.sessions[session.id]?.lines.map((id) => world.store.need('item', id)) ??
  (session.line_items?.data as LineItem[] | undefined) ??
  [];

/** Who buys, as promotion codes ask. */
export const redeemerOf = (session: Session): Redeemer => ({
  amount: session.amount_subtotal ?? 0,
  currency: session.currency ?? '',
  customer: session.customer,
});

/** What the session's discounts were made from, redeemable still. @throws Problem otherwise. */
export const couponsOf = (world: World, session: Session) =>
  (session.discounts ?? []).map(({ coupon, promotion_code: code }, index) =>
    findCoupon(
      world,
      code === null ? { coupon: coupon ?? '' } : { promotion_code: code },
      redeemerOf(session),
      `discounts[${index}]`,
    ),
  );

/**
 * What is due now, line by line, by the same sums as the first invoice: nothing for what a trial
 * delays, and no tax before the buyer's place is known.
 */
export function setTotals(world: World, session: Session): void {
  const { trialEnd } = noteOf(world, session).subscription;
  const lines = linesOf(world, session);
  const due = lines.map(({ price, quantity }) => ({
    amount: trialEnd !== null && price.recurring ? 0 : (price.unit_amount ?? 0) * quantity,
    isDiscountable: true,
    isInclusive: isInclusive(world, price),
  }));
  session.amount_subtotal = due.reduce((sum, { amount }) => sum + amount, 0);
  const totals = totalsOf(
    due,
    couponsOf(world, session).map(({ coupon }) => termsOf(coupon.id, coupon)),
    taxOf(world, session.automatic_tax.status === 'complete'),
  );
  for (const [index, line] of lines.entries()) {
    const own = totals.lines[index];
    line.amount_discount = own?.discounted ?? 0;
    line.amount_subtotal = own?.subtotal ?? 0;
    line.amount_tax = own?.taxed ?? 0;
    line.amount_total = own?.total ?? 0;
  }
  session.amount_total = totals.total;
  session.total_details = {
    amount_discount: totals.discounted,
    amount_shipping: 0,
    amount_tax: totals.taxed,
  };
}
