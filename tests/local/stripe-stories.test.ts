import { describe, expect, test } from 'vitest';
import { beforeBasil, stories } from '../support/stripe-stories/index.ts';
import type { Kinds, Story, StoryEvent } from '../support/stripe-stories/index.ts';
import { validateEvent, validateObject } from '../support/stripe-description/index.ts';

type Json = Record<string, unknown>;
type Invoice = Kinds['invoice'];

const told = Object.entries(stories).map(([name, tell]) => {
  const story = tell({ tag: name, userId: 'user_1' });
  const events = story.events.filter((event): event is StoryEvent => event.object === 'event');
  return { name, story, events };
});
const sum = (amounts: number[]): number => amounts.reduce((total, amount) => total + amount, 0);
const isHere = (story: Story): boolean => story.objects.length > 0;
const invoicesIn = (events: StoryEvent[]): Invoice[] =>
  events.map(({ data }) => data.object).filter((one): one is Invoice => one.object === 'invoice');

/** Every id of a kind that the API shows, wherever it stands. */
const idsIn = (value: unknown): string[] =>
  JSON.stringify(value).match(
    /(?<=")(cus|sub|si|in|il|inpay|pi|ch|re|price|prod|cs_test|li|cn|issfr|du|cbtxn|txr|di|txn)_\w*\d{6}(?=")/g,
  ) ?? [];

describe.each(told)('$name', ({ story, events }) => {
  test('is as Stripe describes it', () => {
    expect(events.flatMap(validateEvent)).toEqual([]);
    expect(story.objects.flatMap((object) => validateObject(object))).toEqual([]);
  });

  // What happens on another account leaves no object in ours.
  if (isHere(story))
    test('names nothing that is not there', () => {
      const known = new Set(story.objects.map(({ id }) => id));
      const named = [...idsIn(events), ...idsIn(story.objects)];
      expect(named.filter((id) => !known.has(id))).toEqual([]);
    });

  test('has invoices that add up, at every moment', () => {
    for (const invoice of invoicesIn(events)) {
      const lines = story.all('line_item').filter((line) => line.invoice === invoice.id);
      const off = sum(lines.flatMap(({ discount_amounts: all }) => all ?? []).map((d) => d.amount));
      const taxes = sum(lines.flatMap(({ taxes: all }) => all ?? []).map((tax) => tax.amount));
      const left = invoice.total + invoice.starting_balance;
      expect(invoice.subtotal).toBe(sum(lines.map(({ amount }) => amount)));
      expect(invoice.total).toBe(invoice.subtotal - off + taxes);
      expect(invoice.amount_due + invoice.pre_payment_credit_notes_amount).toBe(Math.max(0, left));
      expect(invoice.amount_remaining).toBe(invoice.amount_due - invoice.amount_paid);
      if (invoice.status !== 'draft') expect(invoice.ending_balance).toBe(Math.min(0, left));
      expect(invoice.lines.data.map(({ id }) => id)).toEqual(
        lines.slice(0, 10).map(({ id }) => id),
      );
      expect(invoice.lines.has_more).toBe(lines.length > 10);
      for (const { parent } of lines) {
        const item = (parent?.subscription_item_details ?? parent?.invoice_item_details)
          ?.invoice_item;
        const pending = story.all('invoiceitem').find(({ id }) => id === item);
        if (pending) expect(pending.invoice).toBe(invoice.id);
      }
    }
  });

  test('has payments, refunds and balances that agree with the invoices', () => {
    for (const payment of story.all('invoice_payment').filter(({ status }) => status === 'paid')) {
      const intent = story.find('payment_intent', payment.payment.payment_intent);
      const { amount } = story.find('charge', intent.latest_charge);
      const paid = story.find('invoice', payment.invoice).amount_paid;
      expect([payment.amount_paid, intent.amount_received, amount]).toEqual([paid, paid, paid]);
    }
    for (const charge of story.all('charge')) {
      const refunds = story.all('refund').filter((refund) => refund.charge === charge.id);
      expect(charge.amount_refunded).toBe(sum(refunds.map(({ amount }) => amount)));
    }
    const before = story.all('invoice').at(-1)?.ending_balance ?? 0;
    const credited = story.all('credit_note').filter((note) => note.customer_balance_transaction);
    const balance = before - sum(credited.map(({ amount }) => amount));
    if (story.all('invoice').length > 0) expect(story.the('customer').balance).toBe(balance || 0);
  });

  test('happens in time: nothing is told before it is made, or paid before it is told', () => {
    const times = events.map(({ created }) => created);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    for (const { created, data, type } of events) {
      const object = data.object as unknown as { created?: number } & Invoice;
      expect(object.created ?? 0).toBeLessThanOrEqual(created);
      if (type === 'invoice.paid') expect(object.status_transitions.paid_at).toBe(created);
    }
  });

  test('says what an object was before: neither what it is nor what it never was', () => {
    const last = new Map<string, Json>();
    for (const { data } of events) {
      const object = data.object as unknown as Json;
      for (const [key, old] of Object.entries(data.previous_attributes ?? {})) {
        expect(object[key]).not.toEqual(old);
        const before = last.get(String(object['id']))?.[key];
        if (before !== undefined) expect(before).toMatchObject(old as never);
      }
      last.set(String(object['id']), object);
    }
  });
});

/** Where an older endpoint finds what stands elsewhere today. */
const olderFields: Record<string, { has: string[]; lacks: string[] }> = {
  invoice: {
    has: ['subscription', 'subscription_details', 'paid', 'charge', 'payment_intent'],
    lacks: ['parent', 'total_taxes'],
  },
  subscription: { has: ['current_period_start', 'current_period_end'], lacks: ['billing_mode'] },
  charge: { has: ['invoice'], lacks: [] },
  payment_intent: { has: ['invoice'], lacks: [] },
};

describe('before "basil"', () => {
  const steps = beforeBasil(stories['switchedWithProrations']?.() as Story);
  const events = steps.map(({ event }) => event as StoryEvent);

  test.each(Object.keys(olderFields))('%s has the fields of its day', (kind) => {
    const objects = events.map(({ data }) => data.object).filter(({ object }) => object === kind);
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) {
      for (const key of olderFields[kind]?.has ?? []) expect(object).toHaveProperty(key);
      for (const key of olderFields[kind]?.lacks ?? []) expect(object).not.toHaveProperty(key);
    }
  });

  test('links invoice, charge and subscription, and marks prorations', () => {
    const paid = events.findLast(({ type }) => type === 'invoice.paid');
    const object = paid?.data.object as unknown as Json;
    const charge = events.findLast(({ type }) => type === 'charge.succeeded');
    expect(charge?.data.object).toMatchObject({ id: object['charge'], invoice: object['id'] });
    expect(object['subscription']).toMatch(/^sub_/);
    expect(object['lines']).toMatchObject({
      data: [
        { proration: true, type: 'invoiceitem', price: { nickname: 'bigger' } },
        { proration: true, type: 'invoiceitem', price: { nickname: 'plan' } },
        { proration: false, type: 'subscription', price: { nickname: 'bigger' } },
      ],
    });
  });

  test('tells of a period that moves at the top, and keeps what the API shows', () => {
    const moved = events.findLast(({ type }) => type === 'customer.subscription.updated')?.data;
    const previous = moved?.previous_attributes as Json | undefined;
    expect(moved?.object).toHaveProperty('current_period_start', previous?.['current_period_end']);
    const shown = steps
      .flatMap(({ objects }) => objects)
      .findLast(({ object }) => object === 'invoice_payment');
    expect(shown).toHaveProperty('status', 'paid');
  });
});

describe('what is billed and paid, invoice by invoice', () => {
  test.each<[string, ...[lines: number[], paid: number][]]>([
    ['dearerAddOn', [[9900, 1900], 11_800], [[9900, 1900], 11_800]],
    ['yearlyAddOn', [[99_000, 1900], 100_900], [[1900], 1900], [[1900], 1900]],
    ['meteredFirst', [[1900], 1900], [[6000, 1900], 7900]],
    ['pendingOneOff', [[1900], 1900], [[15_000, 1900], 16_900]],
    ['setUpFeeOnTrial', [[4900, 0], 4900], [[1900], 1900]],
    ['trialExtended', [[0], 0], [[0], 0], [[1900], 1900]],
    [
      'quantityToAndFro',
      [[1900], 1900],
      [[-1583, 3167], 1584],
      [[-2533, 1267], 0],
      [[-950, 1900], 0],
      [[3800], 3484],
    ],
    ['switchedAndInvoiced', [[1900], 1900], [[-1267, 5267], 4000], [[7900], 7900]],
    ['switchedWithProrations', [[1900], 1900], [[5267, -1267, 7900], 11_900]],
    ['switchedForNothing', [[1900], 1900], [[7900], 7900]],
    ['couponAdded', [[1900], 1900], [[1900], 950]],
    ['cancelledWithInvoice', [[1900], 1900], [[-1267], 0]],
    ['pausedVoid', [[1900], 1900], [[1900], 0]],
    ['balancePaysPart', [[7900], 7900], [[7900], 2900]],
    ['paidOutOfBand', [[1900], 1900], [[1900], 1900]],
    ['creditNoteBeforePayment', [[1900], 1900], [[1900], 1500]],
    ['inYen', [[1980], 2178], [[1980], 2178]],
    ['inDinar', [[6000], 6600], [[6000], 6600]],
  ])('%s', (name, ...invoices) => {
    const story = stories[name]?.() as Story;
    const billed = story.all('invoice').map(({ id, amount_paid }) => {
      const lines = story.all('line_item').filter(({ invoice }) => invoice === id);
      return [lines.map(({ amount }) => amount), amount_paid];
    });
    expect(billed).toEqual(invoices);
  });

  test('ten prorations stand before the plan, whose line is not embedded', () => {
    const story = stories['tenOldProrations']?.() as Story;
    const { lines } = story.the('invoice');
    const isProration = (line: Kinds['line_item']) =>
      line.parent?.subscription_item_details?.proration === true;
    expect(lines.data.every(isProration)).toBe(true);
    const eleventh = story
      .all('line_item')
      .filter(({ invoice }) => invoice === story.the('invoice').id)[10];
    expect(eleventh).toMatchObject({ amount: 1900, description: '1 × plan' });
  });
});
