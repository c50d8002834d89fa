import { describe, expect, test } from 'vitest';
import type { PackFact } from '../../../functions/ledger/facts.pure.ts';
import { lackOf } from '../../../functions/stripe/read-event.pure.ts';
import type { EventIdentity } from '../../../functions/stripe/reading.pure.ts';
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
const payer: EventIdentity = {
  userIds: [],
  references: ['user_1'],
  customerId: 'cus_1',
  email: 'ada@example.com',
};
const packOf = (fields: Json = {}): PackFact =>
  factOf(readOf(completed, session(fields))) as PackFact;
const lines = (of: { price: string; quantity?: number }[]): Json => ({
  object: 'list',
  data: of.map(({ price, ...rest }) => ({ price: { id: price }, ...rest })),
  has_more: false,
});
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
      customer: 'cus_1',
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
      userIds: ['user_1'],
      references: ['user_2'],
      customerId: 'cus_1',
      email: 'ada@example.com',
    });
    const guest = { customer: null, client_reference_id: 'null', customer_details: null };
    expect(identity({ ...guest, metadata: { pack: 'small' } })).toEqual({
      userIds: [],
      references: [],
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
      identity: { ...payer, userIds: [] },
      isOurs: true,
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
  ])('%s fails, and says what is missing, once its lines do not tell either', (_name, metadata) => {
    const sold = session({ metadata });
    const lack = { lack: 'session_lines', sessionId: 'cs_1' };
    expect(lackOf(eventOf(completed, sold), knowledge)).toEqual(lack);
    const isLabelled = metadata?.['pack'] !== undefined;
    const isNamed = metadata?.['user_id'] !== undefined;
    const failure = (waitsFor?: string[]) => ({
      fail: {
        code: 'missing_metadata',
        detail: expect.stringContaining('cs_1 names no pack') as string,
        ...(waitsFor && { waitsFor }),
      },
      identity: { ...payer, ...(isNamed && { doubtfulIds: ['user_1'] }) },
    });
    expect(readOf(completed, sold)).toEqual({
      ...failure(),
      isOurs: isLabelled || 'if_named',
    });
    const other = session({ metadata, line_items: lines([{ price: 'price_support' }]) });
    expect(readOf(completed, other)).toEqual({
      ...failure(['price_support']),
      isOurs: isLabelled,
    });
    expect(lackOf(eventOf(completed, other), knowledge)).toBeNull();
  });

  test('the lines say what a Payment Link sold: every pack among them, in all its pieces', () => {
    const line_items = lines([
      { price: 'price_small', quantity: 2 },
      { price: 'price_support' },
      { price: 'price_large', quantity: 1 },
    ]);
    const sold = session({ metadata: {}, line_items });
    expect(factOf(readOf(completed, sold))).toMatchObject({
      pack: 'small+large',
      quantity: 3,
      credits: 4000,
      customer: 'cus_1',
    });
    expect(told(readOf(completed, sold))).toMatchObject({ identity: payer, isOurs: true });
    const payment = { lack: 'payment_time', paymentIntentId: 'pi_1' };
    expect(lackOf(eventOf(completed, sold), knowledge)).toEqual(payment);
  });

  test('a plan among the lines of a payment is no pack', () => {
    const sold = session({ metadata: {}, line_items: lines([{ price: 'price_starter' }]) });
    expect(readOf(completed, sold)).toMatchObject({
      fail: { code: 'missing_metadata' },
      isOurs: true,
    });
  });

  test('the most pieces that anybody buys count', () => {
    expect(packOf({ metadata: { pack: 'small', quantity: '99999' } }).credits).toBe(49_999_500);
  });
});

describe('a session of something else', () => {
  const empty = { links: [], changes: [], notices: [] };

  test('of mode subscription tells whose the customer is, and grants nothing', () => {
    const userId = '11111111-1111-4111-8111-111111111111';
    const ours = { mode: 'subscription', metadata: { user_id: userId } };
    const identity = { ...payer, userIds: [userId] };
    expect(readOf(completed, session(ours))).toEqual({
      identity,
      isOurs: true,
      facts: [],
      ...empty,
    });
    expect(lackOf(eventOf(completed, session(ours)), knowledge)).toBeNull();
    const guest = session({ ...ours, metadata: {}, customer: null });
    expect(told(readOf(completed, guest)).facts).toEqual([]);
  });

  test('of mode subscription asks what it sells where the id in its metadata may be another shop’s', () => {
    const sold = session({ mode: 'subscription', metadata: { user_id: '10' } });
    const lack = { lack: 'session_lines', sessionId: 'cs_1' };
    expect(lackOf(eventOf(completed, sold), knowledge)).toEqual(lack);
    const theirs = { ...sold, line_items: lines([{ price: 'price_support' }]) };
    const none = { userIds: [], doubtfulIds: ['10'] };
    expect(readOf(completed, theirs)).toMatchObject({ identity: none, isOurs: false });
    const ours = { ...sold, line_items: lines([{ price: 'price_starter' }]) };
    expect(readOf(completed, ours)).toMatchObject({ identity: { userIds: ['10'] }, isOurs: true });
  });

  test('of mode subscription without our metadata tells it as a fact, if it sells a plan of ours', () => {
    const sold = session({ mode: 'subscription', metadata: {} });
    const fact = {
      kind: 'customer',
      key: 'customer:cus_1',
      atUs: AT * 1e6,
      decidedAtMs: DECIDED,
      customer: 'cus_1',
    };
    const lack = { lack: 'session_lines', sessionId: 'cs_1' };
    expect(lackOf(eventOf(completed, sold), knowledge)).toEqual(lack);
    const reading = { identity: payer, facts: [fact], ...empty };
    expect(readOf(completed, sold)).toEqual({ ...reading, isOurs: 'if_named' });
    for (const [price, isOurs] of [
      ['price_starter', true],
      ['price_support', false],
    ] as const) {
      const known = { ...sold, line_items: lines([{ price }]) };
      expect(readOf(completed, known)).toEqual({ ...reading, isOurs });
      expect(lackOf(eventOf(completed, known), knowledge)).toBeNull();
    }
  });

  test.each(['open', 'expired'])('of mode subscription that is %s tells nothing', (status) => {
    const unfinished = session({ mode: 'subscription', metadata: {}, status });
    expect(readOf(completed, unfinished)).toEqual({ skip: 'not completed' });
  });

  test('of mode setup sells nothing, and nothing is asked about it', () => {
    const setup = session({ mode: 'setup', metadata: {} });
    expect(readOf(completed, setup)).toEqual({ skip: 'sells nothing' });
    expect(lackOf(eventOf(completed, setup), knowledge)).toBeNull();
  });

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
