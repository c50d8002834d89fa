import Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import type { Decision, Effect } from './decision.pure.ts';
import { decide, type StripeEvent } from './decide.pure.ts';
import { decideSubscription } from './events/subscription.pure.ts';
import type { Json } from './shapes.pure.ts';

/** What the database said that it lacks. */
export type Lack = { code: string | null; hint: string | null };

/** How to go on: with what Stripe answered, without what it does not know, or later. */
export type Answer =
  | { decision: Decision; before?: StripeEvent[] }
  | { force: true; before?: StripeEvent[] }
  | undefined;

/** What has been asked in one run: events about the same thing ask once. */
export type Asked = Map<string, Promise<unknown>>;

function once<T>(asked: Asked, key: string, ask: () => Promise<T>): Promise<T> {
  const known = asked.get(key) as Promise<T> | undefined;
  const answer = known ?? ask();
  asked.set(key, answer);
  return answer;
}

type Of<Name extends Effect['effect']> = Extract<Effect, { effect: Name }>;

const effectOf = <Name extends Effect['effect']>(
  decision: Decision,
  name: Name,
): Of<Name> | undefined =>
  'effects' in decision
    ? (decision.effects.find((effect) => effect.effect === name) as Of<Name> | undefined)
    : undefined;

/** Two updates of one second: the subscription as it is now settles it. */
async function subscriptionNow(
  ctx: Ctx,
  event: StripeEvent,
  id: string,
  asked: Asked,
): Promise<Answer> {
  const subscription = await once(asked, id, () => ctx.stripe.subscriptions.retrieve(id));
  const read = decideSubscription(event.type, subscription as unknown as Json, event.created);
  if (!('effects' in read)) return undefined;
  const effects = read.effects.map((effect) => ({ ...effect, fetched: true }));
  return { decision: { ...read, effects } };
}

/** A payment nobody knows: since "basil" only InvoicePayment says which invoice it paid. */
async function invoicesOfPayment(ctx: Ctx, decision: Decision): Promise<Answer> {
  if (!('effects' in decision)) return undefined;
  const refs = decision.identity?.refs ?? [];
  const paymentIntent = refs.find((ref) => ref.startsWith('pi_'));
  if (paymentIntent === undefined) return undefined;
  const payments = await ctx.stripe.invoicePayments.list({
    payment: { type: 'payment_intent', payment_intent: paymentIntent },
    limit: 10,
  });
  const invoices = payments.data.map(({ invoice }) =>
    typeof invoice === 'string' ? invoice : invoice.id,
  );
  if (invoices.length === 0 || !decision.identity) return undefined;
  const effects = decision.effects.map((effect) =>
    effect.effect === 'reversal' ? { ...effect, refs: [...effect.refs, ...invoices] } : effect,
  );
  return {
    decision: { identity: { ...decision.identity, refs: [...refs, ...invoices] }, effects },
  };
}

/** A refunded charge whose refunds have not come: each as Stripe has it. */
async function refundsOfCharge(ctx: Ctx, decision: Decision, charge: string): Promise<Answer> {
  const whole = effectOf(decision, 'reversal');
  const refunds = await ctx.stripe.refunds.list({ charge, limit: 100 });
  if (!whole || refunds.data.length === 0) return { force: true };
  return { force: true, before: refunds.data.map((refund) => eventOf('refund.updated', refund)) };
}

/** An object of Stripe's as the event that would have brought it in its present status. */
export function eventOf(
  type: string,
  object: {
    id?: string;
    created: number;
    status?: string | null;
    status_transitions?: { paid_at?: number | null };
  },
): StripeEvent {
  const created = object.status_transitions?.paid_at ?? object.created;
  const id = `read:${type}:${object.id}:${object.status ?? ''}`;
  return { id, type, created, apiVersion: null, payload: { id, type, created, data: { object } } };
}

/** A change of plan: the paid invoices of the same period that were made before it, oldest first. */
async function earlierInvoices(ctx: Ctx, decision: Decision, asked: Asked): Promise<Answer> {
  const change = effectOf(decision, 'grant_plan');
  if (!change) return undefined;
  const subscription = change.subscriptionId;
  const invoices = await once(asked, `invoices:${subscription}`, () =>
    ctx.stripe.invoices.list({ subscription, status: 'paid', limit: 100 }),
  );
  const before = invoices.data
    .filter(({ id, created }) => id !== change.invoiceId && created <= change.invoiceAt)
    .toReversed()
    .map((invoice) => eventOf('invoice.paid', invoice))
    .filter((event) => effectOf(decide(event), 'grant_plan')?.periodEnd === change.periodEnd);
  return { force: true, before };
}

/**
 * Asks Stripe for what an event lacks, outside any transaction. Undefined: nothing to be learnt now, so
 * that the event waits. An object that Stripe does not know is not waited for.
 */
export async function askStripe(
  ctx: Ctx,
  event: StripeEvent,
  decision: Decision,
  lack: Lack,
  asked: Asked,
): Promise<Answer> {
  try {
    switch (lack.code) {
      case 'order_unknown':
        return await subscriptionNow(ctx, event, lack.hint ?? '', asked);
      case 'unknown_payment':
        return await invoicesOfPayment(ctx, decision);
      case 'refunds_unnamed':
        return await refundsOfCharge(ctx, decision, lack.hint ?? '');
      case 'earlier_invoices':
        return await earlierInvoices(ctx, decision, asked);
      default:
        return undefined;
    }
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    const isUnknown = error.code === 'resource_missing';
    if (isUnknown && lack.code !== 'unknown_payment') return { force: true };
    ctx.log('stripe_not_asked', { eventId: event.id, code: lack.code, error: error.type });
    return undefined;
  }
}
