import { asObject, asSeconds, asText, Unreadable, type Json } from './normalise/json.pure.ts';
import { asKey } from './payload.pure.ts';
import {
  lackOfPrice,
  lackOfProduct,
  readPrice,
  readPriceDeleted,
  readProduct,
} from './policies/catalogue.pure.ts';
import { readCustomer, readCustomerDeleted } from './policies/customer.pure.ts';
import { readFraudWarning, readUnfinalized } from './policies/notice.pure.ts';
import { lackOfCheckout, readCheckout } from './policies/pack.pure.ts';
import { lackOfInvoice, readInvoice, readInvoicePayment } from './policies/plan.pure.ts';
import {
  lackOfRefundedCharge,
  readCreditNote,
  readDispute,
  readRefund,
  readRefundedCharge,
} from './policies/reversal.pure.ts';
import { lackOfSubscription, readSubscription } from './policies/subscription.pure.ts';
import {
  fail,
  skip,
  type Knowledge,
  type Lack,
  type Reading,
  type StripeEvent,
} from './reading.pure.ts';

type Reader = {
  read: (object: Json, event: StripeEvent, knowledge: Knowledge) => Reading;
  /** What it means depends on the catalogue: on what is sold, or was by the payment that it gives back. */
  isPriced?: true;
  /** What the object lacks that Stripe has to be asked for first. */
  lackOf?: (object: Json, knowledge: Knowledge) => Lack | null;
};

const checkout: Reader = { read: readCheckout, lackOf: lackOfCheckout, isPriced: true };
const subscription: Reader = { read: readSubscription, lackOf: lackOfSubscription, isPriced: true };
const invoice: Reader = { read: readInvoice, lackOf: lackOfInvoice, isPriced: true };
const refund: Reader = { read: readRefund, isPriced: true };
const dispute: Reader = { read: readDispute, isPriced: true };
const creditNote: Reader = { read: readCreditNote, isPriced: true };
const customer: Reader = { read: readCustomer };
const price: Reader = { read: readPrice, lackOf: lackOfPrice };
const product: Reader = { read: readProduct, lackOf: lackOfProduct, isPriced: true };
const fraudWarning: Reader = { read: readFraudWarning, isPriced: true };

/** One reader per event type; a type that is not here is stored and skipped. */
export const readers: Readonly<Record<string, Reader>> = {
  'checkout.session.completed': checkout,
  'checkout.session.async_payment_succeeded': checkout,
  'credit_note.created': creditNote,
  'credit_note.updated': creditNote,
  'credit_note.voided': creditNote,
  'customer.created': customer,
  'customer.updated': customer,
  'customer.deleted': { read: readCustomerDeleted },
  'customer.subscription.created': subscription,
  'customer.subscription.updated': subscription,
  'customer.subscription.deleted': subscription,
  'customer.subscription.paused': subscription,
  'customer.subscription.resumed': subscription,
  'customer.subscription.pending_update_applied': subscription,
  'customer.subscription.pending_update_expired': subscription,
  'invoice.paid': invoice,
  'invoice.payment_succeeded': invoice,
  'invoice.payment_failed': invoice,
  'invoice.payment_action_required': invoice,
  'invoice.finalized': invoice,
  'invoice.voided': invoice,
  'invoice.marked_uncollectible': invoice,
  'invoice.finalization_failed': {
    read: readUnfinalized,
    lackOf: lackOfInvoice,
    isPriced: true,
  },
  'invoice_payment.paid': { read: readInvoicePayment },
  'charge.refunded': { read: readRefundedCharge, lackOf: lackOfRefundedCharge, isPriced: true },
  'charge.refund.updated': refund,
  'refund.created': refund,
  'refund.updated': refund,
  'refund.failed': refund,
  'charge.dispute.created': dispute,
  'charge.dispute.updated': dispute,
  'charge.dispute.funds_withdrawn': dispute,
  'charge.dispute.funds_reinstated': dispute,
  'charge.dispute.closed': dispute,
  'price.created': price,
  'price.updated': price,
  'price.deleted': { read: readPriceDeleted },
  'product.created': product,
  'product.updated': product,
  'radar.early_fraud_warning.created': fraudWarning,
  'radar.early_fraud_warning.updated': fraudWarning,
};

/** The event types that our endpoint subscribes to. */
export const eventTypes: readonly string[] = Object.keys(readers);

/** Whether a type may change anything, so that a missed event of it matters. */
export const isTelling = (type: string): boolean => Object.hasOwn(readers, type);

const readerOf = ({ type }: StripeEvent): Reader | undefined =>
  Object.hasOwn(readers, type) ? readers[type] : undefined;

/** Whether what an event means depends on the catalogue: decided by one that has changed, it is decided anew. */
export const isPriced = (event: StripeEvent): boolean => readerOf(event)?.isPriced === true;

/** Why an event is not ours by its envelope: a connected account's, or of the other mode than our key. */
function elsewhere({ payload }: StripeEvent, { livemode }: Knowledge): string | null {
  if (asText(payload['account']) !== undefined) return 'of a connected account';
  const isOther = typeof payload['livemode'] === 'boolean' && payload['livemode'] !== livemode;
  if (livemode === null || !isOther) return null;
  return livemode
    ? 'of test mode, and our key is of live mode'
    : 'of live mode, and our key is of test mode';
}

/** Thin events say when in ISO 8601. */
const createdOf = ({ created }: Json): number | undefined =>
  asSeconds(typeof created === 'string' ? Math.floor(Date.parse(created) / 1000) : created);

const keyOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? asKey(value) : undefined;

/**
 * Reads an event's envelope; undefined without an id or a type. One that was created at no time that a
 * fact can have is as old as its receipt (unix seconds).
 */
export function readEvent(payload: unknown, receivedAt = 0): StripeEvent | undefined {
  const event = asObject(payload);
  const id = keyOf(event['id']);
  const type = keyOf(event['type']);
  if (id === undefined || type === undefined) return undefined;
  const apiVersion = asText(event['api_version']) ?? null;
  const created = createdOf(event);
  if (created !== undefined) return { id, type, created, apiVersion, payload: event };
  const flaw = 'The event was created at no time that a fact can have.';
  return { id, type, created: receivedAt, apiVersion, flaw, payload: event };
}

/** The id of what an event is about; a thin one names it beside its data. */
export const objectIdOf = (event: StripeEvent): string | null =>
  keyOf(objectOf(event)['id']) ?? keyOf(asObject(event.payload['related_object'])['id']) ?? null;

export const objectOf = (event: StripeEvent): Json =>
  asObject(asObject(event.payload['data'])['object']);

/**
 * What an event means, whatever came before or comes after it. Never throws: no event is lost to a bug.
 * Ask `lackOf` first, and Stripe for what it names.
 */
export function read(event: StripeEvent, knowledge: Knowledge): Reading {
  if (event.payload['object'] === 'v2.core.event')
    return skip('a thin event, which we do not read');
  const reader = readerOf(event);
  if (!reader) return skip('not an event that changes anything here');
  const reason = elsewhere(event, knowledge);
  if (reason !== null) return skip(reason);
  if (event.flaw !== undefined) return fail('unreadable', event.flaw);
  try {
    return reader.read(objectOf(event), event, knowledge);
  } catch (error) {
    if (error instanceof Unreadable) return fail('unreadable', error.message);
    return fail('unreadable', error instanceof Error ? error.name : 'unknown');
  }
}

/** What an event lacks before it can be read, if Stripe has it; see `fetchMissing`. Never throws. */
export function lackOf(event: StripeEvent, knowledge: Knowledge): Lack | null {
  if (elsewhere(event, knowledge) !== null || event.flaw !== undefined) return null;
  try {
    return readerOf(event)?.lackOf?.(objectOf(event), knowledge) ?? null;
  } catch {
    return null;
  }
}
