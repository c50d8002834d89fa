import { invalid } from '../core/problem.ts';
import type { Card, SessionNote } from '../core/store.ts';
import type { LineItem, PaymentIntent, Session } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { detailsOf } from './checkout.ts';
import { markPaid, PAYMENT_ORDER, paymentOf, settleInvoice } from './payment-collection.ts';
import { createCustomer } from './customers.ts';
import { beginSlowPayment, confirmIntent, createIntent, settleSlowPayment } from './payments.ts';
import { openSubscription, startSubscription } from './subscriptions.ts';

const DAY = 86_400;
/** How long a bank takes to settle an asynchronous payment. */
const BANK_DAYS = 3;

export type Buyer = { email: string | null; name: string | null };
export type Press = 'pay' | 'decline' | 'async';
export type Pressed = {
  status: 'complete' | 'open';
  redirect: string | null;
  message: string | null;
};

const noteOf = (world: World, session: Session): SessionNote => {
  const note = world.store.notes.sessions[session.id];
  if (!note) throw invalid(`No such checkout session: '${session.id}'`);
  return note;
};

/** The lines of a session, in the order in which they were given. */
export const linesOf = (world: World, session: Session): LineItem[] =>
  noteOf(world, session).lines.map((id) => world.store.need('item', id));

/** The success page with the session's id filled in. */
export const successUrl = (session: Session): string =>
  (session.success_url ?? '').replaceAll('{CHECKOUT_SESSION_ID}', session.id);

/** Makes the customer that Checkout makes, unless it sells to a guest. */
function settleCustomer(world: World, session: Session, buyer: Buyer, card: Card): void {
  const email = session.customer_details?.['email'];
  const known = typeof email === 'string' ? email : (buyer.email ?? 'buyer@example.com');
  session.customer_details = detailsOf(known, buyer.name);
  const wantsCustomer = session.mode === 'subscription' || session.customer_creation === 'always';
  if (session.customer === null && wantsCustomer)
    session.customer = createCustomer(world, { email: known, name: buyer.name }).id;
  if (session.customer !== null) world.store.notes.cards[session.customer] = card;
}

/** The intent of a payment; a second try uses the first one's. */
function intentOf(world: World, session: Session): PaymentIntent {
  if (session.payment_intent !== null)
    return world.store.need('payment_intent', session.payment_intent);
  const note = noteOf(world, session);
  const intent = createIntent(world, {
    amount: session.amount_total ?? 0,
    currency: session.currency ?? '',
    customer: session.customer,
    description: note.description,
    metadata: note.paymentMetadata,
  });
  if (session.mode === 'payment') session.payment_intent = intent.id;
  return intent;
}

function complete(world: World, session: Session, status: Session['payment_status']): void {
  Object.assign(session, { payment_status: status, status: 'complete', url: null });
  world.emit('checkout.session.completed', session);
}

const subscriptionInput = (world: World, session: Session) => {
  const note = noteOf(world, session);
  const lines = linesOf(world, session);
  return {
    customer: session.customer ?? '',
    extras: lines.filter(({ price }) => !price.recurring),
    items: lines
      .filter(({ price }) => price.recurring)
      .map(({ price, quantity }) => ({ price, quantity })),
    metadata: note.subscriptionMetadata,
    trialEnd: note.trialEnd,
    trialSettings: note.trialSettings,
  };
};

/** A subscription's whole story: customer, subscription, first invoice, payment, completion. */
function subscribe(world: World, session: Session, isSlow: boolean): void {
  const input = subscriptionInput(world, session);
  const { subscription, invoice } = isSlow
    ? openSubscription(world, input)
    : startSubscription(world, input);
  session.subscription = subscription.id;
  session.invoice = invoice.id;
  const open = isSlow ? paymentOf(world, invoice) : undefined;
  if (open) {
    beginSlowPayment(world, open.intent);
    noteOf(world, session).settlesAt = world.clock.now() + BANK_DAYS * DAY;
    world.change('customer.subscription.updated', subscription, (one) => {
      one.status = 'active';
      one.default_payment_method = open.intent.payment_method;
    });
    complete(world, session, 'unpaid');
    return;
  }
  if (isSlow) markPaid(world, invoice);
  complete(world, session, invoice.amount_due > 0 ? 'paid' : 'no_payment_required');
}

/** A single payment's story. */
function purchase(world: World, session: Session, isSlow: boolean): void {
  if ((session.amount_total ?? 0) === 0) return complete(world, session, 'no_payment_required');
  const intent = intentOf(world, session);
  intent.customer = session.customer;
  if (!isSlow) {
    confirmIntent(world, intent, 'ok');
    return complete(world, session, 'paid');
  }
  beginSlowPayment(world, intent);
  noteOf(world, session).settlesAt = world.clock.now() + BANK_DAYS * DAY;
  return complete(world, session, 'unpaid');
}

/** A refused card: no subscription exists before a payment since "basil"; the session stays open. */
function refuse(world: World, session: Session): void {
  const intent = intentOf(world, session);
  confirmIntent(world, intent, 'decline');
}

/**
 * What pressing a button on the hosted page does.
 * @throws Problem 400 for a session that is no longer open.
 */
export function press(world: World, session: Session, action: Press, buyer: Buyer): Pressed {
  if (session.status !== 'open')
    throw invalid(`This Checkout Session is no longer active: its status is ${session.status}.`);
  if (action === 'decline') {
    world.inOrder(PAYMENT_ORDER, () => refuse(world, session));
    return { status: 'open', redirect: null, message: 'Your card was declined.' };
  }
  const isCardless =
    session.payment_method_collection === 'if_required' &&
    session.mode === 'subscription' &&
    session.amount_total === 0;
  world.inOrder(PAYMENT_ORDER, () => {
    settleCustomer(world, session, buyer, isCardless ? 'none' : 'ok');
    (session.mode === 'subscription' ? subscribe : purchase)(world, session, action === 'async');
  });
  return { status: 'complete', redirect: successUrl(session), message: null };
}

/** The bank's word on an asynchronous payment of a completed session. */
export function settleSession(world: World, session: Session, isGood: boolean): void {
  const note = noteOf(world, session);
  if (note.settlesAt === null) throw invalid('This session waits for no payment.');
  note.settlesAt = null;
  world.inOrder(PAYMENT_ORDER, () => {
    const invoice = session.invoice === null ? null : world.store.need('invoice', session.invoice);
    const intent = invoice
      ? paymentOf(world, invoice)?.intent
      : world.store.need('payment_intent', session.payment_intent ?? '');
    if (intent) {
      const outcome = settleSlowPayment(world, intent, isGood);
      if (invoice) settleInvoice(world, invoice, outcome);
    }
    if (isGood) session.payment_status = 'paid';
    world.emit(`checkout.session.async_payment_${isGood ? 'succeeded' : 'failed'}`, session);
  });
}

/** Closes an open session. */
export function expireSession(world: World, session: Session): Session {
  Object.assign(session, { status: 'expired', url: null });
  world.emit('checkout.session.expired', session);
  return session;
}
