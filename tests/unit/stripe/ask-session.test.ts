import { expect, test } from 'vitest';
import { askSession, isToAsk } from '../../../functions/stripe/ask-session.ts';
import { tell } from '../../../functions/stripe/reading.pure.ts';
import type { Telling, Who } from '../../../functions/stripe/whose.pure.ts';
import { wired } from './wire.ts';

const identity = {
  userIds: [],
  customerId: 'cus_1',
  email: 'ada@example.com',
  subscriptionId: 'sub_1',
};
const reading = tell(identity) as Telling;
const nobody: Who = { userId: null, isPayment: false, references: [], emails: [], waitsFor: [] };
const page = (data: object[]) => ({
  body: { object: 'list', data, has_more: false, url: '/v1/checkout/sessions' },
});
const session = {
  id: 'cs_1',
  mode: 'subscription',
  client_reference_id: 'user_1',
  customer_details: { email: 'typed@example.com' },
  metadata: { user_id: 'user_2' },
};

test('the session is asked only for a subscription of ours that nothing of ours tells', () => {
  expect(isToAsk(reading, nobody)).toBe(true);
  expect(isToAsk(reading, { ...nobody, emails: ['user_1'] })).toBe(true);
  expect(isToAsk(reading, { ...nobody, isPayment: true })).toBe(false);
  expect(isToAsk(reading, { userId: 'user_1', payment: null, isChosen: true })).toBe(false);
  expect(isToAsk({ ...reading, isOurs: false }, nobody)).toBe(false);
  expect(isToAsk({ ...reading, isOurs: 'if_named' }, nobody)).toBe(false);
  expect(isToAsk({ ...reading, identity: { ...identity, subscriptionId: null } }, nobody)).toBe(
    false,
  );
  expect(isToAsk({ ...reading, identity: null }, nobody)).toBe(false);
});

test('it says what our metadata says, what the payer chose and typed', async () => {
  const { ctx, asked } = wired(() => page([session]));
  expect(await askSession(ctx, reading)).toEqual({
    ...reading,
    identity: {
      ...identity,
      userIds: ['user_2'],
      references: ['user_1'],
      email: 'typed@example.com',
    },
  });
  expect(asked).toEqual(['/v1/checkout/sessions?subscription=sub_1&limit=1']);
  const silent = wired(() => page([{ id: 'cs_1', mode: 'subscription' }]));
  expect(await askSession(silent.ctx, reading)).toMatchObject({
    identity: { email: 'ada@example.com', references: [] },
  });
});

test('sold by no session, the address is all there is; while Stripe is silent, it waits', async () => {
  expect(await askSession(wired(() => page([])).ctx, reading)).toEqual(reading);
  const down = wired(() => ({ status: 500, body: { error: { type: 'api_error' } } }));
  expect(await askSession(down.ctx, reading)).toMatchObject({
    fail: { code: 'stripe_unavailable' },
  });
  expect(down.lines).toMatchObject([{ event: 'stripe_not_asked', subscriptionId: 'sub_1' }]);
});

test('where Stripe does not know the subscription, no session sold it', async () => {
  const error = { type: 'invalid_request_error', code: 'resource_missing' };
  const unknown = wired(() => ({ status: 404, body: { error } }));
  expect(await askSession(unknown.ctx, reading)).toEqual(reading);
});
