import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../local/support/faults.ts';
import {
  cancelAtPeriodEnd,
  cancelNow,
  resumeSubscription,
} from '../../functions/billing/cancel-subscription.ts';
import { changePlan } from '../../functions/billing/change-plan.ts';
import { createCheckout } from '../../functions/billing/create-checkout.ts';
import { listInvoices } from '../../functions/billing/list-invoices.ts';
import { openPortal } from '../../functions/billing/open-portal.ts';
import type { Ctx } from '../../functions/context.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { BillingShop, refusal } from './billing-shop.ts';

let shop: BillingShop;
beforeAll(async () => {
  shop = await BillingShop.open();
});
afterAll(async () => {
  await assertBooksHold(shop.database.pool);
  await shop.close();
});

type Who = { userId: string; subscriptionId: string };
type Call = {
  name: string;
  /** What the call looks like to the stand-in. */
  match: string;
  before: () => Promise<Who>;
  act: (ctx: Ctx, who: Who) => Promise<unknown>;
  /** That it was done once, in the end. */
  done: (who: Who) => Promise<void>;
};

const nobodyYet = async (): Promise<Who> => ({ userId: await shop.signUp(), subscriptionId: '' });
const starter = () => shop.subscribe('starter');
const change =
  (plan: string, when: 'now' | 'period_end' = 'now') =>
  (ctx: Ctx, { userId }: Who) =>
    changePlan(ctx, { userId, plan, when });

const atStripe = ({ subscriptionId }: Who) =>
  shop.stripe.subscriptions.retrieve(subscriptionId, { expand: ['schedule'] });
const isOn = (plan: string, invoices: number) => async (who: Who) => {
  expect((await atStripe(who)).items.data[0]?.price.id).toBe(shop.priceOf(plan));
  const { data } = await shop.stripe.invoices.list({ subscription: who.subscriptionId });
  expect(data).toHaveLength(invoices);
  expect((await shop.shown(who.userId))?.plan).toBe(plan);
};
const hasOneCustomer = async ({ userId }: Who) => {
  const { data } = await shop.stripe.customers.list({ limit: 100 });
  const mine = data.filter(({ metadata }) => metadata['user_id'] === userId);
  expect(mine.map(({ id }) => id)).toEqual([await shop.customerOf(userId)]);
};
const planned = async (who: Who) => {
  const { schedule } = await atStripe(who);
  expect(typeof schedule === 'object' && schedule?.phases).toHaveLength(2);
  const customer = (await shop.customerOf(who.userId)) ?? '';
  const { data } = await shop.stripe.subscriptionSchedules.list({ customer });
  expect(data).toHaveLength(1);
};

/** An upgrade to growth that waits for its payment. */
const unpaid = async (): Promise<Who> => {
  const who = await starter();
  await shop.setCard(who.userId, 'decline');
  expect((await refusal(change('growth')(shop.ctx, who))).code).toBe('payment_failed');
  await shop.setCard(who.userId, 'ok');
  return who;
};

const calls: Call[] = [
  {
    name: 'checkout: the customer',
    match: 'POST /v1/customers',
    before: nobodyYet,
    act: (ctx, { userId }) => createCheckout(ctx, { userId, item: { plan: 'starter' } }),
    done: hasOneCustomer,
  },
  {
    name: 'checkout: the session',
    match: 'POST /v1/checkout/sessions',
    before: nobodyYet,
    act: (ctx, { userId }) => createCheckout(ctx, { userId, item: { plan: 'starter' } }),
    done: hasOneCustomer,
  },
  {
    name: 'checkout: the page before it',
    match: '/expire',
    before: async () => {
      const who = await nobodyYet();
      await createCheckout(shop.ctx, { userId: who.userId, item: { plan: 'starter' } });
      return who;
    },
    act: (ctx, { userId }) => createCheckout(ctx, { userId, item: { plan: 'growth' } }),
    done: async ({ userId }) => {
      const customer = (await shop.customerOf(userId)) ?? '';
      const { data } = await shop.stripe.checkout.sessions.list({ customer });
      expect(data.map(({ status }) => status)).toEqual(['open', 'expired']);
    },
  },
  {
    name: 'portal: the configuration',
    match: 'GET /v1/billing_portal/configurations',
    before: nobodyYet,
    // An isolate that has not asked yet.
    act: (ctx, { userId }) =>
      openPortal({ ...ctx, stripe: Object.create(ctx.stripe) as Ctx['stripe'] }, { userId }),
    done: hasOneCustomer,
  },
  {
    name: 'portal: the session',
    match: 'POST /v1/billing_portal/sessions',
    before: nobodyYet,
    act: (ctx, { userId }) => openPortal(ctx, { userId }),
    done: hasOneCustomer,
  },
  {
    name: 'change: reading the subscription',
    match: 'GET /v1/subscriptions/',
    before: starter,
    act: change('growth'),
    done: isOn('growth', 2),
  },
  {
    name: 'change: reading the invoices',
    match: 'GET /v1/invoices',
    before: starter,
    act: change('growth'),
    done: isOn('growth', 2),
  },
  {
    name: 'change: the update',
    match: 'POST /v1/subscriptions/',
    before: starter,
    act: change('growth'),
    done: isOn('growth', 2),
  },
  {
    name: 'change: releasing the schedule',
    match: '/release',
    before: async () => {
      const who = await starter();
      await change('scale', 'period_end')(shop.ctx, who);
      return who;
    },
    act: change('growth'),
    done: async (who) => {
      await isOn('growth', 2)(who);
      expect((await atStripe(who)).schedule).toBeNull();
    },
  },
  {
    name: 'change: giving up what is open',
    match: '/void',
    before: unpaid,
    act: change('starter'),
    done: async ({ subscriptionId }) => {
      const { data } = await shop.stripe.invoices.list({ subscription: subscriptionId });
      expect(data.map(({ status }) => status)).toEqual(['void', 'paid']);
    },
  },
  {
    name: 'change: paying what is open',
    match: '/pay',
    before: unpaid,
    act: change('growth'),
    done: isOn('growth', 2),
  },
  {
    name: 'planned change: making the schedule',
    match: 'POST /v1/subscription_schedules',
    before: starter,
    act: change('growth', 'period_end'),
    done: planned,
  },
  {
    name: 'planned change: filling the schedule',
    match: 'POST /v1/subscription_schedules/',
    before: starter,
    act: change('growth', 'period_end'),
    done: planned,
  },
  {
    name: 'cancel at the end of the period',
    match: 'POST /v1/subscriptions/',
    before: starter,
    act: (ctx, { userId }) => cancelAtPeriodEnd(ctx, { userId }),
    done: async (who) => expect((await atStripe(who)).cancel_at_period_end).toBe(true),
  },
  {
    name: 'resume',
    match: 'POST /v1/subscriptions/',
    before: async () => {
      const who = await starter();
      await cancelAtPeriodEnd(shop.ctx, who);
      return who;
    },
    act: (ctx, { userId }) => resumeSubscription(ctx, { userId }),
    done: async (who) => expect((await atStripe(who)).cancel_at).toBeNull(),
  },
  {
    name: 'cancel immediately',
    match: 'DELETE /v1/subscriptions/',
    before: starter,
    act: (ctx, { userId }) => cancelNow(ctx, { userId }),
    done: async (who) => {
      expect((await atStripe(who)).status).toBe('canceled');
      expect(await shop.shown(who.userId)).toBeNull();
    },
  },
  {
    name: 'invoices',
    match: 'GET /v1/invoices',
    before: starter,
    act: (ctx, { userId }) => listInvoices(ctx, { userId, limit: 10 }),
    done: async () => undefined,
  },
];

type Kind = Omit<Fault, 'id' | 'on' | 'match'>;
const failing = (status: number): Kind => ({
  kind: 'status',
  status,
  body: { error: { type: 'api_error', message: 'Words of Stripe’s own.' } },
});
const faults: [string, Kind][] = [
  ['429', failing(429)],
  ['500', failing(500)],
  ['no answer in time', { kind: 'latency', ms: 600 }],
  ['connection cut before', { kind: 'drop', when: 'before' }],
  ['connection cut after', { kind: 'drop', when: 'after' }],
];

describe.each(calls)('$name', ({ match, before, act, done }) => {
  test.each(faults)('%s', async (name, fault) => {
    const who = await before();
    const shown = await shop.shown(who.userId);
    const balance = (await shop.read(who.userId)).user.credits_balance;

    const { tries, error } = await shop.during({ ...fault, match }, () => act(shop.hurried, who));
    const isLate = name === 'no answer in time';
    expect(error).toMatchObject({ code: 'payment_provider_unavailable' });
    expect((error as { detail: string }).detail).not.toContain('Words');
    expect((error as { retryAfterSeconds: number }).retryAfterSeconds).toBeGreaterThan(0);
    expect(await shop.shown(who.userId)).toEqual(shown);
    // A call that hangs holds its idempotency key: Stripe turns the tries after it away.
    if (isLate) expect(tries).toBeLessThanOrEqual(3);
    else expect(tries).toBe(3);
    expect(tries).toBeGreaterThan(0);
    if (isLate) await pause(650);

    await act(shop.ctx, who);
    await done(who);
    expect((await shop.read(who.userId)).user.credits_balance).toBe(balance);
  });
});

test('an immediate cancellation whose answer was lost is noticed', async () => {
  const who = await starter();
  shop.standIn.faults.add({ kind: 'drop', when: 'after', match: 'DELETE', times: 1 });
  expect(await cancelNow(shop.ctx, who)).toMatchObject({ status: 'canceled' });
  shop.standIn.faults.clear();
});

test('reads need no Stripe at all', async () => {
  const { userId } = await starter();
  const stranger = await shop.signUp();
  const { tries } = await shop.during({ ...failing(500) }, async () => {
    expect((await shop.shown(userId))?.plan).toBe('starter');
    expect((await shop.read(userId)).user.credits_balance).toBe(1000);
    expect(await listInvoices(shop.ctx, { userId: stranger, limit: 5 })).toEqual({
      items: [],
      nextCursor: null,
    });
  });
  expect(tries).toBe(0);
});

test('a fault that passes is not seen', async () => {
  const { userId, subscriptionId } = await starter();
  for (const kind of [failing(429), failing(503), { kind: 'drop', when: 'after' } as Kind]) {
    shop.standIn.faults.add({ ...kind, times: 2 });
    const plan = kind.status === 503 ? 'starter' : kind.status === 429 ? 'growth' : 'scale';
    expect((await change(plan)(shop.ctx, { userId, subscriptionId }))?.plan).toBe(plan);
    shop.standIn.faults.clear();
  }
  // The way down makes none.
  const { data } = await shop.stripe.invoices.list({ subscription: subscriptionId });
  expect(data).toHaveLength(3);
});
