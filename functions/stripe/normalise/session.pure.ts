import {
  amountOr,
  asAmount,
  asIdentity,
  asList,
  asObject,
  asSeconds,
  asText,
  idAt,
  idOf,
  need,
  present,
  Unreadable,
  type Json,
} from './json.pure.ts';

export type CheckoutSession = {
  id: string;
  mode: string | null;
  status: string | null;
  paymentStatus: string | null;
  /** Whom our metadata names, and whom the payer does (`client_reference_id`). */
  userIds: string[];
  references: string[];
  customerId: string | null;
  email: string | null;
  /** Its metadata says what was sold, as ours does, however little it says. */
  isMarked: boolean;
  pack: string | null;
  priceId: string | null;
  /** Null: what the metadata says is no small whole number. */
  quantity: number | null;
  /** What it sells; null: the session does not say, Stripe has to be asked. */
  lines: { priceId: string | null; quantity: number }[] | null;
  /** Minor units. */
  total: number;
  paymentIntentId: string | null;
  chargeId: string | null;
  invoiceId: string | null;
  /** When the money moved, unix seconds; null: nothing was paid, or the payment was not read. */
  movedAt: number | null;
  /** The payment is only an id: Stripe has to be asked when it was made. */
  isPaymentUnread: boolean;
};

/** Metadata is ours, so what is not a small whole number is nobody's sale. */
function quantityOf(metadata: Json): number | null {
  const text = metadata['quantity'] ?? '1';
  return typeof text === 'string' && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : null;
}

/** A bank's charge is created when the payment begins; its money moves with the balance transaction. */
function paymentOf(session: Json) {
  const intent = session['payment_intent'];
  const charge = asObject(intent)['latest_charge'];
  const entry = asObject(charge)['balance_transaction'];
  const movedAt =
    asSeconds(asObject(entry)['created']) ?? asSeconds(asObject(charge)['created']) ?? null;
  return {
    paymentIntentId: idOf(intent) ?? null,
    chargeId: idOf(charge) ?? null,
    movedAt,
    isPaymentUnread: [intent, charge, entry].some((part) => typeof part === 'string'),
  };
}

/**
 * A checkout session; its payment intent an id, or expanded down to `latest_charge.balance_transaction`.
 * @throws Unreadable without id, or with a total that is no amount
 * Source: docs.stripe.com/api/checkout/sessions/object
 */
export function normaliseSession(session: Json): CheckoutSession {
  const metadata = asObject(session['metadata']);
  const total = asAmount(session['amount_total'] ?? 0);
  if (total === undefined) throw new Unreadable('The checkout session has no usable amount_total.');
  return {
    id: need(asText(session['id']), 'The checkout session has no id.'),
    mode: asText(session['mode']) ?? null,
    status: asText(session['status']) ?? null,
    paymentStatus: asText(session['payment_status']) ?? null,
    userIds: present([asIdentity(metadata['user_id'])]),
    references: present([asIdentity(session['client_reference_id'])]),
    customerId: idAt(session, 'customer'),
    email:
      asIdentity(asObject(session['customer_details'])['email']) ??
      asIdentity(session['customer_email']) ??
      null,
    isMarked: 'pack' in metadata || 'price_id' in metadata,
    pack: asIdentity(metadata['pack']) ?? null,
    priceId: asText(metadata['price_id']) ?? null,
    quantity: quantityOf(metadata),
    lines:
      session['line_items'] === undefined
        ? null
        : asList(session['line_items']).map((line) => ({
            priceId: idAt(line, 'price'),
            quantity: amountOr(line['quantity'], 1, "A line's quantity"),
          })),
    total,
    invoiceId: idAt(session, 'invoice'),
    ...paymentOf(session),
  };
}
