import { describe, expect, test } from 'vitest';
import type { PlanFact } from '../../../functions/ledger/facts.pure.ts';
import { lackOf } from '../../../functions/stripe/read-event.pure.ts';
import {
  AT,
  DAY,
  DECIDED,
  eventOf,
  factOf,
  invoice,
  knowledge,
  line,
  olderInvoice,
  olderLine,
  readOf,
  told,
  type Json,
} from './shop.ts';

const paid = (lines: Json[], fields: Json = {}) => readOf('invoice.paid', invoice(lines, fields));
const planOf = (lines: Json[], fields: Json = {}): PlanFact =>
  factOf(paid(lines, fields)) as PlanFact;
const starter = line({ price: 'price_starter', amount: 1900 });

describe('a paid invoice of a plan', () => {
  test('is one fact with the numbers of its moment, at the time it was paid', () => {
    expect(planOf([starter], { total: 2090 })).toEqual({
      kind: 'plan',
      key: 'invoice:in_1',
      atUs: (AT - 60) * 1e6,
      decidedAtMs: DECIDED,
      invoice: 'in_1',
      subscription: 'sub_1',
      customer: 'cus_1',
      reason: 'cycle',
      form: 'full',
      terms: {
        plan: 'starter',
        priceId: 'price_starter',
        credits: 1000,
        trialCredits: 100,
        interval: 'month',
        grantsMonthly: false,
      },
      quantity: 1,
      periodStart: AT,
      periodEnd: AT + 30 * DAY,
      charge: 1900,
      total: 2090,
      mode: 'keep-purchased',
    });
  });

  test('is the same fact whichever event tells of it, and in the shape of before "basil"', () => {
    const today = factOf(paid([starter]));
    expect(factOf(readOf('invoice.payment_succeeded', invoice([starter])))).toEqual(today);
    const older = olderInvoice([olderLine({ price: 'price_starter', amount: 1900 })]);
    expect(factOf(readOf('invoice.paid', older))).toEqual(today);
    const both = { ...olderLine({ price: 'price_starter', amount: 1900 }), plan: { id: 'x' } };
    expect(factOf(readOf('invoice.paid', olderInvoice([both])))).toEqual(today);
    const legacy = { ...olderLine({ amount: 1900 }), price: null, plan: { id: 'price_starter' } };
    expect(factOf(readOf('invoice.paid', olderInvoice([legacy])))).toEqual(today);
  });

  test('without a time of payment happened when the event was made', () => {
    expect(planOf([starter], { status_transitions: null }).atUs).toBe(AT * 1e6);
    expect(planOf([starter], { status_transitions: { paid_at: null } }).atUs).toBe(AT * 1e6);
  });

  test('is about its user, customer and subscription', () => {
    expect(told(paid([starter])).identity).toEqual({
      userIds: ['user_1'],
      customerId: 'cus_1',
      email: 'ada@example.com',
      subscriptionId: 'sub_1',
    });
    const older = olderInvoice([olderLine({ price: 'price_starter', amount: 1900 })]);
    expect(told(readOf('invoice.paid', older)).identity?.userIds).toEqual(['user_1']);
    const expanded = {
      customer: { id: 'cus_9', object: 'customer' },
      customer_email: '  ',
      parent: { subscription_details: { subscription: { id: 'sub_9' }, metadata: {} } },
    };
    expect(told(paid([starter], expanded)).identity).toEqual({
      userIds: [],
      customerId: 'cus_9',
      email: null,
      subscriptionId: 'sub_9',
    });
  });

  test('trusts the subscription more than the invoice about whose it is', () => {
    const metadata = { user_id: 'user_of_invoice' };
    expect(told(paid([starter], { metadata })).identity?.userIds).toEqual(['user_1']);
    const parent = { subscription_details: { subscription: 'sub_1', metadata: null } };
    expect(told(paid([starter], { metadata, parent })).identity?.userIds).toEqual([
      'user_of_invoice',
    ]);
  });

  test('links every id by which its money may be known', () => {
    const links = (fields: Json) => told(paid([starter], fields)).links;
    expect(links({})).toEqual([{ ref: 'in_1', payment: 'invoice:in_1' }]);
    const payments = {
      data: [
        { payment: { type: 'payment_intent', payment_intent: 'pi_2' } },
        { payment: { type: 'charge', charge: { id: 'ch_2' } } },
      ],
    };
    const refs = links({ payment_intent: 'pi_1', charge: 'ch_1', payments });
    expect(refs.map(({ ref }) => ref)).toEqual(['in_1', 'pi_1', 'ch_1', 'pi_2', 'ch_2']);
    expect(new Set(refs.map(({ payment }) => payment))).toEqual(new Set(['invoice:in_1']));
  });

  test.each([
    ['subscription_create', 'create'],
    ['quote_accept', 'create'],
    ['subscription_cycle', 'cycle'],
    ['subscription_update', 'update'],
    ['subscription_threshold', 'update'],
    ['manual', 'update'],
    [null, 'update'],
  ])('for %s is of the reason %s', (billing_reason, reason) => {
    expect(planOf([starter], { billing_reason }).reason).toBe(reason);
  });
});

describe('which line is the plan', () => {
  const growth = line({ price: 'price_growth', amount: 7900, quantity: 3 });
  const others: [string, Json][] = [
    ['a dearer add-on', line({ price: 'price_support', amount: 99_000 })],
    ['a yearly add-on', line({ price: 'price_support', amount: 99_000, end: AT + 365 * DAY })],
    [
      'a metered item of the period that ended',
      line({ price: 'price_calls', amount: 6000, quantity: 3000, start: AT - 30 * DAY, end: AT }),
    ],
    [
      'a pending one-off item that begins later',
      line({ price: 'price_hour', amount: 15_000, start: AT + 5, end: AT + 5, isPending: true }),
    ],
    ['a pack', line({ price: 'price_large', amount: 9000, isPending: true })],
    ['an item without a price', line({ amount: 500, isPending: true })],
  ];

  test.each(others)('not %s, whichever stands first', (_name, other) => {
    const expected = { form: 'full', quantity: 3, charge: 7900, periodEnd: AT + 30 * DAY };
    for (const lines of [
      [other, growth],
      [growth, other],
    ]) {
      const fact = planOf(lines);
      expect(fact).toMatchObject(expected);
      expect(fact.terms.plan).toBe('growth');
    }
  });

  test('the full line, after ten old prorations of plans', () => {
    const old = Array.from({ length: 5 }, (_, n) => [
      line({ price: 'price_growth', amount: 900, proration: true, start: AT + n + 1 }),
      line({ price: 'price_starter', amount: -400, proration: true, start: AT + n + 1 }),
    ]).flat();
    const fact = planOf([...old, starter]);
    expect(fact).toMatchObject({ form: 'full', periodStart: AT, charge: 1900 + 5 * 500 });
    expect(fact.terms.plan).toBe('starter');
  });

  test('of two full lines the newer period, and within one the dearer', () => {
    const arrears = line({ price: 'price_yearly', amount: 19_000, start: AT - DAY });
    expect(planOf([arrears, starter]).terms.plan).toBe('starter');
    expect(planOf([starter, line({ price: 'price_growth', amount: 7900 })]).terms.plan).toBe(
      'growth',
    );
  });

  test('a quantity that is not said is one', () => {
    expect(planOf([line({ price: 'price_starter', amount: 1900, quantity: null })]).quantity).toBe(
      1,
    );
    expect(planOf([line({ price: 'price_starter', amount: 0, quantity: 0 })])).toMatchObject({
      quantity: 0,
      form: 'full',
    });
  });
});

describe('the form of an invoice', () => {
  test('a zero line of a plan that costs something is a trial, whatever else is billed', () => {
    const zero = line({ price: 'price_starter', amount: 0 });
    const fee = line({ price: 'price_setup', amount: 4900, isPending: true });
    expect(planOf([zero], { total: 0 })).toMatchObject({ form: 'trial', charge: 0, total: 0 });
    expect(planOf([fee, zero], { total: 4900 })).toMatchObject({
      form: 'trial',
      charge: 0,
      total: 4900,
    });
  });

  test('a free plan, a coupon for all of it and a balance that pays it are no trial', () => {
    expect(planOf([line({ price: 'price_free', amount: 0 })], { total: 0 }).form).toBe('full');
    expect(planOf([starter], { total: 0 })).toMatchObject({ form: 'full', charge: 1900 });
  });

  test.each([
    ['upgrade', [-1267, 'price_starter'], [5267, 'price_growth'], 'growth', 4000],
    ['downgrade', [-5267, 'price_growth'], [1267, 'price_starter'], 'starter', -4000],
    ['switch to a free plan', [-1267, 'price_starter'], [0, 'price_free'], 'free', -1267],
  ] as const)('prorations only, %s: the plan that charges', (_, credit, charge, plan, sum) => {
    const from = line({
      price: credit[1],
      amount: credit[0],
      quantity: 4,
      proration: true,
      start: AT + DAY,
    });
    const to = line({
      price: charge[1],
      amount: charge[0],
      quantity: 2,
      proration: true,
      start: AT + DAY,
      isPending: true,
    });
    for (const lines of [
      [from, to],
      [to, from],
    ]) {
      const fact = planOf(lines, { total: sum });
      expect(fact).toMatchObject({
        form: 'proration',
        charge: sum,
        total: sum,
        quantity: 2,
        periodStart: AT + DAY,
        periodEnd: AT + 30 * DAY,
      });
      expect(fact.terms.plan).toBe(plan);
    }
  });

  test('prorations of before "basil" are prorations too', () => {
    const lines = [
      olderLine({ price: 'price_starter', amount: -1267, proration: true }),
      olderLine({ price: 'price_growth', amount: 5267, proration: true }),
    ];
    const fact = factOf(readOf('invoice.paid', olderInvoice(lines))) as PlanFact;
    expect(fact).toMatchObject({ form: 'proration', charge: 4000 });
  });

  test('of several changes the newest tells, and all of them charge', () => {
    const change = (at: number, from: string, to: string) => [
      line({ price: from, amount: -1000, proration: true, start: at }),
      line({ price: to, amount: 3000, proration: true, start: at }),
    ];
    const fact = planOf([
      ...change(AT + 2, 'price_growth', 'price_starter'),
      ...change(AT + 1, 'price_starter', 'price_growth'),
    ]);
    expect(fact).toMatchObject({ charge: 4000, periodStart: AT + 2 });
    expect(fact.terms.plan).toBe('starter');
  });

  test('of two zero prorations the one that credits nothing tells', () => {
    const old = line({ price: 'price_growth', amount: 0, proration: true, credited: true });
    const next = line({ price: 'price_starter', amount: 0, proration: true });
    expect(planOf([old, next]).terms.plan).toBe('starter');
    expect(planOf([next, old]).terms.plan).toBe('starter');
  });

  test('a proration that only gives back is a change like any other', () => {
    const unused = line({ price: 'price_growth', amount: -1267, proration: true, start: AT + DAY });
    expect(planOf([unused], { total: -1267, billing_reason: 'manual' })).toMatchObject({
      form: 'proration',
      reason: 'update',
      charge: -1267,
      total: -1267,
      periodStart: AT + DAY,
    });
  });
});

describe('an invoice without a plan', () => {
  const addOn = line({ price: 'price_support', amount: 990, proration: true });

  test('of unknown prices fails until one of them is known, and says which', () => {
    expect(paid([addOn, line({ price: 'price_seat', amount: 1 }), addOn])).toEqual({
      fail: {
        code: 'unknown_price',
        detail: expect.stringMatching(/in_1 .*price_support, price_seat/) as string,
        waitsFor: ['price_support', 'price_seat'],
      },
      identity: {
        userIds: [],
        doubtfulIds: ['user_1'],
        customerId: 'cus_1',
        email: 'ada@example.com',
        subscriptionId: 'sub_1',
      },
      isOurs: false,
    });
  });

  test("are nobody's failure where neither their metadata nor their customer is known", () => {
    const fields = { parent: { subscription_details: { subscription: 'sub_1', metadata: {} } } };
    expect(paid([addOn], fields)).toMatchObject({ isOurs: false, identity: { userIds: [] } });
  });

  test('an add-on in mid-period bills something beside the plan, once the subscription is known', () => {
    const withItems = (...prices: string[]) => {
      const data = prices.map((id) => ({ price: { id } }));
      const subscription = { id: 'sub_1', items: { data } };
      const parent = { subscription_details: { subscription, metadata: {} } };
      return invoice([addOn], { parent });
    };
    const event = eventOf('invoice.paid', invoice([addOn]));
    expect(lackOf(event, knowledge)).toEqual({ lack: 'subscription', subscriptionId: 'sub_1' });
    const ours = withItems('price_support', 'price_starter');
    expect(lackOf(eventOf('invoice.paid', ours), knowledge)).toBeNull();
    expect(readOf('invoice.paid', ours)).toEqual({ skip: 'bills something beside the plan' });
    const theirs = withItems('price_support', 'price_large');
    expect(readOf('invoice.paid', theirs)).toMatchObject({ fail: { code: 'unknown_price' } });
  });

  test('of nothing but known prices or none is skipped', () => {
    const packLine = line({ price: 'price_large', amount: 9000, isPending: true });
    const item = line({ amount: 500, isPending: true });
    expect(paid([packLine, item])).toEqual({ skip: 'bills no plan' });
    expect(paid([item])).toEqual({ skip: 'bills no plan' });
    expect(lackOf(eventOf('invoice.paid', invoice([packLine, item])), knowledge)).toBeNull();
    expect(paid([])).toEqual({ skip: 'the invoice has no lines' });
  });

  test('or of no subscription, or not paid, is skipped', () => {
    expect(paid([starter], { parent: null })).toEqual({ skip: 'not an invoice of a subscription' });
    expect(paid([starter], { status: 'open' })).toEqual({ skip: 'not paid' });
    for (const fields of [{ parent: null }, { status: 'draft' }]) {
      const lines = { data: [addOn], has_more: true };
      const event = eventOf('invoice.paid', invoice([], { ...fields, lines }));
      expect(lackOf(event, knowledge)).toBeNull();
    }
  });
});

test('an invoice with further lines lacks them, even where a plan is among the first', () => {
  const lines = { object: 'list', data: [starter], has_more: true };
  for (const type of ['invoice.paid', 'invoice.payment_succeeded'])
    expect(lackOf(eventOf(type, invoice([], { lines })), knowledge)).toEqual({
      lack: 'invoice_lines',
      invoiceId: 'in_1',
    });
  expect(lackOf(eventOf('invoice.paid', invoice([starter])), knowledge)).toBeNull();
});

test('one that is not paid lacks further lines only where none of the first is a plan', () => {
  const lackOfLines = (status: string, first: Json) => {
    const lines = { object: 'list', data: [first], has_more: true };
    return lackOf(eventOf('invoice.voided', invoice([], { status, lines })), knowledge);
  };
  for (const status of ['open', 'void', 'uncollectible']) {
    expect(lackOfLines(status, starter)).toBeNull();
    expect(lackOfLines(status, line({ price: 'price_seat', amount: 1 }))).toEqual({
      lack: 'invoice_lines',
      invoiceId: 'in_1',
    });
  }
});

test.each<[string, Json, string]>([
  ['no id', { id: null }, 'The invoice has no id.'],
  ['no total', { total: null }, 'The invoice has no total.'],
  ['a total beyond what counts', { total: 2 ** 53 }, 'The invoice has no total.'],
  [
    'a line without an amount',
    { lines: { data: [{ ...starter, amount: undefined }] } },
    'A line of the invoice has no amount.',
  ],
  [
    'a line without a period',
    { lines: { data: [{ ...starter, period: { start: AT } }] } },
    'The line of price_starter on invoice in_1 has no period.',
  ],
  [
    'a line without a start',
    { lines: { data: [{ ...starter, period: { end: AT } }] } },
    'The line of price_starter on invoice in_1 has no period.',
  ],
])('an invoice with %s cannot be read', (_name, fields, detail) => {
  expect(paid([starter], fields)).toEqual({ fail: { code: 'unreadable', detail } });
});
