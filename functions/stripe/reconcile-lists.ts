import type Stripe from 'stripe';
import { isMissing } from '../clients/stripe-errors.ts';
import type { Ctx } from '../context.ts';
import { answeredAt, eventOf } from './apply-reading.ts';
import { readFrom, type ListName, type Place, type Target } from './reconcile-cursor.pure.ts';
import type { StripeEvent } from './reading.pure.ts';

export type StripeObject =
  | Stripe.Price
  | Stripe.Product
  | Stripe.Checkout.Session
  | Stripe.Subscription
  | Stripe.Invoice
  | Stripe.Refund
  | Stripe.Dispute
  | Stripe.CreditNote;

/** An object as the event that would have brought it. */
export type Found = {
  object: StripeObject;
  event: StripeEvent;
  /** Nothing says when it happened: the event's time is the closest that is known. */
  isGuess?: true;
  /** When Stripe answered, unix seconds: an end that contradicts what is known holds from then on. */
  readAt?: number;
};

export type Page = {
  found: Found[];
  /** Where the next page begins; null: this was the last. */
  after: Place['after'];
};

const pageSize = 100;
/** Deep enough for all that is asked of a session. */
const paid = 'payment_intent.latest_charge.balance_transaction';
const sessionParts = [paid, 'line_items', 'invoice'];

type Read = { readAt: number };
type ListParams = {
  limit: number;
  starting_after?: string;
  created?: { gte?: number; lte?: number };
  customer?: string;
};

const told = (type: string, object: StripeObject, at: number): Found => ({
  object,
  event: eventOf(type, object, at),
});

/** Of a session nothing says when it was completed but its invoice: at the latest when it would have expired. */
function sessionFound(session: Stripe.Checkout.Session, { readAt }: Read): Found[] {
  const { invoice } = session;
  const paidAt = typeof invoice === 'object' ? invoice?.status_transitions.paid_at : null;
  const at = paidAt ?? Math.min(readAt, session.expires_at);
  return [told('checkout.session.completed', session, at)];
}

/** A payment that fails does so when the invoice is finalized: nothing says when it was tried first. */
function invoiceFound(invoice: Stripe.Invoice): Found[] {
  const { status, created, attempt_count: attempts, status_transitions: times } = invoice;
  const failedAt = times.finalized_at ?? created;
  switch (status) {
    case 'paid':
      return [told('invoice.paid', invoice, times.paid_at ?? created)];
    case 'void':
      return [told('invoice.voided', invoice, times.voided_at ?? created)];
    case 'uncollectible': {
      const at = times.marked_uncollectible_at ?? created;
      return [told('invoice.marked_uncollectible', invoice, at)];
    }
    case 'open':
      if (attempts === 0) return [];
      return [{ ...told('invoice.payment_failed', invoice, failedAt), isGuess: true }];
    default:
      return [];
  }
}

/** What a subscription is holds from the answer on; its end has a time of its own. */
function subscriptionFound(subscription: Stripe.Subscription, { readAt }: Read): Found[] {
  const { ended_at: endedAt, latest_invoice: invoice } = subscription;
  const state =
    endedAt === null
      ? told('customer.subscription.updated', subscription, readAt)
      : { ...told('customer.subscription.deleted', subscription, endedAt), readAt };
  return [state, ...(typeof invoice === 'object' && invoice ? invoiceFound(invoice) : [])];
}

const refundFound = (refund: Stripe.Refund): Found[] => [
  told('refund.updated', refund, refund.created),
];
const disputeFound = (dispute: Stripe.Dispute): Found[] => [
  told('charge.dispute.updated', dispute, dispute.created),
];
const noteFound = (note: Stripe.CreditNote): Found[] => [
  told('credit_note.updated', note, note.created),
];

/** Refunds and disputes of a charge: they know no customer. */
async function chargeFound({ stripe }: Ctx, charge: Stripe.Charge): Promise<Found[]> {
  const found: Found[] = [];
  const { id, refunds, disputed, amount_refunded: back } = charge;
  if (refunds?.has_more || (!refunds && back > 0)) {
    for await (const refund of stripe.refunds.list({ charge: id, limit: pageSize }))
      found.push(...refundFound(refund));
  } else for (const refund of refunds?.data ?? []) found.push(...refundFound(refund));
  if (disputed)
    for (const dispute of (await stripe.disputes.list({ charge: id, limit: pageSize })).data)
      found.push(...disputeFound(dispute));
  return found;
}

type Answer = Stripe.Response<Stripe.ApiList<{ id: string; created: number }>>;

/** A list, and what its objects tell. */
const listOf = <T extends { id: string; created: number }>(
  read: (stripe: Stripe, params: ListParams) => Promise<Stripe.Response<Stripe.ApiList<T>>>,
  tell: (object: T, read: Read, ctx: Ctx) => Found[] | Promise<Found[]>,
) => ({
  read: (stripe: Stripe, params: ListParams): Promise<Answer> => read(stripe, params),
  tell: (object: { id: string; created: number }, seen: Read, ctx: Ctx) =>
    tell(object as T, seen, ctx),
});

const catalogueAt =
  (type: string) =>
  (object: Stripe.Price | Stripe.Product, { readAt }: Read): Found[] => [
    told(type, object, readAt),
  ];

const lists: Record<ListName, ReturnType<typeof listOf>> = {
  prices: listOf((stripe, page) => stripe.prices.list(page), catalogueAt('price.updated')),
  products: listOf((stripe, page) => stripe.products.list(page), catalogueAt('product.updated')),
  sessions: listOf((stripe, page) => {
    const expand = sessionParts.map((part) => `data.${part}`);
    return stripe.checkout.sessions.list({ ...page, status: 'complete', expand });
  }, sessionFound),
  // Without a status: all that have not been cancelled.
  subscriptions: listOf(
    (stripe, page) =>
      stripe.subscriptions.list({ ...page, expand: ['data.latest_invoice.payments'] }),
    subscriptionFound,
  ),
  ended: listOf(
    (stripe, page) => stripe.subscriptions.list({ ...page, status: 'ended' }),
    subscriptionFound,
  ),
  invoices: listOf((stripe, page) => {
    const expand = ['data.payments', 'data.parent.subscription_details.subscription'];
    return stripe.invoices.list({ ...page, expand });
  }, invoiceFound),
  charges: listOf(
    (stripe, page) => stripe.charges.list({ ...page, expand: ['data.refunds'] }),
    (charge, _read, ctx) => chargeFound(ctx, charge),
  ),
  refunds: listOf((stripe, page) => stripe.refunds.list(page), refundFound),
  disputes: listOf((stripe, page) => stripe.disputes.list(page), disputeFound),
  credit_notes: listOf((stripe, page) => stripe.creditNotes.list(page), noteFound),
};

/** A session with what was paid for it at once, and what of that went back: a guest has no customer. */
async function sessionPage(ctx: Ctx, id: string): Promise<Page> {
  const expand = [...sessionParts, 'payment_intent.latest_charge.refunds'];
  const session = await ctx.stripe.checkout.sessions.retrieve(id, { expand });
  if (session.status !== 'complete') return { found: [], after: null };
  const found = sessionFound(session, { readAt: answeredAt(ctx, session) });
  const { payment_intent: intent } = session;
  const charge = typeof intent === 'object' ? intent?.latest_charge : null;
  if (charge && typeof charge === 'object') found.push(...(await chargeFound(ctx, charge)));
  return { found, after: null };
}

/** A page of a list, from where the walk stands; one call to Stripe, but for what hangs on charges. */
export async function readPage(
  ctx: Ctx,
  place: Place,
  { target, since }: { target: Target; since: number | null },
): Promise<Page> {
  if (target && 'session' in target) return sessionPage(ctx, target.session);
  const { read, tell } = lists[place.list];
  const { after } = place;
  const gte = readFrom(place.list, target ? null : since);
  const created = gte === null ? {} : { created: { gte } };
  const params = { limit: pageSize, ...target, ...created };
  const answer = await read(ctx.stripe, {
    ...params,
    ...(after && { starting_after: after.id }),
  }).catch((error: unknown) => {
    // What the last page ended with is gone: on from its second.
    if (!after || !isMissing(error, 'starting_after')) throw error;
    return read(ctx.stripe, { ...params, created: { ...created.created, lte: after.created } });
  });
  const seen = { readAt: answeredAt(ctx, answer) };
  const found: Found[] = [];
  for (const object of answer.data) found.push(...(await tell(object, seen, ctx)));
  const last = answer.data.at(-1);
  const isMore = answer.has_more && last !== undefined;
  return { found, after: isMore ? { id: last.id, created: last.created } : null };
}
