import { describe, expect, test } from 'vitest';
import { lackOf } from '../../../functions/stripe/read-event.pure.ts';
import { AT, eventOf, knowledge, readOf, told, type Json } from './shop.ts';

const plan = { rowloom_kind: 'plan', rowloom_key: 'starter', rowloom_credits: '1000' };
const price = (fields: Json = {}): Json => ({
  id: 'price_1',
  object: 'price',
  active: true,
  created: AT - 900,
  currency: 'usd',
  nickname: 'Starter',
  product: 'prod_1',
  recurring: { interval: 'month' },
  unit_amount: 1900,
  metadata: { ...plan, rowloom_trial_credits: '50', rowloom_grants: 'monthly' },
  ...fields,
});
const changeOf = (type: string, object: Json) => {
  const { identity, facts, links, changes } = told(readOf(type, object));
  expect({ identity, facts, links }).toEqual({ identity: null, facts: [], links: [] });
  expect(changes).toHaveLength(1);
  return changes[0];
};

describe('a price', () => {
  test('is worth what its metadata says', () => {
    for (const [type, later] of [
      ['price.created', 0],
      ['price.updated', 250_000],
    ] as const)
      expect(changeOf(type, price())).toEqual({
        change: 'price',
        priceId: 'price_1',
        productId: 'prod_1',
        kind: 'plan',
        key: 'starter',
        name: 'Starter',
        credits: 1000,
        trialCredits: 50,
        interval: 'month',
        grantsMonthly: true,
        amountCents: 1900,
        currency: 'usd',
        active: true,
        listed: false,
        atUs: AT * 1_000_000 + later,
        isRead: false,
        createdAt: AT - 900,
        knownAs: null,
      });
  });

  test.each([
    ['true', true],
    ['false', false],
    ['TRUE', false],
    ['', false],
  ])('marked as listed "%s" is offered to everybody: %s', (rowloom_listed, listed) => {
    const marked = price({ metadata: { ...plan, rowloom_listed } });
    expect(changeOf('price.updated', marked)).toMatchObject({ listed });
  });

  test('says nothing more than it has to', () => {
    const bare = price({
      active: false,
      created: null,
      nickname: null,
      product: { id: 'prod_2' },
      recurring: null,
      metadata: { rowloom_kind: 'pack', rowloom_key: 'small', rowloom_credits: '500' },
    });
    expect(changeOf('price.created', bare)).toMatchObject({
      productId: 'prod_2',
      kind: 'pack',
      name: 'small',
      trialCredits: 0,
      interval: null,
      grantsMonthly: false,
      active: false,
      createdAt: AT,
    });
    const odd = price({
      metadata: { ...plan, rowloom_trial_credits: 'x', rowloom_grants: 'often' },
    });
    expect(changeOf('price.created', odd)).toMatchObject({ trialCredits: 0, grantsMonthly: false });
  });

  test('of a plan may be unlimited, of a pack not', () => {
    const unlimited = (rowloom_kind: string) =>
      price({ metadata: { ...plan, rowloom_kind, rowloom_credits: 'unlimited' } });
    expect(changeOf('price.created', unlimited('plan'))).toMatchObject({ credits: null });
    expect(readOf('price.created', unlimited('pack'))).toHaveProperty('fail.code', 'unreadable');
  });

  test.each<[string, Json]>([
    ['no metadata', { metadata: {} }],
    ['no key', { metadata: { ...plan, rowloom_key: '' } }],
    ['no kind', { metadata: { ...plan, rowloom_kind: undefined } }],
  ])('with %s is not ours', (_name, fields) => {
    expect(readOf('price.created', price(fields))).toEqual({ skip: 'not a price of ours' });
  });

  test.each<[string, Json]>([
    ['credits that are no number', { metadata: { ...plan, rowloom_credits: '1e3' } }],
    ['credits with a sign', { metadata: { ...plan, rowloom_credits: '-1' } }],
    ['more credits than anybody sells', { metadata: { ...plan, rowloom_credits: '1234567890' } }],
    ['no credits', { metadata: { ...plan, rowloom_credits: undefined } }],
    ['another kind', { metadata: { ...plan, rowloom_kind: 'gift' } }],
    ['no amount', { unit_amount: null }],
    ['no currency', { currency: null }],
    ['no product', { product: null }],
  ])('with %s cannot be read', (_name, fields) => {
    expect(readOf('price.updated', price(fields))).toEqual({
      fail: {
        code: 'unreadable',
        detail: 'Price price_1 has no usable amount or rowloom_ metadata.',
      },
    });
  });

  test('counts as what Stripe says that it is by now, never as older than its event', () => {
    const now = price({
      active: false,
      nickname: 'Start',
      product: { id: 'prod_1', name: 'Starter plan' },
    });
    const asked = (at: number) => price({ rowloom_now: { object: now, at, askedMs: 1_500_007 } });
    for (const [at, counts] of [
      [AT + 9, AT + 9],
      [AT - 9, AT],
    ] as const)
      expect(told(readOf('price.updated', asked(at))).changes).toMatchObject([
        { name: 'Start', active: false, atUs: counts * 1_000_000 + 500_007, isRead: true },
        { change: 'product', productId: 'prod_1', name: 'Starter plan', isRead: true },
      ]);
    const gone = price({ rowloom_now: { object: price({ metadata: {} }), at: AT + 9 } });
    expect(changeOf('price.updated', gone)).toMatchObject({ active: true, isRead: false });
  });

  test('is asked for if it is ours', () => {
    const lack = (fields: Json) => lackOf(eventOf('price.updated', price(fields)), knowledge);
    expect(lack({})).toEqual({ lack: 'price_now', priceId: 'price_1' });
    expect(lack({ metadata: {} })).toBeNull();
  });

  test.each([
    ['key', 'starter', { ...plan, rowloom_key: 'basic' }, 'plan basic and plan starter'],
    ['kind', 'small', { ...plan, rowloom_key: 'small' }, 'pack small and plan small'],
  ])('whose %s is another than what is known is noticed', (_, id, metadata, words) => {
    const renamed = price({ id: `price_${id}`, metadata });
    const { changes, notices } = told(readOf('price.updated', renamed));
    expect(changes).toMatchObject([{ key: metadata.rowloom_key }]);
    expect(changes[0]).toHaveProperty('knownAs', id === 'small' ? 'pack small' : 'plan starter');
    expect(notices).toEqual([
      {
        kind: 'renamed_price',
        subject: { type: 'price', id: `price_${id}` },
        detail: expect.stringContaining(words),
      },
    ]);
  });

  test('that was renamed since its event is noticed in the same words', () => {
    const basic = { ...plan, rowloom_key: 'basic' };
    const detailOf = (before: Json, now: Json) => {
      const asked = price({
        metadata: before,
        rowloom_now: { object: price({ metadata: now }), at: AT },
      });
      return told(readOf('price.updated', asked)).notices.map(({ detail }) => detail);
    };
    expect(detailOf(plan, plan)).toEqual([]);
    expect(detailOf(plan, basic)).toEqual([expect.stringContaining('plan basic and plan starter')]);
    expect(detailOf(basic, plan)).toEqual(detailOf(plan, basic));
  });

  test('of a plan is for one month or one year', () => {
    for (const interval_count of [1, null, undefined])
      expect(
        changeOf('price.created', price({ recurring: { interval: 'year', interval_count } })),
      ).toMatchObject({ interval: 'year' });
    expect(
      readOf('price.created', price({ recurring: { interval: 'month', interval_count: 3 } })),
    ).toHaveProperty('fail.detail', 'A plan is paid by the month or the year, not every 3 months.');
  });

  test('that was deleted leaves the catalogue, and nothing comes after it', () => {
    const gone = { change: 'price_deleted', priceId: 'price_1' };
    expect(changeOf('price.deleted', { id: 'price_1', object: 'price' })).toEqual(gone);
    expect(changeOf('price.deleted', price({ currency: null }))).toEqual(gone);
    expect(changeOf('price.deleted', price())).toMatchObject({
      change: 'price',
      key: 'starter',
      active: false,
      atUs: null,
    });
    expect(readOf('price.deleted', {})).toEqual({ skip: 'has no id' });
    expect(readOf('price.created', price({ id: null }))).toEqual({
      fail: { code: 'unreadable', detail: 'The price has no id.' },
    });
  });
});

describe('a product', () => {
  const named = (fields: Json = {}): Json => ({
    id: 'prod_1',
    name: 'Starter',
    metadata: { rowloom_kind: 'plan' },
    ...fields,
  });

  test('has the name that people see', () => {
    for (const [type, later] of [
      ['product.created', 0],
      ['product.updated', 250_000],
    ] as const)
      expect(changeOf(type, named())).toEqual({
        change: 'product',
        productId: 'prod_1',
        name: 'Starter',
        atUs: AT * 1_000_000 + later,
        isRead: false,
      });
    const asked = named({ rowloom_now: { object: named({ name: 'Start' }), at: AT + 1 } });
    expect(changeOf('product.updated', asked)).toMatchObject({
      name: 'Start',
      atUs: (AT + 1) * 1_000_000 + 500_000,
      isRead: true,
    });
    expect(readOf('product.updated', named({ name: '' }))).toEqual({ skip: 'has no name' });
    expect(readOf('product.updated', named({ id: null }))).toEqual({ skip: 'has no name' });
  });

  test('is ours by its metadata or by a price of ours', () => {
    const lack = (object: Json) => lackOf(eventOf('product.updated', object), knowledge);
    expect(lack(named())).toEqual({ lack: 'product_now', productId: 'prod_1' });
    const other = named({ metadata: { kind: 'plan' } });
    expect(readOf('product.updated', other)).toEqual({ skip: 'not a product of ours' });
    expect(lack(other)).toBeNull();
    const partly = named({ metadata: { kind: 'plan', rowloom_key: 'starter' } });
    expect(changeOf('product.updated', partly)).toMatchObject({ productId: 'prod_1' });
    const known = { ...other, id: 'product_starter' };
    expect(changeOf('product.updated', known)).toMatchObject({ name: 'Starter' });
    expect(lack(known)).toEqual({ lack: 'product_now', productId: 'product_starter' });
  });
});

describe('a customer', () => {
  test('belongs to the user whom its metadata names', () => {
    const user = '11111111-1111-4111-8111-111111111111';
    const customer = { id: 'cus_1', email: 'ada@example.com', metadata: { user_id: ` ${user} ` } };
    for (const type of ['customer.created', 'customer.updated'])
      expect(readOf(type, customer)).toEqual({
        identity: { userIds: [user], customerId: 'cus_1', email: null },
        isOurs: true,
        facts: [],
        links: [],
        changes: [],
        notices: [],
      });
  });

  test('whose metadata names no id of ours may be another shop’s', () => {
    const customer = { id: 'cus_1', metadata: { user_id: '10' } };
    expect(readOf('customer.created', customer)).toMatchObject({
      identity: { userIds: [], doubtfulIds: ['10'] },
      isOurs: false,
    });
  });

  test.each(['', '  ', 'null', 'Undefined', 'none', 'NaN', '[object Object]', '<user>', '{{id}}'])(
    'whose metadata names "%s" belongs to nobody',
    (user_id) => {
      expect(readOf('customer.created', { id: 'cus_1', metadata: { user_id } })).toEqual({
        skip: 'names no user of ours',
      });
    },
  );

  test('that is gone belongs to nobody any more', () => {
    const metadata = { user_id: '11111111-1111-4111-8111-111111111111' };
    expect(readOf('customer.updated', { id: 'cus_1', deleted: true, metadata })).toEqual({
      skip: 'names no user of ours',
    });
    expect(changeOf('customer.deleted', { id: 'cus_1', metadata })).toEqual({
      change: 'customer_deleted',
      customerId: 'cus_1',
      userId: metadata.user_id,
    });
    expect(readOf('customer.deleted', {})).toEqual({
      fail: { code: 'unreadable', detail: 'The customer has no id.' },
    });
  });
});
