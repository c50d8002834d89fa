import Stripe from 'stripe';
import { isUnknown } from '../clients/stripe-errors.ts';
import type { Ctx } from '../context.ts';
import { applyReading, eventOf, type Facts } from './apply-reading.ts';
import { knowledgeOf, readCatalogue } from './catalogue.ts';
import { fetchMissing } from './fetch-missing.ts';
import { read } from './read-event.pure.ts';
import { skip, type Reading, type StripeEvent } from './reading.pure.ts';

/** Nobody pays more invoices with one payment. */
const mostInvoices = 10;

/** What a payment paid for, as the events that would have brought it; null: Stripe does not know the payment. */
async function paidBy(ctx: Ctx, refs: readonly string[]): Promise<StripeEvent[] | null> {
  const { stripe } = ctx;
  const idOf = (object: string | { id: string } | null | undefined): string | undefined =>
    typeof object === 'string' ? object : object?.id;
  let intent = refs.find((ref) => ref.startsWith('pi_'));
  const charge = refs.find((ref) => /^(ch|py)_/.test(ref));
  const invoices = refs.filter((ref) => ref.startsWith('in_'));
  if (intent === undefined && charge !== undefined)
    intent = idOf((await stripe.charges.retrieve(charge)).payment_intent);
  else if (intent !== undefined) await stripe.paymentIntents.retrieve(intent);
  const events: StripeEvent[] = [];
  if (intent !== undefined) {
    const payments = await stripe.invoicePayments.list({
      payment: { type: 'payment_intent', payment_intent: intent },
      limit: mostInvoices,
    });
    invoices.push(...payments.data.flatMap(({ invoice }) => idOf(invoice) ?? []));
    const sessions = await stripe.checkout.sessions.list({ payment_intent: intent, limit: 1 });
    for (const session of sessions.data)
      events.push(eventOf('checkout.session.completed', session, session.created));
  }
  for (const id of new Set(invoices)) {
    const invoice = await stripe.invoices.retrieve(id);
    events.push(eventOf('invoice.paid', invoice, invoice.created));
  }
  return events;
}

/** What it paid for is none of ours, whoever paid. */
const isNobodys = (reading: Reading): boolean => 'isOurs' in reading && reading.isOurs === false;

/** The payment's own ids name what it paid for: since "basil" neither charge nor intent says. */
const withLinks = (reading: Facts, refs: readonly string[]): Facts => {
  const [payment] = reading.facts;
  const links = payment ? refs.map((ref) => ({ ref, payment: payment.key })) : [];
  return { ...reading, links: [...reading.links, ...links] };
};

/**
 * Money went back of a payment that the books do not know: asks Stripe what it paid for and tells that first.
 * `told`: it is in the books now. A reading: it bought no credits. Undefined: Stripe does not tell, or what it
 * bought waits for something itself.
 */
export async function bringPayment(
  ctx: Ctx,
  refs: readonly string[],
): Promise<'told' | Reading | undefined> {
  try {
    const knowledge = knowledgeOf(ctx, await readCatalogue(ctx));
    let isTold = false;
    let isWaiting = false;
    for (const event of (await paidBy(ctx, refs)) ?? []) {
      const fetched = await fetchMissing(ctx, event, knowledge);
      const reading = 'fail' in fetched ? fetched : read(fetched.event, knowledge);
      const isPayment = 'facts' in reading && reading.facts.length > 0;
      if (!isPayment && !('fail' in reading && !isNobodys(reading))) continue;
      const told = isPayment ? withLinks(reading, refs) : reading;
      const { status } = await applyReading(ctx, told, { dryRun: false });
      isTold ||= status === 'completed';
      isWaiting ||= status === 'failed';
    }
    if (isTold) return 'told';
    return isWaiting ? undefined : skip('of a payment that bought no credits');
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    const { type } = error;
    if (!isUnknown(error)) ctx.log('stripe_not_asked', { error: type });
    return undefined;
  }
}
