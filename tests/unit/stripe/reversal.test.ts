import { describe, expect, test } from 'vitest';
import { lackOf } from '../../../functions/stripe/read-event.pure.ts';
import { AT, DECIDED, eventOf, factOf, knowledge, readOf, told, type Json } from './shop.ts';

const refund = (fields: Json = {}): Json => ({
  id: 're_1',
  object: 'refund',
  amount: 700,
  status: 'succeeded',
  created: AT - 100,
  charge: 'ch_1',
  payment_intent: 'pi_1',
  ...fields,
});
const told1 = { decidedAtMs: DECIDED, payment: '' };

describe('a refund', () => {
  test('takes back from the payment it names, since it was made', () => {
    const reading = told(readOf('refund.created', refund()));
    expect(reading).toEqual({
      identity: { userIds: [], customerId: null, email: null, refs: ['pi_1', 'ch_1'] },
      facts: [
        {
          kind: 'reversal',
          key: 'refund:re_1',
          atUs: (AT - 100) * 1e6,
          ...told1,
          reversal: 're_1',
          source: 'refund',
          amount: 700,
          taken: true,
          finality: 1,
        },
      ],
      isOurs: true,
      links: [],
      changes: [],
      notices: [],
    });
    expect(factOf(readOf('refund.created', refund({ created: null }))).atUs).toBe(AT * 1e6);
    const expanded = refund({ charge: { id: 'ch_1' }, payment_intent: null });
    expect(told(readOf('refund.created', expanded)).identity?.refs).toEqual(['ch_1']);
  });

  test.each([
    ['pending', true, 0],
    ['requires_action', true, 0],
    ['succeeded', true, 1],
    [null, true, 1],
    ['failed', false, 2],
    ['canceled', false, 2],
  ])('%s: taken %s, finality %i', (status, taken, finality) => {
    for (const type of ['refund.updated', 'refund.failed', 'charge.refund.updated'])
      expect(factOf(readOf(type, refund({ status })))).toMatchObject({ taken, finality });
  });

  test.each<[string, Json, string]>([
    ['no id', { id: null }, 'The refund has no id.'],
    ['no amount', { amount: null }, 'The refund has no usable amount.'],
    ['a negative amount', { amount: -1 }, 'The refund has no usable amount.'],
    ['no payment', { charge: null, payment_intent: null }, 'Refund re_1 names no payment.'],
  ])('with %s cannot be read', (_name, fields, detail) => {
    expect(readOf('refund.created', refund(fields))).toEqual({
      fail: { code: 'unreadable', detail },
    });
  });
});

describe('a charge that was refunded', () => {
  const charge = (amount_refunded: unknown, refunds?: Json[], fields: Json = {}): Json => ({
    id: 'ch_1',
    object: 'charge',
    created: AT - 9000,
    amount: 1900,
    amount_refunded,
    payment_intent: 'pi_1',
    ...(refunds && { refunds: { object: 'list', data: refunds, has_more: false } }),
    ...fields,
  });
  const read = (object: Json) => readOf('charge.refunded', object);
  const lack = (object: Json) => lackOf(eventOf('charge.refunded', object), knowledge);

  test('without names takes by its own word, and lacks them', () => {
    const reading = told(read(charge(700, undefined, { invoice: 'in_1' })));
    expect(reading.identity).toEqual({
      userIds: [],
      customerId: null,
      email: null,
      refs: ['ch_1', 'pi_1', 'in_1'],
    });
    expect(reading.facts).toEqual([
      {
        kind: 'reversal',
        key: 'charge:ch_1',
        atUs: AT * 1e6,
        ...told1,
        reversal: 'ch_1',
        source: 'charge',
        amount: 700,
        taken: true,
        finality: 0,
      },
    ]);
    expect(lack(charge(700))).toEqual({ lack: 'refunds', chargeId: 'ch_1' });
  });

  test('takes each refund that it names, and no more where they explain it', () => {
    const named = charge(1000, [refund(), refund({ id: 're_2', amount: 300 })]);
    expect(told(read(named)).facts.map(({ key }) => key)).toEqual(['refund:re_1', 'refund:re_2']);
    expect(told(read(named)).facts[0]).toEqual(factOf(readOf('refund.created', refund())));
    expect(lack(named)).toBeNull();
    const later = charge(700, [refund(), refund({ id: 're_2', amount: 300 })]);
    expect(told(read(later)).facts).toHaveLength(2);
  });

  test('adds its own word where they do not, or where one of them failed', () => {
    const keys = (object: Json) => told(read(object)).facts.map(({ key }) => key);
    const part = charge(701, [refund()]);
    expect(keys(part)).toEqual(['refund:re_1', 'charge:ch_1']);
    expect(lack(part)).toEqual({ lack: 'refunds', chargeId: 'ch_1' });
    const failed = charge(700, [refund({ status: 'failed' })]);
    expect(keys(failed)).toEqual(['refund:re_1', 'charge:ch_1']);
  });

  test('of which nothing was refunded is skipped', () => {
    expect(read(charge(0))).toEqual({ skip: 'nothing was refunded' });
    expect(lack(charge(0))).toBeNull();
  });

  test.each<[string, Json, string]>([
    ['no id', { id: null }, 'The charge has no id.'],
    ['no total', { amount_refunded: '7' }, 'The charge has no usable amount_refunded.'],
  ])('with %s cannot be read', (_name, fields, detail) => {
    expect(read(charge(700, [], fields))).toEqual({ fail: { code: 'unreadable', detail } });
  });
});

describe('a dispute', () => {
  const dispute = (status: unknown, fields: Json = {}): Json => ({
    id: 'du_1',
    object: 'dispute',
    amount: 1900,
    status,
    created: AT - 300,
    charge: 'ch_1',
    payment_intent: 'pi_1',
    balance_transactions: [{ created: AT - 100 }, { created: AT - 200 }],
    ...fields,
  });
  const events = ['created', 'updated', 'funds_withdrawn', 'funds_reinstated', 'closed'];

  test('takes back from its payment, since its money first moved', () => {
    const reading = told(readOf('charge.dispute.created', dispute('needs_response')));
    expect(reading.identity).toEqual({
      userIds: [],
      customerId: null,
      email: null,
      refs: ['pi_1', 'ch_1'],
    });
    expect(reading.facts).toEqual([
      {
        kind: 'reversal',
        key: 'dispute:du_1',
        atUs: (AT - 200) * 1e6,
        ...told1,
        reversal: 'du_1',
        source: 'dispute',
        amount: 1900,
        taken: true,
        finality: 1,
      },
    ]);
  });

  test('whose movements tell no time happened when it was made, or told', () => {
    const at = (fields: Json) =>
      factOf(readOf('charge.dispute.created', dispute('lost', fields))).atUs;
    expect(at({ balance_transactions: [] })).toBe((AT - 300) * 1e6);
    expect(at({ balance_transactions: [{}] })).toBe((AT - 300) * 1e6);
    expect(at({ balance_transactions: [{}, { created: AT - 5 }] })).toBe((AT - 5) * 1e6);
    expect(at({ balance_transactions: [], created: null })).toBe(AT * 1e6);
  });

  test.each([
    ['needs_response', true, 1],
    ['under_review', true, 1],
    ['lost', true, 2],
    ['won', false, 2],
    // Its money moved all the same, and is back.
    ['prevented', false, 2],
    ['warning_closed', false, 2],
  ])('%s: taken %s, finality %i, whichever event tells of it', (status, taken, finality) => {
    for (const name of events)
      expect(factOf(readOf(`charge.dispute.${name}`, dispute(status)))).toMatchObject({
        taken,
        finality,
      });
  });

  test.each(['prevented', 'warning_needs_response', 'warning_under_review', 'warning_closed'])(
    '%s: takes nothing where no money moved',
    (status) => {
      const still = dispute(status, { balance_transactions: [] });
      expect(readOf('charge.dispute.created', still)).toEqual({ skip: 'no money has moved' });
    },
  );

  test.each<[string, unknown, Json, string]>([
    ['no id', 'lost', { id: null }, 'The dispute has no id.'],
    ['no status', null, {}, 'The dispute has no status.'],
    ['a status of tomorrow', 'constructor', {}, 'Dispute du_1 has the unknown status constructor.'],
    ['no amount', 'lost', { amount: -1 }, 'The dispute has no usable amount.'],
    [
      'no payment',
      'lost',
      { charge: null, payment_intent: null },
      'Dispute du_1 names no payment.',
    ],
  ])('with %s cannot be read', (_name, status, fields, detail) => {
    expect(readOf('charge.dispute.closed', dispute(status, fields))).toEqual({
      fail: { code: 'unreadable', detail },
    });
  });
});

describe('a credit note', () => {
  const note = (fields: Json = {}): Json => ({
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
    customer_balance_transaction: null,
    refunds: [],
    ...fields,
  });
  const read = (fields: Json = {}) => readOf('credit_note.created', note(fields));
  const nothing = { skip: 'gives back nothing besides its refund' };

  test('takes what went to the balance, from the payment of its invoice', () => {
    const reading = told(read());
    expect(reading.identity).toEqual({
      userIds: [],
      customerId: null,
      email: null,
      refs: ['in_1'],
    });
    expect(reading.facts).toEqual([
      {
        kind: 'reversal',
        key: 'credit_note:cn_1',
        atUs: (AT - 100) * 1e6,
        decidedAtMs: DECIDED,
        payment: '',
        reversal: 'cn_1',
        source: 'credit_note',
        amount: 900,
        taken: true,
        finality: 1,
      },
    ]);
    expect(factOf(read({ created: null })).atUs).toBe(AT * 1e6);
    expect(told(read({ invoice: { id: 'in_2' } })).identity?.refs).toEqual(['in_2']);
  });

  test('counts neither its refunds nor what was not due any more', () => {
    const refunds = [{ amount_refunded: 400 }, { amount_refunded: 300 }];
    expect(factOf(read({ refunds }))).toMatchObject({ amount: 200 });
    expect(factOf(read({ refunds, out_of_band_amount: 50 }))).toMatchObject({ amount: 200 });
    expect(read({ refunds: [{ amount_refunded: 900 }] })).toEqual(nothing);
    expect(read({ refunds: [{ amount_refunded: 950 }] })).toEqual(nothing);
    expect(read({ type: 'pre_payment', post_payment_amount: 0, pre_payment_amount: 900 })).toEqual(
      nothing,
    );
    expect(factOf(read({ refunds: [{}] }))).toMatchObject({ amount: 900 });
  });

  test('that was voided is as if it never was', () => {
    for (const type of ['credit_note.updated', 'credit_note.voided'])
      expect(factOf(readOf(type, note({ status: 'void' })))).toMatchObject({
        key: 'credit_note:cn_1',
        amount: 900,
        taken: false,
        finality: 2,
      });
  });

  test('of before "basil" says as much as it can', () => {
    const older = (fields: Json) =>
      read({ post_payment_amount: undefined, refunds: null, ...fields });
    expect(factOf(older({}))).toMatchObject({ amount: 900 });
    expect(older({ type: 'pre_payment' })).toEqual(nothing);
    expect(older({ refund: 're_1' })).toEqual(nothing);
    expect(factOf(older({ refund: 're_1', out_of_band_amount: 50 }))).toMatchObject({ amount: 50 });
    expect(older({ refund: 're_1', customer_balance_transaction: 'cbtxn_1' })).toEqual({
      fail: {
        code: 'unreadable',
        detail: 'The credit note does not say how much of it was refunded.',
      },
    });
    expect(older({ amount: -1 })).toEqual({
      fail: { code: 'unreadable', detail: 'The credit note has no usable amount.' },
    });
  });

  test.each<[string, Json, string]>([
    ['no id', { id: null }, 'The credit note has no id.'],
    ['no invoice', { invoice: null }, 'The credit note has no invoice.'],
  ])('with %s cannot be read', (_name, fields, detail) => {
    expect(read(fields)).toEqual({ fail: { code: 'unreadable', detail } });
  });
});
