import { describe, expect, test } from 'vitest';
import { eventTypes } from '../../../functions/stripe/read-event.pure.ts';
import {
  AT,
  DECIDED,
  factOf,
  invoice,
  line,
  olderInvoice,
  olderLine,
  readOf,
  told,
} from './shop.ts';

const starter = line({ price: 'price_starter', amount: 1900 });
const open = { status: 'open', status_transitions: { paid_at: null, voided_at: null } };

describe('an invoice that is not paid', () => {
  test.each(['invoice.payment_failed', 'invoice.payment_action_required'])(
    '%s: it fails since the event',
    (type) => {
      const reading = readOf(type, invoice([starter], open));
      expect(factOf(reading)).toEqual({
        kind: 'invoice',
        key: 'failing:in_1',
        atUs: AT * 1e6,
        decidedAtMs: DECIDED,
        invoice: 'in_1',
        subscription: 'sub_1',
        customer: 'cus_1',
        state: 'open',
      });
      expect(told(reading).identity).toMatchObject({
        userIds: ['user_1'],
        subscriptionId: 'sub_1',
      });
    },
  );

  test.each([
    ['invoice.voided', 'void', { voided_at: AT - 5 }],
    [
      'invoice.marked_uncollectible',
      'uncollectible',
      { voided_at: null, marked_uncollectible_at: AT - 5 },
    ],
  ])('%s: nobody waits for it since then', (type, status, status_transitions) => {
    expect(factOf(readOf(type, invoice([starter], { status, status_transitions })))).toMatchObject({
      kind: 'invoice',
      key: 'closed:in_1',
      atUs: (AT - 5) * 1e6,
      state: 'closed',
    });
    const untimed = { ...open, status };
    expect(factOf(readOf(type, invoice([starter], untimed))).atUs).toBe(AT * 1e6);
  });

  test('is told in the shape of before "basil" too', () => {
    const older = olderInvoice([olderLine({ price: 'price_starter', amount: 1900 })], open);
    expect(factOf(readOf('invoice.payment_failed', older))).toMatchObject({
      subscription: 'sub_1',
    });
  });

  test('counts with further lines, among which the plan may be', () => {
    const lines = { data: [line({ price: 'price_support', amount: 1 })], has_more: true };
    const bill = invoice([], { ...open, lines });
    expect(factOf(readOf('invoice.payment_failed', bill))).toMatchObject({ state: 'open' });
  });

  test.each([
    ['invoice.payment_failed', 'open'],
    ['invoice.voided', 'void'],
  ])('%s: of no subscription, or without a plan, is skipped', (type, status) => {
    expect(readOf(type, invoice([starter], { parent: null }))).toEqual({
      skip: 'not an invoice of a subscription',
    });
    const other = line({ price: 'price_support', amount: 1 });
    expect(readOf(type, invoice([other], { status }))).toEqual({ skip: 'bills no plan' });
  });

  test('comes to what its status says, whichever event brings it', () => {
    const types = eventTypes.filter((type) => type.startsWith('invoice.'));
    const failing = ['invoice.payment_failed', 'invoice.payment_action_required'];
    expect(types.length).toBeGreaterThanOrEqual(7);
    for (const type of types) {
      const of = (status: string) => readOf(type, invoice([starter], { status }));
      expect.soft(factOf(of('paid')), type).toMatchObject({ kind: 'plan', key: 'invoice:in_1' });
      for (const status of ['void', 'uncollectible'])
        expect.soft(factOf(of(status)), type).toMatchObject({ state: 'closed' });
      const open = failing.includes(type) ? 'facts.0.state' : 'skip';
      expect.soft(of('open'), type).toHaveProperty(open, open === 'skip' ? 'not paid' : 'open');
      const draft = type === 'invoice.finalization_failed' ? 'notices.0' : 'skip';
      expect.soft(of('draft'), type).toHaveProperty(draft);
      expect.soft(of('lost'), type).toHaveProperty('fail.code', 'unreadable');
    }
  });
});

describe('the payment of an invoice', () => {
  test('links its ids to the invoice, and tells nothing else', () => {
    const payment = {
      invoice: 'in_1',
      payment: { type: 'payment_intent', payment_intent: 'pi_1', charge: { id: 'ch_1' } },
    };
    expect(readOf('invoice_payment.paid', payment)).toEqual({
      identity: null,
      facts: [],
      links: [
        { ref: 'pi_1', payment: 'invoice:in_1' },
        { ref: 'ch_1', payment: 'invoice:in_1' },
      ],
      isOurs: true,
      changes: [],
      notices: [],
    });
  });

  test('that names none, or no invoice, is skipped', () => {
    const none = { skip: 'names no payment' };
    expect(readOf('invoice_payment.paid', { invoice: 'in_1', payment: {} })).toEqual(none);
    const payment = { payment_intent: 'pi_1' };
    expect(readOf('invoice_payment.paid', { invoice: null, payment })).toEqual(none);
  });
});
