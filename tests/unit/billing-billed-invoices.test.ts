import type Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { invoiceDue, isPaid } from '../../functions/billing/billed-invoices.ts';
import type { PlanChange } from '../../functions/billing/plan-change.ts';

const [start, end] = [1000, 2000];
type LineTerms = { price?: string; amount?: number; quantity?: number; from?: number; to?: number };

const line = (terms: LineTerms, proration = false) => {
  const { price = 'price_growth', amount = 7900, quantity = 1, from = start, to = end } = terms;
  return {
    amount,
    parent: { subscription_item_details: { proration } },
    period: { start: from, end: to },
    pricing: { price_details: { price } },
    quantity,
  };
};
const invoice = (lines: object[], fields: object = {}) =>
  ({ id: 'in_1', lines: { data: lines, has_more: false }, status: 'paid', ...fields }) as unknown;

/** A subscription to growth, as what is asked of it sees it. */
function changeOf(fields: object = {}, allLines: object[] = []): PlanChange {
  const listLineItems = () => allLines;
  return {
    account: { plans: ['starter', 'growth', 'scale'].map((key) => ({ priceId: `price_${key}` })) },
    ctx: { stripe: { invoices: { listLineItems } } },
    item: { price: { id: 'price_growth' }, quantity: 1, current_period_end: end },
    subscription: { latest_invoice: null, pending_update: null, ...fields },
  } as unknown as PlanChange;
}
const paid = (...invoices: unknown[]) => isPaid(changeOf(), invoices as Stripe.Invoice[]);

describe('what is held was paid', () => {
  test.each<[string, unknown[]]>([
    ['by the last full line', [invoice([line({})])]],
    [
      'beside a dearer add-on',
      [invoice([line({ price: 'price_addon', amount: 99_900 }), line({})])],
    ],
    [
      'by a proration that the dashboard billed',
      [
        invoice([
          line({ price: 'price_starter', amount: -950, from: 1500 }, true),
          line({ amount: 3950, from: 1500 }, true),
        ]),
        invoice([line({ price: 'price_starter', amount: 1900 })]),
      ],
    ],
    ['for nothing, in full', [invoice([line({ amount: 0 })])]],
    [
      'in the second of an older plan',
      [invoice([line({})]), invoice([line({ price: 'price_starter' })])],
    ],
    [
      'after an add-on was billed',
      [invoice([line({ price: 'price_addon', from: 1700 })]), invoice([line({})])],
    ],
  ])('%s', async (_, invoices) => {
    expect(await paid(...invoices)).toBe(true);
  });

  test('by a line past the ten that the invoice holds', async () => {
    const more = invoice([line({ price: 'price_addon' })], {
      lines: { data: [line({ price: 'price_addon' })], has_more: true },
    }) as Stripe.Invoice;
    expect(await isPaid(changeOf({}, [line({ price: 'price_addon' }), line({})]), [more])).toBe(
      true,
    );
  });
});

describe('what is held was not paid', () => {
  test.each<[string, unknown[]]>([
    ['since nothing was', []],
    ['after a downgrade at once', [invoice([line({ price: 'price_scale' })])]],
    [
      'after a downgrade to what was paid once',
      [invoice([line({ price: 'price_scale', from: 1500 })]), invoice([line({})])],
    ],
    [
      'in a period whose invoice is void',
      [invoice([line({})], { status: 'void' }), invoice([line({ from: 0, to: start })])],
    ],
    ['at a lower quantity', [invoice([line({ quantity: 3 })])]],
    ['by what was only given back', [invoice([line({ amount: -7900 }, true)])]],
  ])('%s', async (_, invoices) => {
    expect(await paid(...invoices)).toBe(false);
  });
});

describe('what is due', () => {
  const bill = (id: string, status: string, due = 7900) =>
    ({ id, status, amount_due: due }) as Stripe.Invoice;
  const dueOf = (invoices: Stripe.Invoice[], fields: object = {}) =>
    invoiceDue(changeOf(fields), invoices)?.id;

  test('is the oldest open invoice, before any draft', () => {
    const all = [bill('d', 'draft'), bill('b', 'open'), bill('c', 'paid'), bill('a', 'open')];
    expect(dueOf(all)).toBe('a');
  });

  test('is a draft that asks for something', () => {
    expect(dueOf([bill('b', 'draft', 0), bill('a', 'paid')])).toBeUndefined();
    expect(dueOf([bill('b', 'draft'), bill('a', 'paid')])).toBe('b');
  });

  test('is a renewal that came after the list was read', () => {
    expect(dueOf([bill('a', 'paid')], { latest_invoice: bill('b', 'draft') })).toBe('b');
  });

  test('is not what a change waits for, but all that is open beside it', () => {
    const waiting = { latest_invoice: bill('b', 'open'), pending_update: {} };
    expect(dueOf([bill('b', 'open'), bill('a', 'paid')], waiting)).toBeUndefined();
    expect(dueOf([bill('b', 'open'), bill('a', 'open')], waiting)).toBe('a');
  });

  test('is nothing that is paid, void or given up', () => {
    expect(
      dueOf([bill('a', 'paid'), bill('b', 'void'), bill('c', 'uncollectible')]),
    ).toBeUndefined();
  });
});
