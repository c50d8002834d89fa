import {
  amountOr,
  asIdentity,
  asInteger,
  asList,
  asObject,
  asText,
  hasMore,
  idAt,
  idOf,
  need,
  present,
  secondsOrNull,
  type Json,
} from './json.pure.ts';

export type InvoiceLine = {
  priceId: string | null;
  /** Minor units before discounts and tax; negative for a credit. */
  amount: number;
  quantity: number;
  isProration: boolean;
  /** Gives back what an earlier line charged. */
  isCredit: boolean;
  /** Unix seconds. */
  periodStart: number | null;
  periodEnd: number | null;
};

export type Invoice = {
  id: string;
  status: string | null;
  billingReason: string | null;
  subscriptionId: string | null;
  /** What the subscription sells; null where the invoice carries only its id. */
  itemPriceIds: string[] | null;
  userId: string | null;
  customerId: string | null;
  email: string | null;
  /** Minor units that were to be paid: without what was credited before; negative where it gives back. */
  total: number;
  /** Unix seconds. */
  paidAt: number | null;
  closedAt: number | null;
  lines: InvoiceLine[];
  hasMoreLines: boolean;
  /** Payment intents and charges; today's invoices name none unless expanded. */
  paymentIds: string[];
};

/** Since "basil" (2025-03-31) the price and what a line stems from stand in `pricing` and `parent`. */
function normaliseLine(line: Json): InvoiceLine {
  const parent = asObject(line['parent']);
  const details = {
    ...asObject(parent['subscription_item_details']),
    ...asObject(parent['invoice_item_details']),
  };
  const proration = asObject(details['proration_details'] ?? line['proration_details']);
  const period = asObject(line['period']);
  const amount = need(asInteger(line['amount']), 'A line of the invoice has no amount.');
  return {
    priceId:
      idOf(asObject(asObject(line['pricing'])['price_details'])['price']) ??
      idAt(line, 'price', 'plan'),
    amount,
    quantity: amountOr(line['quantity'], 1, "A line's quantity"),
    isProration: details['proration'] === true || line['proration'] === true,
    isCredit: amount < 0 || (proration['credited_items'] ?? null) !== null,
    periodStart: secondsOrNull(period['start'], "A line's period"),
    periodEnd: secondsOrNull(period['end'], "A line's period"),
  };
}

/** The invoice of a quote names its subscription only in its lines. */
function quotedSubscription(invoice: Json): unknown {
  if (asObject(invoice['parent'])['type'] !== 'quote_details') return undefined;
  return asList(invoice['lines'])
    .map((line) => asObject(asObject(line['parent'])['subscription_item_details'])['subscription'])
    .find((subscription) => idOf(subscription) !== undefined);
}

/** The subscription of an invoice, with the copy of its metadata that the invoice carries. */
function subscriptionOf(invoice: Json) {
  const details = asObject(asObject(invoice['parent'])['subscription_details']);
  const older = asObject(invoice['subscription_details']);
  const subscription =
    details['subscription'] ?? invoice['subscription'] ?? quotedSubscription(invoice);
  const items = asObject(subscription)['items'];
  return {
    subscriptionId: idOf(subscription) ?? null,
    itemPriceIds:
      items === undefined ? null : present(asList(items).map((item) => idAt(item, 'price'))),
    metadata: { ...asObject(older['metadata']), ...asObject(details['metadata']) },
  };
}

/**
 * An invoice of any API version.
 * @throws Unreadable without id, total or a line's amount, or with numbers that cannot be counted with
 * Source: docs.stripe.com/api/invoices/object
 */
export function normaliseInvoice(invoice: Json): Invoice {
  const { subscriptionId, itemPriceIds, metadata } = subscriptionOf(invoice);
  const times = asObject(invoice['status_transitions']);
  const payments = asList(invoice['payments']).map((one) => asObject(one['payment']));
  return {
    id: need(asText(invoice['id']), 'The invoice has no id.'),
    status: asText(invoice['status']) ?? null,
    billingReason: asText(invoice['billing_reason']) ?? null,
    subscriptionId,
    itemPriceIds,
    userId: asIdentity({ ...asObject(invoice['metadata']), ...metadata }['user_id']) ?? null,
    customerId: idAt(invoice, 'customer'),
    email: asIdentity(invoice['customer_email']) ?? null,
    total:
      need(asInteger(invoice['total']), 'The invoice has no total.') -
      amountOr(invoice['pre_payment_credit_notes_amount'], 0, 'What was credited before'),
    paidAt: secondsOrNull(times['paid_at'], 'When the invoice was paid'),
    closedAt: secondsOrNull(
      times['voided_at'] ?? times['marked_uncollectible_at'],
      'When the invoice was closed',
    ),
    lines: asList(invoice['lines']).map(normaliseLine),
    hasMoreLines: hasMore(invoice['lines']),
    paymentIds: present(
      [invoice, ...payments].flatMap((one) => [idOf(one['payment_intent']), idOf(one['charge'])]),
    ),
  };
}

export type InvoicePayment = { invoiceId: string | null; paymentIds: string[] };

/**
 * Which payment paid an invoice, since charges and payment intents no longer say.
 * Source: docs.stripe.com/api/invoice-payment
 */
export function normaliseInvoicePayment(payment: Json): InvoicePayment {
  const paidBy = asObject(payment['payment']);
  return {
    invoiceId: idAt(payment, 'invoice'),
    paymentIds: present([idOf(paidBy['payment_intent']), idOf(paidBy['charge'])]),
  };
}
