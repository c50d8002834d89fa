import { describe, expect, it } from 'vitest';
import { AT, factOf, invoice, line, readOf, type Json } from './shop.ts';

/** Shapes that public payloads and Stripe's own types have. */

describe('a dispute', () => {
  // docs.stripe.com/changelog/endive/2026-10-28, docs.stripe.com/disputes/arbitration: the bank rejected
  // the first response and nobody has decided yet, so the money is still gone.
  it.each(['appeal_needs_response', 'appeal_under_review'])(
    'that is appealed (%s) is open',
    (status) => {
      const dispute = {
        id: 'du_1',
        object: 'dispute',
        amount: 1900,
        status,
        created: AT - 300,
        charge: 'ch_1',
        payment_intent: 'pi_1',
        balance_transactions: [{ amount: -1900, created: AT - 200 }],
      };
      expect(factOf(readOf('charge.dispute.updated', dispute))).toMatchObject({
        taken: true,
        finality: 1,
      });
    },
  );
});

describe('a credit note', () => {
  const note = (refunds: Json[]): Json => ({
    id: 'cn_1',
    object: 'credit_note',
    invoice: 'in_1',
    status: 'issued',
    type: 'post_payment',
    created: AT - 100,
    amount: 900,
    post_payment_amount: 900,
    pre_payment_amount: 0,
    out_of_band_amount: null,
    refunds,
  });

  // stripe/openapi, openapi/fixtures3.json (`credit_note.refunds`): money that was paid back outside Stripe
  // makes no refund object, so nothing but the note tells of it.
  it('counts what a payment record gave back: no refund will tell', () => {
    const refunds = [
      { type: 'refund', amount_refunded: 400, refund: 're_1', payment_record_refund: null },
      {
        type: 'payment_record_refund',
        amount_refunded: 500,
        refund: null,
        payment_record_refund: { payment_record: 'pr_1', refund_group: 'cheque 7' },
      },
    ];
    expect(factOf(readOf('credit_note.created', note(refunds)))).toMatchObject({
      source: 'credit_note',
      amount: 500,
    });
  });
});

describe('a price', () => {
  const price = (recurring: Json): Json => ({
    id: 'price_1',
    object: 'price',
    active: true,
    created: AT - 900,
    currency: 'usd',
    product: 'prod_1',
    recurring,
    unit_amount: 5700,
    metadata: { rowloom_kind: 'plan', rowloom_key: 'starter', rowloom_credits: '1000' },
  });

  // onetimesecret/onetimesecret, VCR cassettes of its billing commands: prices of three months.
  it.each([
    ['month', 3],
    ['month', 6],
    ['year', 2],
  ])('by the %s, of which one period has %i, is no plan by the month or the year', (...given) => {
    const [interval, interval_count] = given;
    expect(readOf('price.created', price({ interval, interval_count }))).toHaveProperty(
      'fail.code',
      'unreadable',
    );
  });
});

describe('an invoice whose payment failed', () => {
  // kaspernj/stripe_model_callbacks, stripe_events/invoice/invoice.payment_failed.json: `uncollectible`.
  // An event that is read anew later brings the invoice as it is by then.
  it.each(['paid', 'void', 'uncollectible'])(
    'is waited for no more once it is %s: its status decides',
    (status) => {
      const lines = [line({ price: 'price_starter', amount: 1900 })];
      const reading = readOf('invoice.payment_failed', invoice(lines, { status }));
      const facts = 'facts' in reading ? reading.facts : [];
      expect(facts).not.toContainEqual(expect.objectContaining({ kind: 'invoice', state: 'open' }));
    },
  );
});

describe('the invoice of a quote', () => {
  // stripe/openapi, openapi/spec3.json (`billing_bill_resource_invoicing_parents_invoice_parent`): its parent
  // names the quote, and its lines the subscription.
  it('is its subscription’s, which only its lines name', () => {
    const bought = line({ price: 'price_starter', amount: 1900 });
    const parent = bought['parent'] as Json;
    const details = { ...(parent['subscription_item_details'] as Json), subscription: 'sub_9' };
    const lines = [{ ...bought, parent: { ...parent, subscription_item_details: details } }];
    const quoted = { parent: { type: 'quote_details', quote_details: { quote: 'qt_1' } } };
    expect(factOf(readOf('invoice.paid', invoice(lines, quoted)))).toMatchObject({
      kind: 'plan',
      subscription: 'sub_9',
    });
    // One of no subscription at all stays out.
    expect(readOf('invoice.paid', invoice([bought], quoted))).toEqual({
      skip: 'not an invoice of a subscription',
    });
  });
});

describe('a number that cannot be counted with', () => {
  it.each([2 ** 53, 0.5, -1, '2'])(
    'as the quantity of a line (%s) is no single piece',
    (quantity) => {
      const odd = { ...line({ price: 'price_starter', amount: 1900 }), quantity };
      expect(readOf('invoice.paid', invoice([odd]))).toHaveProperty('fail.code', 'unreadable');
    },
  );

  it.each(['start', 'end'])('as the %s of a period fails clearly', (edge) => {
    const bought = line({ price: 'price_starter', amount: 1900 });
    const odd = { ...bought, period: { start: AT, end: AT + 9, [edge]: 2 ** 53 } };
    expect(readOf('invoice.paid', invoice([odd]))).toEqual({
      fail: { code: 'unreadable', detail: "A line's period is no usable time." },
    });
  });
});
