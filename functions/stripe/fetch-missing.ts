import Stripe from 'stripe';
import { isUnknown } from '../clients/stripe-errors.ts';
import type { Ctx } from '../context.ts';
import { answeredAt } from './apply-reading.ts';
import { asObject, type Json } from './normalise/json.pure.ts';
import { lackOf, objectOf } from './read-event.pure.ts';
import type { Knowledge, Lack, StripeEvent } from './reading.pure.ts';

export type Fetched =
  /** The event with all that Stripe could tell. */
  | { event: StripeEvent }
  /** It cannot be read without Stripe, which does not answer: to be tried again. */
  | { fail: { code: 'stripe_unavailable'; detail: string } };

const complete = (data: unknown[]) => ({ object: 'list', data, has_more: false });

/** The object with what Stripe answers beside it; read by `normalisePresent`. */
async function withPresent(
  ctx: Ctx,
  object: Json,
  ask: () => Promise<Stripe.Response<object>>,
): Promise<Json> {
  const askedMs = ctx.now().getTime();
  const answer = await ask();
  return { ...object, rowloom_now: { object: answer, at: answeredAt(ctx, answer), askedMs } };
}

/** The object with what it lacks put where Stripe would have expanded it. */
async function completed(ctx: Ctx, object: Json, lack: Lack): Promise<Json> {
  const { stripe } = ctx;
  switch (lack.lack) {
    case 'invoice_lines': {
      const lines = stripe.invoices.listLineItems(lack.invoiceId, { limit: 100 });
      return { ...object, lines: complete(await lines.autoPagingToArray({ limit: 10_000 })) };
    }
    case 'price_now':
      return withPresent(ctx, object, () =>
        stripe.prices.retrieve(lack.priceId, { expand: ['product'] }),
      );
    case 'product_now':
      return withPresent(ctx, object, () => stripe.products.retrieve(lack.productId));
    case 'payment_time': {
      const expand = ['latest_charge.balance_transaction'];
      const id = lack.paymentIntentId;
      return { ...object, payment_intent: await stripe.paymentIntents.retrieve(id, { expand }) };
    }
    case 'refunds': {
      const refunds = stripe.refunds.list({ charge: lack.chargeId, limit: 100 });
      return { ...object, refunds: complete(await refunds.autoPagingToArray({ limit: 10_000 })) };
    }
    case 'session_lines': {
      const lines = stripe.checkout.sessions.listLineItems(lack.sessionId, { limit: 100 });
      return { ...object, line_items: complete(await lines.autoPagingToArray({ limit: 1000 })) };
    }
    case 'subscription': {
      const subscription = await stripe.subscriptions.retrieve(lack.subscriptionId);
      const parent = asObject(object['parent']);
      const details = { ...asObject(parent['subscription_details']), subscription };
      return { ...object, parent: { ...parent, subscription_details: details } };
    }
    case 'subscription_items': {
      const items = stripe.subscriptionItems.list({
        subscription: lack.subscriptionId,
        limit: 100,
      });
      return { ...object, items: complete(await items.autoPagingToArray({ limit: 10_000 })) };
    }
  }
}

/** What comes with later events too, or only says why something is not known; lines do not. */
const canWait = ({ lack }: Lack): boolean =>
  lack === 'payment_time' ||
  lack === 'refunds' ||
  lack === 'subscription' ||
  lack === 'price_now' ||
  lack === 'product_now';

/** An event whose object is another one, or the same with more. */
export const withObject = (event: StripeEvent, object: Json): StripeEvent => ({
  ...event,
  payload: { ...event.payload, data: { ...asObject(event.payload['data']), object } },
});

/**
 * Asks Stripe for what an event lacks, outside any transaction, and never twice for the same. What Stripe
 * does not have the event goes on without. Errors that are not Stripe's are thrown.
 */
export async function fetchMissing(
  ctx: Ctx,
  event: StripeEvent,
  knowledge: Knowledge,
  asked: readonly Lack['lack'][] = [],
): Promise<Fetched> {
  const lack = lackOf(event, knowledge);
  if (!lack || asked.includes(lack.lack)) return { event };
  let known = event;
  try {
    known = withObject(event, await completed(ctx, objectOf(event), lack));
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    ctx.log('stripe_not_asked', { eventId: event.id, lack: lack.lack, error: error.type });
    if (!isUnknown(error) && !canWait(lack)) {
      const detail = `Stripe did not tell what the event lacks: ${lack.lack.replace('_', ' ')}.`;
      return { fail: { code: 'stripe_unavailable', detail } };
    }
  }
  return fetchMissing(ctx, known, knowledge, [...asked, lack.lack]);
}
