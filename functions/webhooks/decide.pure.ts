import { fail, skip, type Decision } from './decision.pure.ts';
import { decidePrice, decidePriceDeleted, decideProduct } from './events/catalogue.pure.ts';
import { decideCheckout } from './events/checkout.pure.ts';
import { decideCustomer, decideCustomerDeleted } from './events/customer.pure.ts';
import {
  decideInvoiceOther,
  decideInvoicePaid,
  decideInvoicePayment,
} from './events/invoice.pure.ts';
import { decideChargeRefunded, decideDispute, decideRefund } from './events/reversal.pure.ts';
import { decideSubscription } from './events/subscription.pure.ts';
import { asInteger, asObject, asText, type Json } from './shapes.pure.ts';

/** A Stripe event as far as we rely on it; `payload` is the whole. */
export type StripeEvent = {
  id: string;
  type: string;
  /** Unix seconds. */
  created: number;
  apiVersion: string | null;
  payload: Json;
};

type Decider = (object: Json, event: StripeEvent) => Decision;

const subscription: Decider = (object, event) =>
  decideSubscription(event.type, object, event.created);
const price: Decider = (object, event) => decidePrice(object, event.created);
/** Kept for whoever looks; what they mean comes with the events of the objects they are about. */
const noted: Decider = () => skip('changes nothing by itself');

/** One decider per event type; a type that is not here is stored and skipped. */
export const deciders: Readonly<Record<string, Decider>> = {
  'checkout.session.completed': decideCheckout,
  'checkout.session.async_payment_succeeded': decideCheckout,
  'checkout.session.async_payment_failed': noted,
  'checkout.session.expired': noted,
  'customer.created': decideCustomer,
  'customer.updated': decideCustomer,
  'customer.deleted': decideCustomerDeleted,
  'customer.subscription.created': subscription,
  'customer.subscription.updated': subscription,
  'customer.subscription.deleted': subscription,
  'customer.subscription.paused': subscription,
  'customer.subscription.resumed': subscription,
  'customer.subscription.trial_will_end': noted,
  'customer.subscription.pending_update_applied': subscription,
  'customer.subscription.pending_update_expired': subscription,
  'subscription_schedule.aborted': noted,
  'subscription_schedule.canceled': noted,
  'subscription_schedule.completed': noted,
  'subscription_schedule.created': noted,
  'subscription_schedule.expiring': noted,
  'subscription_schedule.released': noted,
  'subscription_schedule.updated': noted,
  'invoice.paid': decideInvoicePaid,
  'invoice.payment_succeeded': decideInvoicePaid,
  'invoice.payment_failed': decideInvoiceOther,
  'invoice.payment_action_required': decideInvoiceOther,
  'invoice.finalized': decideInvoiceOther,
  'invoice.voided': decideInvoiceOther,
  'invoice.marked_uncollectible': decideInvoiceOther,
  'invoice_payment.paid': decideInvoicePayment,
  'charge.refunded': decideChargeRefunded,
  'charge.refund.updated': decideRefund,
  'refund.created': decideRefund,
  'refund.updated': decideRefund,
  'refund.failed': decideRefund,
  'charge.dispute.created': decideDispute,
  'charge.dispute.updated': decideDispute,
  'charge.dispute.funds_withdrawn': decideDispute,
  'charge.dispute.funds_reinstated': decideDispute,
  'charge.dispute.closed': decideDispute,
  'price.created': price,
  'price.updated': price,
  'price.deleted': decidePriceDeleted,
  'product.created': decideProduct,
  'product.updated': decideProduct,
  'product.deleted': noted,
};

/** Reads an event's envelope; undefined when it is none. */
export function readEvent(payload: unknown): StripeEvent | undefined {
  const event = asObject(payload);
  const id = asText(event['id']);
  const type = asText(event['type']);
  const created = asInteger(event['created']);
  if (id === undefined || type === undefined || created === undefined) return undefined;
  return { id, type, created, apiVersion: asText(event['api_version']) ?? null, payload: event };
}

/** What an event does, whatever came before or comes after it. Never throws: no event is lost to a bug. */
export function decide(event: StripeEvent): Decision {
  const decider = Object.hasOwn(deciders, event.type) ? deciders[event.type] : undefined;
  if (!decider) return skip('not an event that changes anything here');
  try {
    return decider(asObject(asObject(event.payload['data'])['object']), event);
  } catch (error) {
    return fail('unreadable', error instanceof Error ? error.name : 'unknown');
  }
}
