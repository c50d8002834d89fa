import { fail, skip, type Decision } from './decision.pure.ts';
import { decideCheckout } from './events/checkout.pure.ts';
import { decideInvoicePaid } from './events/invoice.pure.ts';
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

/** One decider per event type; a type that is not here is stored and skipped. */
export const deciders: Readonly<Record<string, Decider>> = {
  'checkout.session.completed': decideCheckout,
  'checkout.session.async_payment_succeeded': decideCheckout,
  'invoice.paid': decideInvoicePaid,
  'invoice.payment_succeeded': decideInvoicePaid,
  'customer.subscription.created': subscription,
  'customer.subscription.updated': subscription,
  'customer.subscription.deleted': subscription,
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
