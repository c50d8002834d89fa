import { fail, skip, type Decision } from '../decision.pure.ts';
import {
  asIdentity,
  asInteger,
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
 * The line that says what was bought: the full line of the newest period; on an upgrade's invoice, the
 * proration that charges (the other one gives the old plan's money back).
 */
function planLineOf(lines: InvoiceLine[]): InvoiceLine | undefined {
  const newestFirst = lines
    .filter((line) => line.priceId !== undefined && line.amount >= 0)
    .toSorted((a, b) => (b.periodEnd ?? 0) - (a.periodEnd ?? 0) || b.amount - a.amount);
  return newestFirst.find((line) => !line.proration) ?? newestFirst[0];
}

/**
 * invoice.paid and invoice.payment_succeeded: the money of a subscription's period. The period is
 * known by its end, which full lines and prorations of one period share.
 * Source: docs.stripe.com/billing/subscriptions/webhooks
 */
export function decideInvoicePaid(invoice: Json): Decision {
  const subscription = invoiceSubscriptionOf(invoice);
  const cause = causes[asText(invoice['billing_reason']) as keyof typeof causes];
  if (subscription.id === undefined || cause === undefined) return skip('not an invoice of a plan');
  if (invoice['status'] !== 'paid') return skip('not paid');

  const invoiceId = asText(invoice['id']);
  const line = planLineOf(invoiceLinesOf(invoice));
  if (invoiceId === undefined || !line?.priceId || line.periodEnd === undefined)
    return fail('unreadable', `Invoice ${invoiceId ?? '?'} has no line with a price and a period.`);

  const metadata = { ...asObject(invoice['metadata']), ...subscription.metadata };
  const userId = asIdentity(metadata['user_id']);
  return {
    identity: {
      userIds: userId === undefined ? [] : [userId],
      customerId: idOf(invoice['customer']) ?? null,
      email: asIdentity(invoice['customer_email']) ?? null,
    },
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
        cause,
        // A coupon that makes a priced plan free still leaves a subtotal; a trial has none.
        trial:
          (asInteger(invoice['total']) ?? 0) === 0 && (asInteger(invoice['subtotal']) ?? 0) === 0,
      },
    ],
  };
}
