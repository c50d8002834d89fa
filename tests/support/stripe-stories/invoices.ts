import { makeLine, tax, type Draft, type Period, type Terms } from './lines.ts';
import { charge, makeIntent } from './payments.ts';
import type { Kinds, Story } from './story.ts';

type Invoice = Kinds['invoice'];
type Subscription = Kinds['subscription'];

/** So many lines stand in an invoice itself; the others are listed at `/v1/invoices/:id/lines`. */
const EMBEDDED = 10;

const sum = (amounts: number[]): number => amounts.reduce((total, amount) => total + amount, 0);

type Bill = Terms & {
  customer: string;
  subscription: Subscription | null;
  reason: NonNullable<Invoice['billing_reason']>;
  lines: Draft[];
  /** The id that the subscription already names as its latest invoice. */
  id?: string;
  /** When its items could be added: for a renewal, the period that ended. */
  period?: Period;
  fields?: Partial<Invoice>;
};

/**
 * A draft with all its lines and totals that add up; tells of it.
 * Source: https://docs.stripe.com/api/invoices/object
 */
export function draftInvoice(story: Story, bill: Bill): Invoice {
  const { id = story.id('in_1'), percentOff, subscription, taxPercent } = bill;
  const lines = bill.lines.map((draft) => makeLine(story, { id, subscription }, draft, bill));
  const subtotal = sum(lines.map(({ amount }) => amount));
  const off = sum(lines.flatMap((line) => line.discount_amounts ?? []).map(({ amount }) => amount));
  const taxes = sum(lines.flatMap((line) => line.taxes ?? []).map(({ amount }) => amount));
  const total = subtotal - off + taxes;
  const customer = story.find('customer', bill.customer);
  const due = Math.max(0, total + customer.balance);
  const invoice = story.make('invoice', {
    id,
    amount_due: due,
    amount_remaining: due,
    billing_reason: bill.reason,
    currency: bill.lines[0]?.price.currency ?? 'usd',
    customer: customer.id,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    discounts: percentOff ? [percentOff.discount] : [],
    lines: {
      object: 'list',
      data: lines.slice(0, EMBEDDED),
      has_more: lines.length > EMBEDDED,
      url: `/v1/invoices/${id}/lines`,
    },
    parent: subscription && {
      quote_details: null,
      subscription_details: {
        metadata: { ...subscription.metadata },
        subscription: subscription.id,
      },
      type: 'subscription_details',
    },
    period_end: bill.period?.end ?? story.at,
    period_start: bill.period?.start ?? story.at,
    starting_balance: customer.balance,
    subtotal,
    subtotal_excluding_tax: subtotal,
    total,
    total_discount_amounts: percentOff ? [{ amount: off, discount: percentOff.discount }] : [],
    total_excluding_tax: subtotal - off,
    total_taxes: taxPercent === undefined ? [] : [tax(story, taxPercent, subtotal - off, taxes)],
    ...bill.fields,
  });
  if (subscription) subscription.latest_invoice = id;
  story.tell('invoice.created', invoice);
  return invoice;
}

/**
 * Adds to a customer's balance (negative is credit) with the transaction that says why, of which no
 * event tells. Source: https://docs.stripe.com/billing/customer/balance
 */
export function moveBalance(
  story: Story,
  customer: Kinds['customer'],
  amount: number,
  why: Partial<Kinds['customer_balance_transaction']> = {},
): string | null {
  if (amount === 0) return null;
  const ending_balance = customer.balance + amount;
  const { currency, id } = customer;
  const known = { amount, currency: currency ?? 'usd', customer: id, ending_balance, ...why };
  const made = story.make('customer_balance_transaction', known);
  story.change('customer.updated', customer, (one) => {
    one.balance = ending_balance;
  });
  return made.id;
}

/** Opens a draft: the customer's balance is applied, and what is left asks for a payment. */
export function finalizeInvoice(story: Story, invoice: Invoice): Invoice {
  const customer = story.find('customer', invoice.customer);
  const left = invoice.total + customer.balance;
  Object.assign(invoice, {
    amount_due: Math.max(0, left),
    amount_remaining: Math.max(0, left),
    auto_advance: true,
    effective_at: story.at,
    ending_balance: Math.min(0, left),
    hosted_invoice_url: `https://invoice.stripe.com/i/${invoice.id}`,
    invoice_pdf: `https://pay.stripe.com/invoice/${invoice.id}/pdf`,
    number: `STORY-${String(story.all('invoice').length).padStart(4, '0')}`,
    starting_balance: customer.balance,
    status: 'open',
  });
  invoice.status_transitions.finalized_at = story.at;
  if (invoice.amount_due > 0) {
    const intent = makeIntent(story, {
      amount: invoice.amount_due,
      currency: invoice.currency,
      customer: customer.id,
    });
    story.make('invoice_payment', {
      amount_requested: invoice.amount_due,
      currency: invoice.currency,
      invoice: invoice.id,
      payment: { payment_intent: intent.id, type: 'payment_intent' },
    });
  }
  const applied = Math.min(0, left) - customer.balance;
  moveBalance(story, customer, applied, { invoice: invoice.id, type: 'applied_to_invoice' });
  story.tell('invoice.finalized', invoice);
  return invoice;
}

/** The default payment of an invoice. @throws Error where nothing was due. */
export const paymentOf = (story: Story, invoice: Invoice): Kinds['invoice_payment'] => {
  const payment = story.all('invoice_payment').find((one) => one.invoice === invoice.id);
  if (!payment) throw new Error(`Nothing was due for ${invoice.id}.`);
  return payment;
};

export const chargeOf = (story: Story, invoice: Invoice): Kinds['charge'] =>
  story.find(
    'charge',
    story.find('payment_intent', paymentOf(story, invoice).payment.payment_intent).latest_charge,
  );

/**
 * Pays an open invoice: by card, or as somebody says in the dashboard, outside Stripe.
 * Since "basil" `amount_paid` counts that too.
 * Source: https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
 */
export function payInvoice(story: Story, invoice: Invoice, isOutOfBand = false): Invoice {
  const payment = invoice.amount_due > 0 ? paymentOf(story, invoice) : undefined;
  const intent = payment && story.find('payment_intent', payment.payment.payment_intent);
  if (intent && !isOutOfBand) charge(story, intent);
  if (intent && isOutOfBand) {
    Object.assign(intent, { canceled_at: story.at, status: 'canceled' });
    story.tell('payment_intent.canceled', intent);
  }
  Object.assign(invoice, {
    amount_paid: invoice.amount_due,
    amount_remaining: 0,
    attempt_count: intent && !isOutOfBand ? 1 : 0,
    attempted: true,
    auto_advance: false,
    status: 'paid',
  });
  invoice.status_transitions.paid_at = story.at;
  story.tell('invoice.paid', invoice);
  story.tell('invoice.payment_succeeded', invoice);
  if (!payment || !intent) return invoice;
  if (isOutOfBand) {
    payment.status = 'canceled';
    payment.status_transitions.canceled_at = story.at;
    return invoice;
  }
  Object.assign(payment, { amount_paid: invoice.amount_due, status: 'paid' });
  payment.status_transitions.paid_at = story.at;
  story.tell('invoice_payment.paid', payment);
  story.tell('payment_intent.succeeded', intent);
  return invoice;
}

/** An invoice that is opened and paid at once. */
export const bill = (story: Story, given: Bill): Invoice =>
  payInvoice(story, finalizeInvoice(story, draftInvoice(story, given)));
