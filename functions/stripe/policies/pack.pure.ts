import type { PackFact } from '../../ledger/facts.pure.ts';
import { present, type Json } from '../normalise/json.pure.ts';
import { normaliseSession, type CheckoutSession } from '../normalise/session.pure.ts';
import {
  fail,
  microseconds,
  skip,
  tell,
  type CataloguePrice,
  type EventIdentity,
  type Knowledge,
  type Lack,
  type Reading,
  type StripeEvent,
} from '../reading.pure.ts';

/** `no_payment_required`: a coupon paid for all of it. */
const isPaid = ({ paymentStatus }: CheckoutSession): boolean =>
  paymentStatus === 'paid' || paymentStatus === 'no_payment_required';

/** The price that was sold, else the one on sale under the pack's key. */
function priceOf({ priceId, pack }: CheckoutSession, { prices }: Knowledge) {
  const isPack = (price: CataloguePrice): boolean => price.kind === 'pack';
  const sold = prices.get(priceId ?? '');
  if (sold && isPack(sold)) return sold;
  return [...prices.values()].find((price) => isPack(price) && price.active && price.key === pack);
}

/**
 * checkout.session.completed and .async_payment_succeeded: packs, at the time their money moved. A
 * subscription's credits come with its invoice: of its session only the customer is learned.
 * Source: docs.stripe.com/payments/checkout/fulfillment
 */
export function readCheckout(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const session = normaliseSession(object);
  const { id, pack, priceId, quantity, userIds, customerId, email } = session;
  const identity: EventIdentity = { userIds, customerId, email };
  if (session.mode !== 'payment') return tell(identity);
  if (!isPaid(session)) return skip('not paid yet');
  if (pack === null || quantity === null)
    return fail(
      'missing_metadata',
      `Checkout session ${id} names no pack (metadata.pack) or no usable metadata.quantity.`,
    );
  const price = priceOf(session, knowledge);
  if (price?.credits == null)
    return fail(
      'unknown_price',
      `Checkout session ${id} sold the pack ${pack}, which the catalogue does not have. Run stripe:setup, or give its price its rowloom_ metadata.`,
      present([priceId, `pack:${pack}`]),
    );

  const payment = `session:${id}`;
  const fact: PackFact = {
    kind: 'pack',
    key: payment,
    atUs: microseconds(session.movedAt ?? event.created),
    decidedAtMs: knowledge.decidedAtMs,
    session: id,
    pack: price.key,
    quantity,
    credits: price.credits * quantity,
    total: session.total,
  };
  const refs = present([id, session.paymentIntentId, session.chargeId, session.invoiceId]);
  return tell(identity, { facts: [fact], links: refs.map((ref) => ({ ref, payment })) });
}

/** A session of packs says that it is paid, not when. */
export function lackOfCheckout(object: Json): Lack | null {
  const session = normaliseSession(object);
  const { paymentIntentId, isPaymentUnread, mode, pack, quantity } = session;
  const isSale = mode === 'payment' && isPaid(session) && pack !== null && quantity !== null;
  return isSale && isPaymentUnread && paymentIntentId !== null
    ? { lack: 'payment_time', paymentIntentId }
    : null;
}
