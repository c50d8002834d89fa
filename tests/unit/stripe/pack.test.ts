import { describe, expect, test } from 'vitest';
import type { PackFact } from '../../../functions/ledger/facts.pure.ts';
import { lackOf } from '../../../functions/stripe/read-event.pure.ts';
import { AT, DECIDED, eventOf, factOf, knowledge, readOf, told, type Json } from './shop.ts';

const completed = 'checkout.session.completed';
const ours = { user_id: 'user_1', pack: 'small', quantity: '2' };
const session = (fields: Json = {}): Json => ({
  id: 'cs_1',
  object: 'checkout.session',
  created: AT - 9000,
  mode: 'payment',
  payment_status: 'paid',
  customer: 'cus_1',
  client_reference_id: 'user_1',
  customer_details: { email: 'ada@example.com' },
  customer_email: 'typed@example.com',
  metadata: ours,
  amount_total: 3000,
  payment_intent: 'pi_1',
  invoice: null,
  ...fields,
});
const packOf = (fields: Json = {}): PackFact =>
  factOf(readOf(completed, session(fields))) as PackFact;
const intent = (charge: unknown): Json => ({ id: 'pi_1', latest_charge: charge });
const entry = (created: unknown): Json => ({
  id: 'ch_1',
  created: AT - 500,
  balance_transaction: created === null ? null : { id: 'txn_1', created },
});

describe('a paid session of packs', () => {
  test('is one fact, whichever event tells of it', () => {
    const fact = packOf();
    expect(fact).toEqual({
      kind: 'pack',
      key: 'session:cs_1',
      atUs: AT * 1e6,
      decidedAtMs: DECIDED,
      session: 'cs_1',
      pack: 'small',
      quantity: 2,
      credits: 1000,
      total: 3000,
    });
    expect(factOf(readOf('checkout.session.async_payment_succeeded', session()))).toEqual(fact);
  });

  test('happened when its money moved, not when the session or the bank began', () => {
    expect(packOf({ payment_intent: intent(entry(AT - 20)) }).atUs).toBe((AT - 20) * 1e6);
    expect(packOf({ payment_intent: intent(entry(null)) }).atUs).toBe((AT - 500) * 1e6);
    expect(packOf({ payment_intent: intent(null) }).atUs).toBe(AT * 1e6);
  });

  test('by a coupon for all of it is paid, at the time of its event', () => {
    const fields = { payment_status: 'no_payment_required', payment_intent: null, amount_total: 0 };
    expect(packOf(fields)).toMatchObject({ credits: 1000, total: 0, atUs: AT * 1e6 });
    expect(packOf({ ...fields, amount_total: null }).total).toBe(0);
  });

  test('links every id by which its money may be known', () => {
    const fields = { payment_intent: intent(entry(AT)), invoice: { id: 'in_7' } };
    expect(told(readOf(completed, session(fields))).links).toEqual(
      ['cs_1', 'pi_1', 'ch_1', 'in_7'].map((ref) => ({ ref, payment: 'session:cs_1' })),
    );
  });

  test('is about whom our metadata names first', () => {
    const identity = (fields: Json) => told(readOf(completed, session(fields))).identity;
    expect(identity({ client_reference_id: 'user_2' })).toEqual({
      userIds: ['user_1', 'user_2'],
      customerId: 'cus_1',
      email: 'ada@example.com',
    });
    const guest = { customer: null, client_reference_id: 'null', customer_details: null };
    expect(identity({ ...guest, metadata: { pack: 'small' } })).toEqual({
      userIds: [],
      customerId: null,
      email: 'typed@example.com',
    });
    expect(identity({ ...guest, customer_email: null })).toMatchObject({ email: null });
  });
});

describe('what a pack is worth', () => {
  test('its price says where the session names one, else the price on sale', () => {
    const of = (price_id: string, pack = 'small') =>
      packOf({ metadata: { ...ours, pack, price_id } });
    expect(of('price_small_before')).toMatchObject({ credits: 800, pack: 'small' });
    expect(of('price_large')).toMatchObject({ credits: 6000, pack: 'large' });
    expect(of('price_gone')).toMatchObject({ credits: 1000, pack: 'small' });
    expect(of('price_starter')).toMatchObject({ credits: 1000, pack: 'small' });
    expect(packOf({ metadata: { pack: 'large' } })).toMatchObject({ credits: 3000, quantity: 1 });
  });

  test.each([
    ['gone', 'price_gone', ['price_gone', 'pack:gone']],
    ['starter', undefined, ['pack:starter']],
  ])('the pack %s, which nobody knows, is waited for', (pack, price_id, waitsFor) => {
    expect(readOf(completed, session({ metadata: { pack, price_id } }))).toEqual({
      fail: {
        code: 'unknown_price',
        detail: expect.stringContaining(`cs_1 sold the pack ${pack}`) as string,
        waitsFor,
      },
    });
  });

  test.each<[string, Json | null]>([
    ['no metadata', null],
    ['no pack', { user_id: 'user_1' }],
    ['an empty template as its pack', { pack: '{{pack}}' }],
    ['no pieces', { pack: 'small', quantity: '0' }],
    ['a part of a piece', { pack: 'small', quantity: '1.5' }],
    ['no number of pieces', { pack: 'small', quantity: 'two' }],
    ['a number with more behind it', { pack: 'small', quantity: '2x' }],
    ['a number with more before it', { pack: 'small', quantity: '-2' }],
    ['no text as quantity', { pack: 'small', quantity: 2 }],
    ['an empty quantity', { pack: 'small', quantity: '' }],
    ['more pieces than anybody buys', { pack: 'small', quantity: '100000' }],
  ])('%s fails, and says what is missing', (_name, metadata) => {
    expect(readOf(completed, session({ metadata }))).toEqual({
      fail: {
        code: 'missing_metadata',
        detail: expect.stringContaining('cs_1 names no pack') as string,
      },
    });
    expect(lackOf(eventOf(completed, session({ metadata })), knowledge)).toBeNull();
  });

  test('the most pieces that anybody buys count', () => {
    expect(packOf({ metadata: { pack: 'small', quantity: '99999' } }).credits).toBe(49_999_500);
  });
});

describe('a session of something else', () => {
  test.each(['subscription', 'setup'])(
    'of mode %s links the customer and grants nothing',
    (mode) => {
      expect(readOf(completed, session({ mode, metadata: {} }))).toEqual({
        identity: { userIds: ['user_1'], customerId: 'cus_1', email: 'ada@example.com' },
        facts: [],
        links: [],
        changes: [],
      });
      expect(lackOf(eventOf(completed, session({ mode })), knowledge)).toBeNull();
    },
  );

  test('that is not paid yet is skipped', () => {
    const unpaid = session({ payment_status: 'unpaid' });
    expect(readOf(completed, unpaid)).toEqual({ skip: 'not paid yet' });
    expect(lackOf(eventOf(completed, unpaid), knowledge)).toBeNull();
  });

  test.each<[string, Json, string]>([
    ['no id', { id: undefined }, 'The checkout session has no id.'],
    ['a negative total', { amount_total: -1 }, 'The checkout session has no usable amount_total.'],
    [
      'a total beyond what counts',
      { amount_total: 2 ** 53 },
      'The checkout session has no usable amount_total.',
    ],
  ])('with %s cannot be read', (_name, fields, detail) => {
    expect(readOf(completed, session(fields))).toEqual({ fail: { code: 'unreadable', detail } });
  });
});

describe('the time of a payment', () => {
  const lack = (payment_intent: unknown, type = completed) =>
    lackOf(eventOf(type, session({ payment_intent })), knowledge);

  test('is asked for where the session has only an id of it', () => {
    const payment = { lack: 'payment_time', paymentIntentId: 'pi_1' };
    expect(lack('pi_1')).toEqual(payment);
    expect(lack('pi_1', 'checkout.session.async_payment_succeeded')).toEqual(payment);
    expect(lack(intent('ch_1'))).toEqual(payment);
    expect(lack(intent({ ...entry(AT), balance_transaction: 'txn_1' }))).toEqual(payment);
  });

  test('is not asked for where it is known, or where nothing was paid', () => {
    for (const known of [null, intent(null), intent(entry(null)), intent(entry(AT))])
      expect(lack(known)).toBeNull();
  });
});
