import {
  amountOr,
  asAmount,
  asList,
  asSeconds,
  asText,
  idAt,
  idOf,
  need,
  present,
  Unreadable,
  type Json,
} from './json.pure.ts';

export type Refund = {
  id: string;
  status: string;
  /** Minor units. */
  amount: number;
  /** Unix seconds. */
  createdAt: number | null;
  /** Ids of the payment. */
  paymentIds: string[];
};

/**
 * Refunds of before 2022 may lack a status: they had succeeded.
 * @throws Unreadable without id or amount
 * Source: docs.stripe.com/api/refunds/object
 */
export const normaliseRefund = (refund: Json): Refund => ({
  id: need(asText(refund['id']), 'The refund has no id.'),
  status: asText(refund['status']) ?? 'succeeded',
  amount: need(asAmount(refund['amount']), 'The refund has no usable amount.'),
  createdAt: asSeconds(refund['created']) ?? null,
  paymentIds: present([idOf(refund['payment_intent']), idOf(refund['charge'])]),
});

export type Charge = {
  id: string;
  /** Minor units, of all its refunds together. */
  amountRefunded: number;
  /** Those that it names; today's charges name none. */
  refunds: Refund[];
  paymentIds: string[];
};

/**
 * @throws Unreadable without id or amount_refunded
 * Source: docs.stripe.com/api/charges/object
 */
export const normaliseCharge = (charge: Json): Charge => ({
  id: need(asText(charge['id']), 'The charge has no id.'),
  amountRefunded: need(
    asAmount(charge['amount_refunded']),
    'The charge has no usable amount_refunded.',
  ),
  refunds: asList(charge['refunds']).map(normaliseRefund),
  paymentIds: present([
    idOf(charge['id']),
    idOf(charge['payment_intent']),
    idOf(charge['invoice']),
  ]),
});

export type Dispute = {
  id: string;
  status: string;
  /** Minor units. */
  amount: number;
  /** Unix seconds. */
  createdAt: number | null;
  /** When its money first moved; null: it did not. */
  movedAt: number | null;
  paymentIds: string[];
};

/**
 * @throws Unreadable without id, status or amount
 * Source: docs.stripe.com/api/disputes/object
 */
export function normaliseDispute(dispute: Json): Dispute {
  const entries = asList(dispute['balance_transactions']);
  const times = entries.map((entry) => asSeconds(entry['created']) ?? Infinity);
  const first = Math.min(...times);
  const createdAt = asSeconds(dispute['created']) ?? null;
  return {
    id: need(asText(dispute['id']), 'The dispute has no id.'),
    status: need(asText(dispute['status']), 'The dispute has no status.'),
    amount: need(asAmount(dispute['amount']), 'The dispute has no usable amount.'),
    createdAt,
    movedAt: entries.length === 0 ? null : first === Infinity ? createdAt : first,
    paymentIds: present([idOf(dispute['payment_intent']), idOf(dispute['charge'])]),
  };
}

export type CreditNote = {
  id: string;
  invoiceId: string;
  isVoid: boolean;
  /** What went to the customer's balance or was paid back outside Stripe: minor units. */
  amount: number;
  /** Unix seconds. */
  createdAt: number | null;
};

/** Before "basil" a note named one refund without its amount: then the other two ways have to tell. */
function creditedBefore(note: Json): number {
  const outOfBand = amountOr(note['out_of_band_amount'], 0, 'out_of_band_amount');
  const credited = note['customer_balance_transaction'] ?? null;
  if (note['type'] === 'pre_payment') return 0;
  if ((note['refund'] ?? null) === null)
    return need(asAmount(note['amount']), 'The credit note has no usable amount.');
  if (credited === null) return outOfBand;
  throw new Unreadable('The credit note does not say how much of it was refunded.');
}

/**
 * No field names what was credited: of `post_payment_amount`, what was not refunded was credited to the
 * balance or paid outside Stripe.
 * @throws Unreadable without id, invoice or amount
 * Source: docs.stripe.com/api/credit_notes/object
 */
export function normaliseCreditNote(note: Json): CreditNote {
  const paid = amountOr(note['post_payment_amount'], undefined, 'post_payment_amount');
  // What a payment record gave back makes no refund object: nothing but the note tells of it.
  const refunded = asList(note['refunds'])
    .filter(({ type }) => type !== 'payment_record_refund')
    .reduce((sum, refund) => sum + amountOr(refund['amount_refunded'], 0, 'A refund'), 0);
  return {
    id: need(asText(note['id']), 'The credit note has no id.'),
    invoiceId: need(idAt(note, 'invoice') ?? undefined, 'The credit note has no invoice.'),
    isVoid: note['status'] === 'void',
    amount: paid === undefined ? creditedBefore(note) : Math.max(0, paid - refunded),
    createdAt: asSeconds(note['created']) ?? null,
  };
}
