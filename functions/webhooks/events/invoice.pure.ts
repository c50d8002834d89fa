import { fail, skip, type Decision } from '../decision.pure.ts';
import {
  asIdentity,
  asInteger,
  asList,
  asObject,
  asText,
  idOf,
  invoiceLinesOf,
  invoiceSubscriptionOf,
  type InvoiceLine,
  type Json,
} from '../shapes.pure.ts';

const causes = {
  subscription_create: 'create',
  subscription_cycle: 'cycle',
  subscription_update: 'update',
} as const;

/**
 * The line that says what was bought: the full line of the newest period; on a change's invoice, the
 * proration that charges (the other one gives the old plan's money back).
 */
function planLineOf(lines: InvoiceLine[]): InvoiceLine | undefined {
  const newestFirst = lines
    .filter((line) => line.priceId !== undefined && line.amount >= 0)
    .toSorted((a, b) => (b.periodEnd ?? 0) - (a.periodEnd ?? 0) || b.amount - a.amount);
  return newestFirst.find((line) => !line.proration) ?? newestFirst[0];
}

/** Every id that the invoice's money may be known by; today's invoices name none unless expanded. */
function paymentRefsOf(invoice: Json): string[] {
  const payments = asList(invoice['payments']).map((payment) => asObject(payment['payment']));
  const refs = [
    idOf(invoice['id']),
    idOf(invoice['payment_intent']),
    idOf(invoice['charge']),
    ...payments.flatMap((payment) => [idOf(payment['payment_intent']), idOf(payment['charge'])]),
  ];
  return refs.filter((ref) => ref !== undefined);
}

const identityOf = (invoice: Json, subscriptionMetadata: Json) => {
  const userId = asIdentity(
    { ...asObject(invoice['metadata']), ...subscriptionMetadata }['user_id'],
  );
  return {
    userIds: userId === undefined ? [] : [userId],
    customerId: idOf(invoice['customer']) ?? null,
    email: asIdentity(invoice['customer_email']) ?? null,
  };
};

/**
 * invoice.paid and invoice.payment_succeeded: the money of a subscription's period. The period is
 * known by its end, which full lines and prorations of one period share.
 * Source: docs.stripe.com/billing/subscriptions/webhooks
 */
export function decideInvoicePaid(invoice: Json, { created: at }: { created: number }): Decision {
  const invoiceId = asText(invoice['id']);
  if (invoiceId === undefined) return fail('unreadable', 'The invoice has no id.');
  const subscription = invoiceSubscriptionOf(invoice);
  const cause = causes[asText(invoice['billing_reason']) as keyof typeof causes];
  if (subscription.id === undefined || cause === undefined) return skip('not an invoice of a plan');
  if (invoice['status'] !== 'paid') return skip('not paid');

  const line = planLineOf(invoiceLinesOf(invoice));
  if (!line?.priceId || line.periodEnd === undefined)
    return fail('unreadable', `Invoice ${invoiceId} has no line with a price and a period.`);

  const total = asInteger(invoice['total']) ?? 0;
  return {
    identity: identityOf(invoice, subscription.metadata),
    effects: [
      {
        effect: 'grant_plan',
        subscriptionId: subscription.id,
        customerId: idOf(invoice['customer']) ?? null,
        priceId: line.priceId,
        quantity: line.quantity,
        periodStart: line.periodStart ?? line.periodEnd,
        periodEnd: line.periodEnd,
        invoiceId,
        at,
        invoiceAt: asInteger(invoice['created']) ?? line.periodStart ?? 0,
        cause,
        total,
        subtotal: asInteger(invoice['subtotal']) ?? total,
        paid: asInteger(invoice['amount_paid']) ?? total,
        currency: asText(invoice['currency']) ?? null,
        refs: paymentRefsOf(invoice),
      },
    ],
  };
}

/**
 * invoice_payment.paid: which payment paid an invoice, since charges and payment intents no longer say.
 * Source: docs.stripe.com/api/invoice-payment
 */
export function decideInvoicePayment(payment: Json): Decision {
  const invoiceId = idOf(payment['invoice']);
  const paidBy = asObject(payment['payment']);
  const refs = [idOf(paidBy['payment_intent']), idOf(paidBy['charge'])].filter(
    (ref) => ref !== undefined,
  );
  if (invoiceId === undefined || refs.length === 0) return skip('names no payment');
  return { identity: null, effects: [{ effect: 'link_payment', invoiceId, refs }] };
}

/** Invoices that bring no money: what they mean for a subscription comes with its own events. */
export const decideInvoiceOther = (): Decision => skip('grants nothing');
