import Stripe from 'stripe';
import { fromStripe, isUnknown } from '../clients/stripe-errors.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { answeredAt, applyReading, asRead, eventOf } from './apply-reading.ts';
import { catalogueAnswer, knowledgeOf, rememberCatalogue } from './catalogue.ts';
import { fetchMissing, withObject } from './fetch-missing.ts';
import { asObject, asText } from './normalise/json.pure.ts';
import { isTelling, objectOf, read } from './read-event.pure.ts';
import type { StripeEvent } from './reading.pure.ts';

type Read = (stripe: Stripe, id: string) => Promise<object>;

/** How each object that an event is about is read by its id, by the `object` that it calls itself. */
const reads: Readonly<Record<string, Read>> = {
  charge: (stripe, id) => stripe.charges.retrieve(id),
  'checkout.session': (stripe, id) => stripe.checkout.sessions.retrieve(id),
  credit_note: (stripe, id) => stripe.creditNotes.retrieve(id),
  customer: (stripe, id) => stripe.customers.retrieve(id),
  dispute: (stripe, id) => stripe.disputes.retrieve(id),
  invoice: (stripe, id) => stripe.invoices.retrieve(id),
  invoice_payment: (stripe, id) => stripe.invoicePayments.retrieve(id),
  price: (stripe, id) => stripe.prices.retrieve(id),
  product: (stripe, id) => stripe.products.retrieve(id),
  'radar.early_fraud_warning': (stripe, id) => stripe.radar.earlyFraudWarnings.retrieve(id),
  refund: (stripe, id) => stripe.refunds.retrieve(id),
};

/** Undefined: Stripe does not have it any more, or does not show it. @throws DomainError while Stripe is away */
async function asked<T>(ctx: Ctx, event: StripeEvent, call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const known = fromStripe(error);
    const isAway = known instanceof DomainError && known.code === 'payment_provider_unavailable';
    if (isAway || !(error instanceof Stripe.errors.StripeError)) throw known;
    const { type } = error;
    if (!isUnknown(error)) ctx.log('stripe_not_asked', { eventId: event.id, error: type });
    return undefined;
  }
}

/** Tells the books what a subscription is by now: the event itself tells what it was. */
async function tellPresent(ctx: Ctx, subscription: Stripe.Response<Stripe.Subscription>) {
  const at = answeredAt(ctx, subscription);
  const event = eventOf('customer.subscription.updated', subscription, at);
  // As it is by now: the event may have waited for the catalogue itself.
  const catalogue = await ctx.db.call('catalogue_read', {}, catalogueAnswer);
  rememberCatalogue(ctx, catalogue);
  const knowledge = knowledgeOf(ctx, catalogue);
  const fetched = await fetchMissing(ctx, event, knowledge);
  const reading = 'fail' in fetched ? fetched : read(fetched.event, knowledge);
  const present =
    'facts' in reading
      ? { ...reading, facts: reading.facts.map((fact) => asRead(ctx, fact)) }
      : reading;
  try {
    await applyReading(ctx, present, { dryRun: false });
  } catch (error) {
    if (error instanceof DomainError && error.code === 'service_unavailable') throw error;
    // The event is tried all the same; the reconciliation reads the state again.
    ctx.log('state_not_told', { subscriptionId: subscription.id });
  }
}

/**
 * An event that waited, with its object as Stripe has it by now: what an operator mended there counts. What a
 * subscription was at the event's time stays, but for whose it is; what it is now is told beside it. Where
 * Stripe does not have the object, what the event brought stands.
 * @throws DomainError `payment_provider_unavailable` while Stripe does not answer
 */
export async function readAnew(ctx: Ctx, event: StripeEvent): Promise<StripeEvent> {
  const object = objectOf(event);
  const id = asText(object['id']);
  const name = asText(object['object']) ?? '';
  // What is deleted Stripe shows by its id alone.
  if (id === undefined || !isTelling(event.type) || event.flaw !== undefined) return event;
  if (name === 'subscription') {
    const now = await asked(ctx, event, ctx.stripe.subscriptions.retrieve(id));
    if (!now) return event;
    await tellPresent(ctx, now);
    return withObject(event, { ...object, metadata: now.metadata, customer: now.customer });
  }
  const call = Object.hasOwn(reads, name) ? reads[name] : undefined;
  const answer = call && (await asked(ctx, event, call(ctx.stripe, id)));
  const now = asObject(answer);
  return answer === undefined || now['deleted'] === true ? event : withObject(event, now);
}
