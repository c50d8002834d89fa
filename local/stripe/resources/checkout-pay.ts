import { daySeconds } from '../core/clock.ts';
import { invalid } from '../core/problem.ts';
import type { Card } from '../core/store.ts';
import type { PaymentIntent, Session } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { detailsOf } from './checkout.ts';
import { couponsOf, linesOf, noteOf, redeemerOf, setTotals } from './checkout-totals.ts';
import { findCode } from './coupons.ts';
import { findCoupon, redeem } from './discounts.ts';
import { markPaid, paymentOrder, paymentOf, settleInvoice } from './payment-collection.ts';
import { createCustomer, needCustomer, noAddress } from './customers.ts';
import { beginSlowPayment, confirmIntent, createIntent, settleSlowPayment } from './payments.ts';
import { openSubscription, startSubscription } from './subscriptions.ts';

/** How long a bank takes to settle an asynchronous payment. */
const bankDays = 3;

type Buyer = { email: string | null; name: string | null; promotionCode: string | null };
export type Press = 'pay' | 'decline' | 'async';
type Pressed = {
  status: 'complete' | 'open';
  redirect: string | null;
  message: string | null;
};

/** The success page with the session's id filled in. */
export const successUrl = (session: Session): string =>
  (session.success_url ?? '').replaceAll('{CHECKOUT_SESSION_ID}', session.id);

/** The place that buyers pay from. */
const buyersPlace = { ...noAddress, country: 'US', postal_code: '94107' };

/** Makes the customer that Checkout makes, unless it sells to a guest, or updates the one it knows. */
function settleCustomer(world: World, session: Session, buyer: Buyer, card: Card): void {
  const email = session.customer_details?.['email'];
  const typed = buyer.email ?? noteOf(world, session).prefilledEmail ?? 'buyer@example.com';
  const known = typeof email === 'string' ? email : typed;
  const details = detailsOf(known, buyer.name);
  const isLocated = session.automatic_tax.enabled;
  session.customer_details = details && { ...details, ...(isLocated && { address: buyersPlace }) };
  const { saves } = noteOf(world, session);
  const wantsCustomer =
    session.mode === 'subscription' ||
    session.customer_creation === 'always' ||
    session.amount_total === 0;
  const address = isLocated ? { address: buyersPlace } : {};
  if (session.customer !== null)
    world.change('customer.updated', needCustomer(world, session.customer), (one) => {
      if (saves.address) Object.assign(one, address);
      if (saves.name) one.name = buyer.name ?? one.name ?? null;
    });
  else if (wantsCustomer)
    session.customer = createCustomer(world, { ...address, email: known, name: buyer.name }).id;
  if (session.customer !== null) world.store.notes.cards[session.customer] = card;
}

/** The intent of a payment; a second try uses the first one's. */
function intentOf(world: World, session: Session): PaymentIntent {
  const { payment_intent: id } = session;
  const intent =
    id === null
      ? createIntent(world, {
          ...noteOf(world, session).payment,
          amount: session.amount_total ?? 0,
          currency: session.currency ?? '',
          customer: session.customer,
          payment_method_types: session.payment_method_types,
        })
      : world.store.need('payment_intent', id);
  intent.amount = session.amount_total ?? 0;
  if (session.mode === 'payment') session.payment_intent = intent.id;
  world.store.replace('checkout.session', session.id, session);
  return intent;
}

function complete(world: World, session: Session, status: Session['payment_status']): void {
  Object.assign(session, { payment_status: status, status: 'complete', url: null });
  world.store.replace('checkout.session', session.id, session);
  world.emit('checkout.session.completed', session);
}

/** Completes a session whose money the bank moves days later. */
function payByBank(world: World, session: Session, intent: PaymentIntent): void {
  beginSlowPayment(world, intent);
  noteOf(world, session).settlesAt = world.clock.now() + bankDays * daySeconds;
  complete(world, session, 'unpaid');
}

const subscriptionInput = (world: World, session: Session, discounts: string[]) => {
  const lines = linesOf(world, session);
  return {
    ...noteOf(world, session).subscription,
    customer: session.customer ?? '',
    discounts,
    isTaxed: session.automatic_tax.enabled,
    extras: lines.filter(({ price }) => !price.recurring),
    items: lines
      .filter(({ price }) => price.recurring)
      .map(({ price, quantity }) => ({ price, quantity })),
  };
};

/** A subscription's whole story: customer, subscription, first invoice, payment, completion. */
function subscribe(world: World, session: Session, isSlow: boolean, discounts: string[]): void {
  const input = subscriptionInput(world, session, discounts);
  const { subscription, invoice } = isSlow
    ? openSubscription(world, input)
    : startSubscription(world, input);
  session.subscription = subscription.id;
  session.invoice = invoice.id;
  const open = isSlow ? paymentOf(world, invoice) : undefined;
  if (open) {
    payByBank(world, session, open.intent);
    world.change('customer.subscription.updated', subscription, (one) => {
      one.status = 'active';
      one.default_payment_method = open.intent.payment_method;
    });
    return;
  }
  if (isSlow) markPaid(world, invoice);
  complete(world, session, invoice.amount_due > 0 ? 'paid' : 'no_payment_required');
}

/** A single payment's story. */
function purchase(world: World, session: Session, isSlow: boolean, discounts: string[]): void {
  for (const id of discounts) {
    const discount = world.store.need('discount', id);
    Object.assign(discount, { checkout_session: session.id, customer: session.customer });
  }
  if ((session.amount_total ?? 0) === 0) return complete(world, session, 'no_payment_required');
  const intent = intentOf(world, session);
  intent.customer = session.customer;
  if (isSlow) return payByBank(world, session, intent);
  confirmIntent(world, intent, 'ok');
  return complete(world, session, 'paid');
}

/** A refused card: no subscription exists before a payment since "basil"; the session stays open. */
function refuse(world: World, session: Session): void {
  if (session.amount_total !== 0) confirmIntent(world, intentOf(world, session), 'decline');
}

/** The promotion code that a buyer types, on a page that takes one. */
function typeCode(world: World, session: Session, code: string): void {
  const param = 'promotion_code';
  if (!session.allow_promotion_codes)
    throw invalid('This Checkout Session takes no promotion codes.', param);
  const { id, promotion } = findCode(world, code);
  findCoupon(world, { promotion_code: id }, redeemerOf(session), param);
  session.discounts = [{ coupon: promotion.coupon, promotion_code: id }];
}

/**
 * What pressing a button on the hosted page does.
 * @throws Problem 400 for a session that is no longer open.
 */
export function press(world: World, session: Session, action: Press, buyer: Buyer): Pressed {
  if (session.status !== 'open')
    throw invalid(`This Checkout Session is no longer active: its status is ${session.status}.`);
  const method = action === 'async' ? 'us_bank_account' : 'card';
  if (!session.payment_method_types.includes(method))
    throw invalid(`This Checkout Session takes no payment by ${method}.`);
  if (buyer.promotionCode !== null) typeCode(world, session, buyer.promotionCode);
  if (session.automatic_tax.enabled) session.automatic_tax.status = 'complete';
  setTotals(world, session);
  if (action === 'decline') {
    world.inOrder(paymentOrder, () => refuse(world, session));
    return { status: 'open', redirect: null, message: 'Your card was declined.' };
  }
  const isCardless =
    session.payment_method_collection === 'if_required' &&
    session.mode === 'subscription' &&
    session.amount_total === 0;
  world.inOrder(paymentOrder, () => {
    const discounts = couponsOf(world, session).map((one) => redeem(world, one).id);
    settleCustomer(world, session, buyer, isCardless ? 'none' : 'ok');
    const play = session.mode === 'subscription' ? subscribe : purchase;
    play(world, session, action === 'async', discounts);
  });
  return { status: 'complete', redirect: successUrl(session), message: null };
}

/** The bank's word on an asynchronous payment of a completed session. */
export function settleSession(world: World, session: Session, isGood: boolean): void {
  const note = noteOf(world, session);
  if (note.settlesAt === null) throw invalid('This session waits for no payment.');
  note.settlesAt = null;
  world.inOrder(paymentOrder, () => {
    const invoice = session.invoice === null ? null : world.store.need('invoice', session.invoice);
    const intent = invoice
      ? paymentOf(world, invoice)?.intent
      : world.store.need('payment_intent', session.payment_intent ?? '');
    if (intent) {
      const outcome = settleSlowPayment(world, intent, isGood);
      if (invoice) settleInvoice(world, invoice, outcome);
      if (!isGood) becomePastDue(world, session);
    }
    if (isGood) session.payment_status = 'paid';
    world.emit(`checkout.session.async_payment_${isGood ? 'succeeded' : 'failed'}`, session);
  });
}

/** A subscription that was active while its bank payment was on its way is not after it failed. */
function becomePastDue(world: World, session: Session): void {
  const subscription = world.store.find('subscription', session.subscription ?? '');
  if (subscription?.status !== 'active') return;
  world.change('customer.subscription.updated', subscription, (one) => {
    one.status = 'past_due';
  });
}

/** Closes an open session. */
export function expireSession(world: World, session: Session): Session {
  Object.assign(session, { status: 'expired', url: null });
  world.emit('checkout.session.expired', session);
  return session;
}
