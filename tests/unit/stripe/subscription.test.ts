import { describe, expect, test } from 'vitest';
import { timelineOf, type StateFact } from '../../../functions/ledger/facts.pure.ts';
import { isTie } from '../../../functions/ledger/state-order.pure.ts';
import { lackOf } from '../../../functions/stripe/read-event.pure.ts';
import { AT, DAY, DECIDED, eventOf, factOf, knowledge, readOf, told, type Json } from './shop.ts';

const END = AT + 30 * DAY;

const item = (price: string, fields: Json = {}): Json => ({
  id: `si_${price}`,
  price: { id: price, object: 'price' },
  quantity: 1,
  current_period_start: AT,
  current_period_end: END,
  ...fields,
});
const subscription = (items: Json[], fields: Json = {}): Json => ({
  id: 'sub_1',
  object: 'subscription',
  status: 'active',
  customer: 'cus_1',
  metadata: { user_id: 'user_1' },
  items: { object: 'list', data: items, has_more: false },
  cancel_at: null,
  cancel_at_period_end: false,
  trial_end: null,
  ended_at: null,
  ...fields,
});
const updated = 'customer.subscription.updated';
type Given = Parameters<typeof readOf>[2];
const stateOf = (object: Json, given: Given = {}, type = updated): StateFact =>
  factOf(readOf(type, object, given)) as StateFact;
const starter = item('price_starter');

describe('a state of a subscription', () => {
  test('is what the subscription is from the event on', () => {
    const object = subscription([starter], { trial_end: AT + 5, status: 'trialing' });
    expect(stateOf(object)).toEqual({
      kind: 'state',
      key: expect.stringMatching(/^state:sub_1:1790000000:updated:./) as string,
      atUs: AT * 1e6,
      decidedAtMs: DECIDED,
      subscription: 'sub_1',
      phase: 'updated',
      status: 'trialing',
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
      periodEnd: END,
      cancelAt: null,
      trialEnd: AT + 5,
      endedAt: null,
      customer: 'cus_1',
      graceDays: 7,
    });
  });

  test('is about its user, customer and subscription', () => {
    expect(told(readOf(updated, subscription([starter]))).identity).toEqual({
      userIds: ['user_1'],
      customerId: 'cus_1',
      email: null,
      subscriptionId: 'sub_1',
    });
    const nobody = subscription([starter], { metadata: {}, customer: { id: 'cus_2' } });
    expect(told(readOf(updated, nobody)).identity).toMatchObject({
      userIds: [],
      customerId: 'cus_2',
    });
  });

  test.each([
    ['customer.subscription.created', 'created'],
    ['customer.subscription.updated', 'updated'],
    ['customer.subscription.paused', 'updated'],
    ['customer.subscription.resumed', 'updated'],
    ['customer.subscription.pending_update_applied', 'updated'],
    ['customer.subscription.pending_update_expired', 'updated'],
    ['customer.subscription.deleted', 'deleted', 'canceled'],
    ['customer.subscription.deleted', 'deleted', 'incomplete_expired'],
    // An event that contradicts itself: its status decides.
    ['customer.subscription.deleted', 'updated', 'active'],
    ['customer.subscription.deleted', 'updated', 'past_due'],
  ])('%s: its phase is %s', (type, phase, status = 'active') => {
    const state = stateOf(subscription([starter], { status }), {}, type);
    expect(state.phase).toBe(phase);
    expect(state.key).toContain(`:${phase}:`);
  });

  test.each([2 ** 53, 1.5, -1, '3', 1e300])(
    'with the quantity %s cannot be read: nothing is counted as one piece',
    (quantity) => {
      const odd = subscription([{ ...starter, quantity }]);
      expect(readOf(updated, odd)).toHaveProperty('fail.code', 'unreadable');
    },
  );

  test.each(['cancel_at', 'trial_end', 'ended_at'])('with %s at no time cannot be read', (name) => {
    const odd = subscription([starter], { [name]: 2 ** 53 });
    expect(readOf(updated, odd)).toEqual({
      fail: { code: 'unreadable', detail: `${name} is no usable time.` },
    });
  });

  test('reads the period where it stood before "basil"', () => {
    const older = { id: 'si_1', price: { id: 'price_starter' }, quantity: 2 };
    const times = { current_period_start: AT - 1, current_period_end: END + 1 };
    expect(stateOf(subscription([older], times))).toMatchObject({
      quantity: 2,
      periodStart: AT - 1,
      periodEnd: END + 1,
    });
    const legacy = { plan: { id: 'price_growth' } };
    expect(stateOf(subscription([legacy]))).toMatchObject({
      terms: { plan: 'growth' },
      quantity: 1,
      periodStart: null,
      periodEnd: null,
    });
  });

  test('has the plan of the catalogue, whatever stands first', () => {
    const plan = item('price_growth', { quantity: 3, current_period_end: END + 7 });
    for (const first of ['price_support', 'price_calls', 'price_large'])
      expect(stateOf(subscription([item(first), plan]))).toMatchObject({
        terms: { plan: 'growth' },
        quantity: 3,
        periodEnd: END + 7,
      });
  });

  test('of two plans has the dearer, as their invoice does', () => {
    const [two, growth] = [item('price_starter', { quantity: 2 }), item('price_growth')];
    expect(stateOf(subscription([two, growth])).terms?.plan).toBe('growth');
    expect(stateOf(subscription([growth, two])).terms?.plan).toBe('growth');
    const five = item('price_starter', { quantity: 5 });
    expect(stateOf(subscription([growth, five])).terms?.plan).toBe('starter');
  });

  test('of a price that is known but no plan has no terms', () => {
    expect(stateOf(subscription([item('price_large', { quantity: 2 })]))).toMatchObject({
      terms: null,
      quantity: 2,
    });
  });

  test('ends when it says, or with its period', () => {
    const at = (fields: Json) => stateOf(subscription([starter], fields)).cancelAt;
    expect(at({ cancel_at: AT + 9 })).toBe(AT + 9);
    expect(at({ cancel_at: AT + 9, cancel_at_period_end: true })).toBe(AT + 9);
    expect(at({ cancel_at_period_end: true })).toBe(END);
    expect(at({})).toBeNull();
  });

  test('ended when it says, or when it was deleted', () => {
    const deleted = 'customer.subscription.deleted';
    expect(stateOf(subscription([starter], { ended_at: AT - 9 }), {}, deleted).endedAt).toBe(
      AT - 9,
    );
    const canceled = subscription([starter], { status: 'canceled' });
    expect(stateOf(canceled, {}, deleted).endedAt).toBe(AT);
    expect(stateOf(subscription([starter]), {}, deleted).endedAt).toBeNull();
    expect(stateOf(subscription([starter])).endedAt).toBeNull();
  });
});

describe('the key of a state', () => {
  const key = (fields: Json = {}, given: Given = {}) =>
    stateOf(subscription([starter], fields), given).key;

  test('is the same for the same content in the same second', () => {
    expect(key({}, { previous: { status: 'incomplete' } })).toBe(key());
    expect(key({ metadata: { user_id: 'user_2' } })).toBe(key());
  });

  test('is another for every other content, second or phase', () => {
    const keys = [
      key(),
      key({}, { created: AT + 1 }),
      key({ status: 'past_due' }),
      key({ cancel_at: AT }),
      key({ trial_end: AT }),
      key({ ended_at: AT }),
      stateOf(subscription([item('price_growth')])).key,
      stateOf(subscription([item('price_starter', { quantity: 2 })])).key,
      stateOf(subscription([item('price_starter', { current_period_start: AT + 1 })])).key,
      stateOf(subscription([item('price_starter', { current_period_end: AT + 1 })])).key,
      stateOf(subscription([starter], { id: 'sub_2' })).key,
      stateOf(subscription([starter]), {}, 'customer.subscription.created').key,
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('what an update says was before it', () => {
  const before = (object: Json, previous: Json) => stateOf(object, { previous }).before;
  const now = { status: 'active', priceId: 'price_starter', quantity: 1 };
  const period = { periodStart: AT, periodEnd: END, cancelAt: null, trialEnd: null };

  test('is all of the content, with the old values of what changed', () => {
    expect(before(subscription([starter]), { status: 'past_due' })).toEqual({
      ...now,
      ...period,
      status: 'past_due',
    });
    expect(before(subscription([starter]), { trial_end: AT + 3 })).toEqual({
      ...now,
      ...period,
      trialEnd: AT + 3,
    });
    expect(before(subscription([starter]), { metadata: { user_id: 'x' } })).toEqual({
      ...now,
      ...period,
    });
  });

  test('has the old price, quantity and period of the plan, whatever stands first', () => {
    const addOn = item('price_support');
    const old = item('price_growth', {
      id: 'si_price_starter',
      quantity: 4,
      current_period_start: AT - DAY,
      current_period_end: AT,
    });
    expect(before(subscription([addOn, starter]), { items: { data: [addOn, old] } })).toEqual({
      ...period,
      status: 'active',
      priceId: 'price_growth',
      quantity: 4,
      periodStart: AT - DAY,
      periodEnd: AT,
    });
  });

  test('keeps of an item what its old values do not name', () => {
    const items = { data: [{ id: 'si_price_starter', quantity: 5 }] };
    expect(before(subscription([starter]), { items })).toEqual({ ...now, ...period, quantity: 5 });
  });

  test('has no price where what was there is no plan of ours', () => {
    const items = { data: [item('price_gone', { quantity: 6 }), item('price_support')] };
    expect(before(subscription([starter]), { items })).toMatchObject({
      priceId: null,
      quantity: 6,
    });
  });

  test('has the old end, whichever way it was set', () => {
    const ending = subscription([starter], { cancel_at_period_end: true });
    expect(before(ending, { cancel_at_period_end: false })).toMatchObject({ cancelAt: null });
    expect(before(subscription([starter]), { cancel_at_period_end: true })).toMatchObject({
      cancelAt: END,
    });
    const sooner = subscription([starter], { cancel_at: AT + 9 });
    expect(before(sooner, { cancel_at: null })).toMatchObject({ cancelAt: null });
    expect(before(subscription([starter]), { cancel_at: AT + 9 })).toMatchObject({
      cancelAt: AT + 9,
    });
  });

  test('has the period of before "basil"', () => {
    const older = { id: 'si_1', price: { id: 'price_starter' }, quantity: 1 };
    const times = { current_period_start: AT, current_period_end: END };
    const previous = { current_period_start: AT - DAY, current_period_end: AT };
    expect(before(subscription([older], times), previous)).toMatchObject({
      periodStart: AT - DAY,
      periodEnd: AT,
    });
  });

  test('is nothing where an event says nothing of it', () => {
    expect(before(subscription([starter]), {})).toBeUndefined();
    expect(stateOf(subscription([starter])).before).toBeUndefined();
  });

  test('orders two updates of one second, and one that changed nothing of the content', () => {
    const active = stateOf(subscription([starter]), { previous: { status: 'incomplete' } });
    const doubled = stateOf(subscription([item('price_starter', { quantity: 2 })]), {
      previous: { items: { data: [{ id: 'si_price_starter', quantity: 1 }] } },
    });
    expect(timelineOf([doubled, active])).toEqual([active, doubled]);
    const unchanged = stateOf(subscription([starter], { status: 'incomplete' }), {
      previous: { metadata: {} },
    });
    expect(isTie(unchanged, active)).toBe(false);
    expect(timelineOf([active, unchanged])).toEqual([unchanged, active]);
  });
});

describe('a subscription that cannot be read', () => {
  test('of unknown prices waits for them, and says which', () => {
    const items = [item('price_support'), item('price_seat')];
    expect(readOf(updated, subscription(items))).toEqual({
      fail: {
        code: 'unknown_price',
        detail: expect.stringMatching(/sub_1 .*price_support, price_seat/) as string,
        waitsFor: ['price_support', 'price_seat'],
      },
      identity: {
        userIds: [],
        doubtfulIds: ['user_1'],
        customerId: 'cus_1',
        email: null,
        subscriptionId: 'sub_1',
      },
      isOurs: false,
    });
    const metadata = {};
    expect(readOf(updated, subscription(items, { metadata }))).toMatchObject({
      isOurs: false,
      identity: { userIds: [], customerId: 'cus_1', subscriptionId: 'sub_1' },
    });
  });

  test.each<[string, Json, string]>([
    ['no id', { id: '' }, 'The subscription has no id.'],
    ['no status', { status: null }, 'The subscription has no status.'],
    ['no items', { items: 7 }, 'Subscription sub_1 has no item.'],
  ])('with %s fails', (_name, fields, detail) => {
    expect(readOf(updated, subscription([starter], fields))).toEqual({
      fail: { code: 'unreadable', detail },
    });
  });

  test('lacks further items only where the plan is not among the first', () => {
    const lack = (price: string, has_more: boolean) => {
      const object = subscription([], { items: { data: [item(price)], has_more } });
      return lackOf(eventOf(updated, object), knowledge);
    };
    expect(lack('price_support', true)).toEqual({
      lack: 'subscription_items',
      subscriptionId: 'sub_1',
    });
    expect(lack('price_starter', true)).toBeNull();
    expect(lack('price_support', false)).toBeNull();
  });
});
