import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Route } from '../../local/stripe/core/route.ts';
import { routes } from '../../local/stripe/routes.ts';
import { startCheckedStripe } from '../support/checked-stripe.ts';
import {
  validateAnswer,
  validateEvent,
  validateObject,
  validateParams,
  validateRefusal,
} from '../support/stripe-description/index.ts';
import { kinds } from '../support/stripe-description/kinds.ts';
import { operationOf } from '../support/stripe-description/operations.ts';
import { sdk } from './stripe-client.ts';

type Json = Record<string, unknown>;
const read = (file: string): Record<string, Json> =>
  JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Record<string, Json>;
const { objects: examples } = read('../support/stripe-description/examples.json');
const templates = read('../../local/stripe/objects.json');

const make = (kind: string, extra: Json = {}): Json => ({ ...templates[kind], ...extra });
const without = (thing: Json | undefined, name: string): Json =>
  Object.fromEntries(Object.entries(thing ?? {}).filter(([key]) => key !== name));
const page = (...data: Json[]): Json => ({ object: 'list', data, has_more: false, url: '/v1/x' });
const event = (type: string, data: Json, extra: Json = {}): Json =>
  make('event', { type, data, ...extra });

describe('every kind of object', () => {
  it.each(Object.keys(kinds).filter((kind) => kind !== 'event'))('%s has a schema', (kind) => {
    const problems = validateObject({ object: kind, unheard_of: 1 });
    expect(problems).toContain(`${kind}.unheard_of: unexpected property`);
    expect(problems).toContain(`${kind}.id: missing`);
  });

  it('is refused when Stripe has no such kind', () => {
    expect(validateObject({ object: 'sheep' })).toEqual(['sheep: unknown kind of object']);
  });
});

describe('an object', () => {
  it.each([
    ['a missing property', without(make('invoice'), 'amount_paid'), 'invoice.amount_paid: missing'],
    ['one too many', make('invoice', { paid: true }), 'invoice.paid: unexpected property'],
    ['a wrong type', make('price', { active: 'yes' }), 'price.active: "yes" is no boolean'],
    ['null where none may be', make('customer', { created: null }), 'customer.created: null is no'],
    [
      'an unknown status',
      make('subscription', { status: 'activ' }),
      'subscription.status: "activ"',
    ],
    [
      'something deep in it',
      make('subscription', {
        items: page(make('subscription_item', { price: make('price', { x: 1 }) })),
      }),
      'subscription.items.data[0].price.x: unexpected property',
    ],
    [
      'text in metadata that is none',
      make('product', { metadata: { a: 1 } }),
      'product.metadata.a: 1 is',
    ],
    ['an item of a list', page(make('price', { type: 'gift' })), 'price.type: "gift" is not'],
    ['a list itself', { ...page(), total: 1 }, 'list.total: unexpected property'],
    [
      'an expanded reference',
      make('price', { product: make('product', { x: 1 }) }),
      'price.product.x: unexpected property',
    ],
    [
      'the stub of a deleted one',
      { id: 'a', object: 'customer', deleted: true, x: 1 },
      'customer.x:',
    ],
  ])('is refused for %s', (_, thing, problem) => {
    expect(validateObject(thing).find((each) => each.startsWith(problem))).toBeDefined();
  });

  it.each([
    ['as Stripe makes it', make('invoice')],
    ['expanded', make('price', { product: make('product') })],
    [
      'with a deleted one in it',
      make('price', { product: { id: 'a', object: 'product', deleted: true } }),
    ],
    ['deleted', { id: 'a', object: 'customer', deleted: true }],
    ['in a list', page(make('price'), make('product'))],
  ])('is right %s', (_, thing) => {
    expect(validateObject(thing)).toEqual([]);
  });
});

describe("Stripe's own example", () => {
  it.each(Object.entries(examples ?? {}))('of a %s is right', (kind, example) => {
    expect(validateObject(example)).toEqual([]);
    expect(example).toMatchObject({ object: kind });
  });
});

describe('an event', () => {
  const updated = (previous: Json, object = make('subscription'), extra: Json = {}) =>
    validateEvent(
      event('customer.subscription.updated', { object, previous_attributes: previous }, extra),
    );

  it('may say what parts of the object were before', () => {
    expect(updated({ status: 'past_due', cancellation_details: { comment: null } })).toEqual([]);
    expect(updated({ trial_end: null, metadata: { plan: null } })).toEqual([]);
    expect(updated({ items: { data: [] } })).toEqual([]);
  });

  it.each<[string, string[], string]>([
    [
      'a name before that it has not',
      updated({ state: 'x' }),
      'previous_attributes.state: unexpected',
    ],
    ['half an item before', updated({ items: { data: [{}] } }), 'items.data[0].id: missing'],
    [
      'an expanded reference',
      updated({}, make('subscription', { customer: {} })),
      'object.customer:',
    ],
    ['an object of another kind', updated({}, make('invoice')), 'object.object: "invoice" is not'],
    [
      'no envelope',
      updated({}, make('subscription'), { request: undefined, livemode: 1 }),
      '.livemode:',
    ],
    ['a type that Stripe has not', validateEvent(event('invoice.eaten', {})), 'no invoice.eaten'],
  ])('is refused for %s', (_, problems, problem) => {
    expect(problems.find((each) => each.includes(problem))).toBeDefined();
  });
});

describe('a request', () => {
  it('exists for every route of the stand-in', () => {
    const unknown = routes.filter(({ method, path }) => !operationOf(method, path));
    expect(unknown.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  it.each<[string, Json, string[]]>([
    [
      'POST /v1/subscriptions/sub_1',
      { items: { 0: { id: 'a', quantity: '2' } }, trial_end: 'now' },
      [],
    ],
    [
      'POST /v1/subscriptions/sub_1',
      { cancel_at: '', metadata: { a: 'b' }, expand: { 0: 'x' } },
      [],
    ],
    ['GET /v1/prices', { lookup_keys: { 0: 'a' }, limit: '100', created: { gte: '5' } }, []],
    ['POST /v1/subscriptions/sub_1', { cancel: 'true' }, ['.cancel: unexpected property']],
    [
      'POST /v1/subscriptions/sub_1',
      { items: { 0: { x: '1' } } },
      ['.items[0].x: unexpected property'],
    ],
    ['POST /v1/subscriptions/sub_1', { off_session: 'yes' }, ['.off_session: "yes" is not']],
    [
      'POST /v1/subscriptions/sub_1',
      { proration_behavior: 'some' },
      ['.proration_behavior: "some"'],
    ],
    ['POST /v1/checkout/sessions', { quantity: '1' }, ['.quantity: unexpected property']],
    ['GET /v1/prices', { limit: 'all' }, ['.limit: "all" fits none of']],
    ['POST /v1/sheep', {}, ['Stripe has no such operation']],
  ])('%s with %j', (request, params, problems) => {
    const [method = '', path = ''] = request.split(' ');
    const found = validateParams({ method, path, params });
    expect(found).toHaveLength(problems.length);
    for (const [index, problem] of problems.entries()) expect(found[index]).toContain(problem);
  });

  it('is answered with what it is declared to answer', () => {
    const one = { method: 'GET', path: '/v1/prices/price_1' };
    const list = { method: 'GET', path: '/v1/prices' };
    expect(validateAnswer(one, make('price'))).toEqual([]);
    expect(validateAnswer(list, page(make('price')))).toEqual([]);
    expect(validateAnswer(list, make('price'))).not.toEqual([]);
    expect(validateAnswer(one, make('product'))).not.toEqual([]);
  });

  it('is answered with ids, unless it asks to expand them', () => {
    const request = { method: 'GET', path: '/v1/prices/price_1' };
    const price = make('price', { product: make('product') });
    expect(validateAnswer({ ...request, params: { expand: { 0: 'product' } } }, price)).toEqual([]);
    expect(validateAnswer(request, price)).toHaveLength(1);
  });

  it('is refused in the form of an error', () => {
    const error = { type: 'invalid_request_error', message: 'No.', code: 'resource_missing' };
    expect(validateRefusal({ error })).toEqual([]);
    expect(validateRefusal({ error: { ...error, type: 'bad_request' } })).toHaveLength(1);
    expect(validateRefusal({ error: { ...error, code: 'not_found' } })).toHaveLength(1);
    expect(validateRefusal({ error: { ...error, reason: 'x' } })).toHaveLength(1);
    expect(validateRefusal(error)).not.toEqual([]);
  });
});

it('a stand-in that says what Stripe would not fails when it is closed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stripe-'));
  const statePath = join(directory, 'state.json');
  const first = await startCheckedStripe({ statePath });
  const { id } = await sdk(first.port, first.secretKey).products.create({ name: 'Starter' });
  await first.close();

  const state = readFileSync(statePath, 'utf8');
  writeFileSync(statePath, state.replaceAll('"name":"Starter"', '"name":"Starter","sheep":1'));
  const second = await startCheckedStripe({ statePath });
  await sdk(second.port, second.secretKey).products.retrieve(id);
  await expect(second.close()).rejects.toThrow('GET /v1/products/:id.sheep: unexpected property');
  await rm(directory, { recursive: true });
});

describe('the parameters that the stand-in takes', () => {
  type Rules = Route['rules'];
  const pathsOf = (rules: Rules): string[][] =>
    Object.entries(rules).flatMap(([name, { inner }]) => [
      [name],
      ...pathsOf(inner ?? {}).map((path) => [name, ...path]),
    ]);
  const nest = (path: string[]): Json =>
    path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), 'x') as Json;

  it.each(routes.map((route): [string, Route] => [`${route.method} ${route.path}`, route]))(
    '%s are all known to Stripe',
    (_, { method, path, rules }) => {
      for (const parts of pathsOf(rules))
        expect(
          validateParams({ method, path, params: nest(parts) }).filter((each) =>
            each.endsWith(`.${parts.at(-1)}: unexpected property`),
          ),
        ).toEqual([]);
    },
  );
});
