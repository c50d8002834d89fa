import templates from '../../../local/stripe/objects.json' with { type: 'json' };
import { chargeOf, moveBalance, paymentOf } from './invoices.ts';
import { refund } from './payments.ts';
import type { Kinds, Story } from './story.ts';

type Invoice = Kinds['invoice'];
/** How money goes back after payment; before it, an amount is no longer due. */
type Back = { refund?: number; credit?: number; outOfBand?: number; notDue?: number };

/**
 * A credit note of one line. What of `post_payment_amount` is neither refunded nor out of band went
 * to the balance: no field says it. Source: https://docs.stripe.com/api/credit_notes/create
 */
export function creditNote(story: Story, invoice: Invoice, back: Back): Kinds['credit_note'] {
  const { refund: refunded = 0, credit = 0, outOfBand = 0, notDue = 0 } = back;
  const paid = refunded + credit + outOfBand;
  const amount = paid + notDue;
  const made = refunded > 0 ? [refund(story, chargeOf(story, invoice), refunded)] : [];
  const customer = story.find('customer', invoice.customer);
  const credited = moveBalance(story, customer, -credit, { type: 'credit_note' });
  const line = structuredClone(templates.credit_note_line_item) as unknown as Line;
  Object.assign(line, { id: story.id('cnli_1'), amount, unit_amount: amount });
  const note = story.make('credit_note', {
    amount,
    currency: invoice.currency,
    customer: customer.id,
    customer_balance_transaction: credited,
    effective_at: story.at,
    invoice: invoice.id,
    number: `${invoice.number}-CN-01`,
    out_of_band_amount: outOfBand > 0 ? outOfBand : null,
    pdf: `https://pay.stripe.com/credit_notes/${invoice.id}/pdf`,
    post_payment_amount: paid,
    pre_payment_amount: notDue,
    refunds: made.map(({ id }) => ({
      amount_refunded: refunded,
      payment_record_refund: null,
      refund: id,
      type: 'refund',
    })),
    subtotal: amount,
    subtotal_excluding_tax: amount,
    total: amount,
    total_excluding_tax: amount,
    type: notDue > 0 ? 'pre_payment' : 'post_payment',
  });
  if (credited !== null) story.find('customer_balance_transaction', credited).credit_note = note.id;
  const url = `/v1/credit_notes/${note.id}/lines`;
  note.lines = { object: 'list', data: [line], has_more: false, url };
  line.unit_amount_decimal = String(amount);
  if (notDue > 0) lowerPayment(story, invoice, notDue);
  story.tell('credit_note.created', note);
  story.change('invoice.updated', invoice, (one) => {
    one.post_payment_credit_notes_amount += paid;
    one.pre_payment_credit_notes_amount += notDue;
    one.amount_due -= notDue;
    one.amount_remaining -= notDue;
  });
  return note;
}

/** The default payment follows what remains due. */
function lowerPayment(story: Story, invoice: Invoice, by: number): void {
  const payment = paymentOf(story, invoice);
  payment.amount_requested -= by;
  story.find('payment_intent', payment.payment.payment_intent).amount -= by;
}
type Line = Kinds['credit_note']['lines']['data'][number];
