import type { CustomerFact, PackFact } from '../../ledger/facts.pure.ts';
import { isOurId, present, type Json } from '../normalise/json.pure.ts';
import { normaliseSession, type CheckoutSession } from '../normalise/session.pure.ts';
import {
  failFor,
  microseconds,
  skip,
  tell,
  type CataloguePrice,
  type EventIdentity,
  type IsOurs,
  type Knowledge,
  type Lack,
  type Reading,
  type StripeEvent,
} from '../reading.pure.ts';

/** `no_payment_required`: a coupon paid for all of it. */
const isPaid = ({ paymentStatus }: CheckoutSession): boolean =>
  paymentStatus === 'paid' || paymentStatus === 'no_payment_required';

const isUnfinished = ({ status }: CheckoutSession): boolean =>
  status === 'open' || status === 'expired';

const isPack = (price: CataloguePrice): boolean => price.kind === 'pack' && price.credits !== null;

/** The price that was sold, else the one on sale under the pack's key. */
function priceOf({ priceId, pack }: CheckoutSession, { prices }: Knowledge) {
  const sold = prices.get(priceId ?? '');
  if (sold && isPack(sold)) return sold;
  return [...prices.values()].find((price) => isPack(price) && price.onSale && price.key === pack);
}

/** Whether our own metadata says what was sold: a Payment Link's session has none. */
const isLabelled = ({ pack, quantity }: CheckoutSession): boolean =>
  pack !== null && quantity !== null;

type Sale = Pick<PackFact, 'pack' | 'quantity' | 'credits'>;

/** What was sold by the session's own lines: pieces of packs in the catalogue. */
function soldByLines({ lines }: CheckoutSession, { prices }: Knowledge): Sale | undefined {
  const packs = (lines ?? []).flatMap(({ priceId, quantity }) => {
    const price = prices.get(priceId ?? '');
    return price && isPack(price) ? [{ key: price.key, quantity, each: price.credits ?? 0 }] : [];
  });
  const [first] = packs;
  return (
    first && {
      pack: present(packs.map(({ key }) => key)).join('+'),
      quantity: packs.reduce((sum, { quantity }) => sum + quantity, 0),
      credits: packs.reduce((sum, { quantity, each }) => sum + quantity * each, 0),
    }
  );
}

/** Other shops write `user_id` too: where it is no id of ours, only what was sold can make it ours. */
function isOursBy(session: CheckoutSession, { prices }: Knowledge): IsOurs {
  const { isMarked, userIds, lines } = session;
  if (isMarked || userIds.some(isOurId)) return true;
  return lines === null ? 'if_named' : lines.some(({ priceId }) => prices.has(priceId ?? ''));
}

const identityOf = (session: CheckoutSession): EventIdentity => {
  const { userIds, references, customerId, email } = session;
  return { userIds, references, customerId, email };
};

/** Of a subscription's session only whose the customer is: a fact, unless our own metadata says it anyway. */
function tellCustomer(session: CheckoutSession, event: StripeEvent, knowledge: Knowledge): Reading {
  const { customerId: customer, userIds } = session;
  const isOurs = isOursBy(session, knowledge);
  if (customer === null || userIds.length > 0) return tell(identityOf(session), { isOurs });
  const key = `customer:${customer}`;
  const told = { key, atUs: microseconds(event.created), decidedAtMs: knowledge.decidedAtMs };
  const fact: CustomerFact = { kind: 'customer', ...told, customer };
  return tell(identityOf(session), { isOurs, facts: [fact] });
}

/**
 * checkout.session.*: packs that are paid, whatever the event is called, at the time their money moved. A
 * subscription's credits come with its invoice: of its session only the customer is learned.
 * Source: docs.stripe.com/payments/checkout/fulfillment
 */
export function readCheckout(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const session = normaliseSession(object);
  const { id, pack, priceId, quantity, customerId } = session;
  const identity = identityOf(session);
  const isOurs = isOursBy(session, knowledge);
  if (session.mode === 'setup') return skip('sells nothing');
  if (session.mode === 'subscription')
    return isUnfinished(session) ? skip('not completed') : tellCustomer(session, event, knowledge);
  if (!isPaid(session)) return skip('not paid yet');
  const price = isLabelled(session) ? priceOf(session, knowledge) : undefined;
  const sale: Sale | undefined =
    price && quantity !== null
      ? { pack: price.key, quantity, credits: (price.credits ?? 0) * quantity }
      : soldByLines(session, knowledge);
  const prices = present((session.lines ?? []).map((line) => line.priceId));
  if (!sale && !isLabelled(session))
    return failFor(
      { identity, isOurs },
      {
        code: 'missing_metadata',
        detail: `Checkout session ${id} names no pack (metadata.pack) or no usable metadata.quantity, and none of its prices is a pack of the catalogue.`,
        ...(prices.length > 0 && { waitsFor: prices }),
      },
    );
  if (!sale)
    return failFor(
      { identity, isOurs },
      {
        code: 'unknown_price',
        detail: `Checkout session ${id} sold the pack ${pack}, which the catalogue does not have. Run stripe:setup, or give its price its rowloom_ metadata.`,
        waitsFor: present([priceId, `pack:${pack}`]),
      },
    );

  const payment = `session:${id}`;
  const fact: PackFact = {
    kind: 'pack',
    key: payment,
    atUs: microseconds(session.movedAt ?? event.created),
    decidedAtMs: knowledge.decidedAtMs,
    session: id,
    customer: customerId,
    ...sale,
    total: session.total,
  };
  const refs = present([id, session.paymentIntentId, session.chargeId, session.invoiceId]);
  return tell(identity, { isOurs, facts: [fact], links: refs.map((ref) => ({ ref, payment })) });
}

/** A session says neither what it sells, if our metadata does not, nor when it was paid. */
export function lackOfCheckout(object: Json, knowledge: Knowledge): Lack | null {
  const session = normaliseSession(object);
  const { id, paymentIntentId, isPaymentUnread, mode, userIds, lines } = session;
  const isSale = mode === 'payment' ? isPaid(session) : mode === 'subscription';
  if (!isSale) return null;
  const isTold = isLabelled(session) || (mode === 'subscription' && userIds.some(isOurId));
  if (!isTold && lines === null) return { lack: 'session_lines', sessionId: id };
  const isPaidPack = mode === 'payment' && (isLabelled(session) || soldByLines(session, knowledge));
  return isPaidPack && isPaymentUnread && paymentIntentId !== null
    ? { lack: 'payment_time', paymentIntentId }
    : null;
}
