import type { PlanFact, PlanTerms } from '../../ledger/facts.pure.ts';
import {
  normaliseInvoice,
  normaliseInvoicePayment,
  type Invoice,
  type InvoiceLine,
} from '../normalise/invoice.pure.ts';
import { isOurId, present, Unreadable, type Json } from '../normalise/json.pure.ts';
import {
  assertCountable,
  failFor,
  microseconds,
  skip,
  tell,
  termsOf,
  type CataloguePrice,
  type EventIdentity,
  type Knowledge,
  type Lack,
  type Reading,
  type StripeEvent,
} from '../reading.pure.ts';

type Prices = Knowledge['prices'];
type PlanLine = InvoiceLine & { price: CataloguePrice; terms: PlanTerms };

/** The lines of plans in the catalogue, whatever stands beside them. */
const planLinesOf = ({ lines }: Invoice, prices: Prices): PlanLine[] =>
  lines.flatMap((line) => {
    const price = prices.get(line.priceId ?? '');
    const terms = price && termsOf(price);
    return terms ? [{ ...line, price, terms }] : [];
  });

/** The newest period first; within one, what charges before what gives back. */
const byWeight = (a: PlanLine, b: PlanLine): number =>
  (b.periodStart ?? 0) - (a.periodStart ?? 0) ||
  Number(a.isCredit) - Number(b.isCredit) ||
  b.amount - a.amount;

/** The line that says what was bought: a full one, whatever prorations stand beside it. */
function tellingLine(lines: PlanLine[]): PlanLine | undefined {
  const sorted = lines.toSorted(byWeight);
  return sorted.find(({ isProration }) => !isProration) ?? sorted[0];
}

/** A zero line of a plan that costs something is a trial; discounts come after a line's amount. */
function formOf({ isProration, amount, quantity, price }: PlanLine): PlanFact['form'] {
  if (isProration) return 'proration';
  return amount === 0 && quantity > 0 && price.amountCents > 0 ? 'trial' : 'full';
}

function reasonOf({ billingReason }: Invoice): PlanFact['reason'] {
  if (billingReason === 'subscription_create' || billingReason === 'quote_accept') return 'create';
  return billingReason === 'subscription_cycle' ? 'cycle' : 'update';
}

const identityOf = (invoice: Invoice): EventIdentity => ({
  userIds: present([invoice.userId]),
  customerId: invoice.customerId,
  email: invoice.email,
  subscriptionId: invoice.subscriptionId,
});

const keyOf = (invoiceId: string): string => `invoice:${invoiceId}`;

const linksOf = (invoiceId: string, paymentIds: string[]) =>
  present([invoiceId, ...paymentIds]).map((ref) => ({ ref, payment: keyOf(invoiceId) }));

/** The prices of its lines that the catalogue does not have. */
const unknownPricesOf = ({ lines }: Invoice, prices: Prices): string[] =>
  present(lines.map(({ priceId }) => priceId)).filter((id) => !prices.has(id));

/** No line is a plan: what is billed is something else, or a plan whose price is not known yet. */
function readOther(invoice: Invoice, prices: Prices): Reading {
  const { id, itemPriceIds, lines } = invoice;
  const unknown = unknownPricesOf(invoice, prices);
  if (lines.length === 0) return skip('the invoice has no lines');
  if (unknown.length === 0) return skip('bills no plan');
  if (itemPriceIds?.some((price) => prices.get(price)?.kind === 'plan'))
    return skip('bills something beside the plan');
  return failFor(
    { identity: identityOf(invoice), isOurs: isOurId(invoice.userId) },
    {
      code: 'unknown_price',
      detail: `Invoice ${id} bills prices that are not in the catalogue: ${unknown.join(', ')}. Run stripe:setup, or give the plan's price its rowloom_ metadata.`,
      waitsFor: unknown,
    },
  );
}

/** An invoice of a subscription. */
type Billed = Invoice & { subscriptionId: string };

/** What a subscription's money bought, at the time it was paid. */
function readPaid(invoice: Billed, event: StripeEvent, knowledge: Knowledge): Reading {
  const { id, subscriptionId, total } = invoice;
  const lines = planLinesOf(invoice, knowledge.prices);
  const line = tellingLine(lines);
  if (!line) return readOther(invoice, knowledge.prices);
  const { periodStart, periodEnd, quantity, terms } = line;
  if (periodStart === null || periodEnd === null)
    throw new Unreadable(`The line of ${terms.priceId} on invoice ${id} has no period.`);
  assertCountable(terms, quantity);
  const fact: PlanFact = {
    kind: 'plan',
    key: keyOf(id),
    atUs: microseconds(invoice.paidAt ?? event.created),
    ...(invoice.paidAt === null && { isTimeGuessed: true }),
    decidedAtMs: knowledge.decidedAtMs,
    invoice: id,
    subscription: subscriptionId,
    customer: invoice.customerId,
    reason: reasonOf(invoice),
    form: formOf(line),
    terms,
    quantity,
    periodStart,
    periodEnd,
    charge: lines.reduce((sum, { amount }) => sum + amount, 0),
    total,
    mode: knowledge.mode,
  };
  return tell(identityOf(invoice), { facts: [fact], links: linksOf(id, invoice.paymentIds) });
}

/** Ten lines stand in an invoice, the others are listed; without a plan's line the subscription tells. */
export function lackOfInvoice(object: Json, { prices }: Knowledge): Lack | null {
  const invoice = normaliseInvoice(object);
  const { id, subscriptionId } = invoice;
  const { status, hasMoreLines } = invoice;
  if (subscriptionId === null || status === 'draft') return null;
  const isPlan = planLinesOf(invoice, prices).length > 0;
  // Of what was not paid only whether it bills a plan matters.
  if (hasMoreLines && (status === 'paid' || !isPlan))
    return { lack: 'invoice_lines', invoiceId: id };
  if (status !== 'paid') return null;
  const isOther = !isPlan && unknownPricesOf(invoice, prices).length > 0;
  return isOther && invoice.itemPriceIds === null ? { lack: 'subscription', subscriptionId } : null;
}

/** An invoice that cannot be paid for the moment (`open`), or never will be (`closed`). */
function readUnpaid(
  state: 'open' | 'closed',
  invoice: Billed,
  event: StripeEvent,
  { decidedAtMs, prices }: Knowledge,
): Reading {
  const { id, subscriptionId, hasMoreLines } = invoice;
  const isPlan = planLinesOf(invoice, prices).length > 0;
  if (!hasMoreLines && !isPlan) return skip('bills no plan');
  const at = state === 'closed' ? (invoice.closedAt ?? event.created) : event.created;
  const key = state === 'open' ? `failing:${id}` : `closed:${id}`;
  const { customerId: customer } = invoice;
  const told = { key, atUs: microseconds(at), decidedAtMs, customer };
  return tell(identityOf(invoice), {
    isOurs: isPlan || isOurId(invoice.userId),
    facts: [{ kind: 'invoice', ...told, invoice: id, subscription: subscriptionId, state }],
  });
}

/** Events of an open invoice that say that its money did not come: grace is counted from the first. */
const failures = ['invoice.payment_failed', 'invoice.payment_action_required'];

/**
 * invoice.*: its status says what it comes to, whichever event brings it; an event that comes late, or is
 * read anew, brings the invoice as it is by then.
 * Source: docs.stripe.com/billing/subscriptions/webhooks, docs.stripe.com/invoicing/overview#invoice-statuses
 */
export function readInvoice(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const invoice = normaliseInvoice(object);
  const { subscriptionId, status } = invoice;
  if (subscriptionId === null) return skip('not an invoice of a subscription');
  const billed = { ...invoice, subscriptionId };
  switch (status) {
    case 'paid':
      return readPaid(billed, event, knowledge);
    case 'open':
      return failures.includes(event.type)
        ? readUnpaid('open', billed, event, knowledge)
        : skip('not paid');
    case 'void':
    case 'uncollectible':
      return readUnpaid('closed', billed, event, knowledge);
    case 'draft':
      return skip('not finalized');
    default:
      throw new Unreadable(`Invoice ${invoice.id} has the unknown status ${status}.`);
  }
}

/** invoice_payment.paid: by which ids the money of an invoice is known. */
export function readInvoicePayment(object: Json): Reading {
  const { invoiceId, paymentIds } = normaliseInvoicePayment(object);
  if (invoiceId === null || paymentIds.length === 0) return skip('names no payment');
  return tell(null, {
    links: paymentIds.map((ref) => ({ ref, payment: keyOf(invoiceId) })),
  });
}
