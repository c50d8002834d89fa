import { describe, expect, test } from 'vitest';
import {
  eventTypes,
  isPriced,
  isTelling,
  lackOf,
  objectIdOf,
  read,
  readEvent,
} from '../../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../../functions/stripe/reading.pure.ts';
import { badBodies, event, stories } from '../../support/stripe-stories/index.ts';
import { AT, eventOf, invoice, knowledge, knowledgeOf, line, readOf, told } from './shop.ts';

const starter = line({ price: 'price_starter', amount: 1900 });

describe('an envelope', () => {
  test('has an id, a type, a time and the version that its object is written in', () => {
    const payload = event('invoice.paid', { id: 'in_1' }, { id: 'evt_1', created: AT });
    expect(readEvent(payload)).toEqual({
      id: 'evt_1',
      type: 'invoice.paid',
      created: AT,
      apiVersion: '2026-10-28.endive',
      payload,
    });
    expect(readEvent({ ...payload, api_version: null })).toHaveProperty('apiVersion', null);
  });

  test.each([
    ['no id', { id: undefined }],
    ['a number for its id', { id: 1 }],
    ['an empty id', { id: '' }],
    ['no type', { type: undefined }],
  ])('with %s is none', (_name, fields) => {
    expect(readEvent({ ...event('invoice.paid', {}), ...fields })).toBeUndefined();
  });

  test.each([undefined, null, 'soon', AT + 0.5, -1, 2 ** 53, {}])(
    'created at %j is one, as old as its receipt, and cannot be read',
    (created) => {
      const payload = { ...event('invoice.paid', invoice([starter])), created };
      const told = readEvent(payload, AT) as StripeEvent;
      expect(told).toMatchObject({ created: AT, flaw: expect.any(String) as string });
      expect(read(told, knowledge)).toHaveProperty('fail.code', 'unreadable');
      expect(lackOf(told, knowledge)).toBeNull();
      expect(read({ ...told, type: 'product.deleted' }, knowledge)).toHaveProperty('skip');
      expect(read({ ...told, type: 'charge.captured' }, knowledge)).toHaveProperty('skip');
    },
  );

  test('of a thin event names its object beside it, says when in ISO 8601, and is skipped', () => {
    const related_object = { id: 'acct_1', type: 'v2.core.account' };
    const thin = { object: 'v2.core.event', created: '2026-09-21T13:33:20.900Z', related_object };
    for (const type of ['v2.core.account.updated', 'invoice.paid']) {
      const told = readEvent({ id: 'evt_1', type, ...thin }) as StripeEvent;
      expect(told).toMatchObject({ created: 1_789_997_600 });
      expect(told.flaw).toBeUndefined();
      expect(objectIdOf(told)).toBe('acct_1');
      expect(read(told, knowledge)).toEqual({ skip: 'a thin event, which we do not read' });
    }
  });

  test.each([undefined, null, 'evt_1', 7, [[]]])('%j is none', (payload) => {
    expect(readEvent(payload)).toBeUndefined();
  });
});

describe('an event', () => {
  test.each(['charge.succeeded', 'constructor', '__proto__', 'radar.review.opened'])(
    'of the type %s is skipped',
    (type) => {
      expect(readOf(type, { id: 'x' })).toEqual({
        skip: 'not an event that changes anything here',
      });
      expect(isTelling(type)).toBe(false);
      expect(lackOf(eventOf(type, { id: 'x' }), knowledge)).toBeNull();
    },
  );

  // What they mean comes with the events of the objects that they are about.
  test.each([
    'checkout.session.async_payment_failed',
    'checkout.session.expired',
    'customer.subscription.trial_will_end',
    'subscription_schedule.updated',
    'product.deleted',
  ])('of the type %s is not subscribed to', (type) => {
    expect(eventTypes).not.toContain(type);
    expect(isTelling(type)).toBe(false);
  });

  test('of every type that we subscribe to says something of its object', () => {
    expect(eventTypes).toContain('radar.early_fraud_warning.created');
    for (const type of eventTypes) {
      expect(isTelling(type)).toBe(true);
      expect(readOf(type, {})).not.toEqual({ skip: 'not an event that changes anything here' });
    }
  });

  test('depends on the catalogue unless it says what a price is', () => {
    const priced = eventTypes.filter((type) => isPriced(eventOf(type, {})));
    const prefixes = new Set(priced.map((type) => type.split('.')[0]));
    expect(prefixes).toEqual(
      new Set([
        'checkout',
        'credit_note',
        'customer',
        'invoice',
        'charge',
        'refund',
        'product',
        'radar',
      ]),
    );
    for (const type of ['refund.created', 'charge.refunded', 'charge.dispute.closed'])
      expect(priced).toContain(type);
    for (const type of ['customer.created', 'price.updated', 'charge.captured'])
      expect(priced).not.toContain(type);
  });

  test('of a connected account is not ours, and nothing is asked for it', () => {
    const lines = { data: [starter], has_more: true };
    const payload = event('invoice.paid', invoice([], { lines }), { account: 'acct_1' });
    const elsewhere = readEvent(payload) as StripeEvent;
    expect(read(elsewhere, knowledge)).toEqual({ skip: 'of a connected account' });
    expect(lackOf(elsewhere, knowledge)).toBeNull();
  });

  test.each([-1, 9_007_199_255, 253_402_300_800])(
    'created at %i has no time for facts',
    (created) => {
      expect(readOf('invoice.paid', invoice([starter]), { created })).toEqual({
        fail: {
          code: 'unreadable',
          detail: 'The event was created at no time that a fact can have.',
        },
      });
    },
  );

  test('created in the last second that counts is read', () => {
    const created = 9_007_199_254;
    const fields = { status_transitions: null };
    const reading = readOf('invoice.paid', invoice([starter], fields), { created });
    expect(told(reading).facts[0]?.atUs).toBe(9_007_199_254_000_000);
  });
});

describe('what no reader expects', () => {
  const objects = [
    null,
    'in_1',
    7,
    [],
    {},
    { id: 'x' },
    { id: 'x', lines: 7, items: 'y', refunds: [7] },
  ];

  test.each(eventTypes)('%s of any shape comes to a word, not to an error', (type) => {
    for (const object of objects)
      for (const data of [{ object }, { object, previous_attributes: 7 }, object]) {
        const odd = { id: 'evt_1', type, created: AT, apiVersion: null, payload: { data } };
        expect(() => [read(odd, knowledge), lackOf(odd, knowledge)]).not.toThrow();
      }
  });

  test('a mistake of ours is kept as one, without its words', () => {
    const odd = eventOf('invoice.paid', invoice([starter]));
    const broken = { ...knowledge, prices: { get: () => JSON.parse('{') as never } as never };
    expect(read(odd, broken)).toEqual({ fail: { code: 'unreadable', detail: 'SyntaxError' } });
    const thrower = { get: () => Promise.reject.call(null) as never } as never;
    expect(read(odd, { ...knowledge, prices: thrower })).toHaveProperty('fail.code', 'unreadable');
    expect(lackOf(odd, { ...knowledge, prices: thrower })).toBeNull();
  });

  const story = stories['fraudWarning']?.({ tag: 'bad', userId: 'user_1' });
  const pack = story?.events.find(({ type }) => type === 'checkout.session.completed');
  const bodies = Object.entries(badBodies(pack as Parameters<typeof badBodies>[0])).filter(
    ([name]) => !['no JSON', 'nothing'].includes(name),
  );

  test.each(bodies)('%s grants nothing under a key that Postgres refuses', (name, body) => {
    const odd = readEvent(JSON.parse(body));
    if (!odd) return expect(name).toMatch(/^(no|null|a list|created|an id|a number)/);
    const reading = read(odd, story ? knowledgeOf(story) : knowledge);
    const facts = 'facts' in reading ? reading.facts : [];
    expect(JSON.stringify(facts)).not.toMatch(/\\u0000|\\ud[89a-f]/i);
    // Of two the sale is whole: its buyer stands in `client_reference_id`, and 2^31 is an amount.
    const isSale = ['NUL in metadata', 'an amount beyond 2^31'].includes(name);
    expect(facts).toHaveLength(isSale ? 1 : 0);
  });

  test.each(['a\0b', 'a\uD800b', '\uDC00', '\0'])('%j names nobody and nothing', (text) => {
    const metadata = { user_id: text, pack: 'small', price_id: text };
    const session = {
      id: 'cs_1',
      mode: 'payment',
      payment_status: 'paid',
      customer: text,
      payment_intent: text,
      client_reference_id: 'user_2',
      customer_details: { email: text },
      metadata,
    };
    const reading = told(readOf('checkout.session.completed', session));
    expect(reading.identity).toEqual({
      userIds: [],
      references: ['user_2'],
      customerId: null,
      email: null,
    });
    expect(reading.links).toEqual([{ ref: 'cs_1', payment: 'session:cs_1' }]);
    expect(readOf('checkout.session.completed', { ...session, id: text })).toEqual({
      fail: { code: 'unreadable', detail: 'The checkout session has no id.' },
    });
  });
});
