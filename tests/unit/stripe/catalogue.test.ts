import { describe, expect, test } from 'vitest';
import { AT, readOf, told, type Json } from './shop.ts';

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
    for (const type of ['price.created', 'price.updated'])
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
        eventAt: AT,
        createdAt: AT - 900,
      });
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

  test('that was deleted leaves the catalogue', () => {
    const gone = { change: 'price_deleted', priceId: 'price_1' };
    expect(changeOf('price.deleted', { id: 'price_1', object: 'price' })).toEqual(gone);
    expect(readOf('price.deleted', {})).toEqual({ skip: 'has no id' });
    expect(readOf('price.created', price({ id: null }))).toEqual({
      fail: { code: 'unreadable', detail: 'The price has no id.' },
    });
  });
});

describe('a product', () => {
  test('has the name that people see', () => {
    for (const type of ['product.created', 'product.updated'])
      expect(changeOf(type, { id: 'prod_1', name: 'Starter' })).toEqual({
        change: 'product',
        productId: 'prod_1',
        name: 'Starter',
      });
    expect(readOf('product.updated', { id: 'prod_1', name: '' })).toEqual({ skip: 'has no name' });
    expect(readOf('product.updated', { name: 'Starter' })).toEqual({ skip: 'has no name' });
  });
});

describe('a customer', () => {
  test('belongs to the user whom its metadata names', () => {
    const customer = { id: 'cus_1', email: 'ada@example.com', metadata: { user_id: ' user_1 ' } };
    for (const type of ['customer.created', 'customer.updated'])
      expect(readOf(type, customer)).toEqual({
        identity: { userIds: ['user_1'], customerId: 'cus_1', email: null },
        isOurs: true,
        facts: [],
        links: [],
        changes: [],
        notices: [],
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
    const metadata = { user_id: 'user_1' };
    expect(readOf('customer.updated', { id: 'cus_1', deleted: true, metadata })).toEqual({
      skip: 'names no user of ours',
    });
    expect(changeOf('customer.deleted', { id: 'cus_1', metadata })).toEqual({
      change: 'customer_deleted',
      customerId: 'cus_1',
      userId: 'user_1',
    });
    expect(readOf('customer.deleted', {})).toEqual({
      fail: { code: 'unreadable', detail: 'The customer has no id.' },
    });
  });
});
