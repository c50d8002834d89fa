import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { type Rig, rigSecrets, someone, startRig } from '../support/worker.ts';
import {
  change,
  failedEvents,
  lotsOf,
  stripeList,
  subscribe,
  subscriptionOf,
} from '../support/worker-billing.ts';
import { expectNoLeak, expectProblem } from '../support/worker-problem.ts';
import { pay, stripeLocal, stripeObject } from '../support/worker-shop.ts';

const path = '/v1/billing/subscription';

type Buyer = { token: string; email: string; subscription: string; customer: string };
type Case = {
  name: string;
  /** What the call is that goes out to Stripe. */
  call: (buyer: Buyer) => Promise<Response>;
  ready: () => Promise<Buyer>;
  status: number;
  /** What has to be so when the call has succeeded at last, once. */
  done: (buyer: Buyer) => Promise<void>;
};

/** Every call of ours that goes out to Stripe, with a rig to make it in. */
function callsOf(rig: Rig) {
  const stripe = rig.stripe ?? expect.unreachable();

  const newcomer = async (): Promise<Buyer> => {
    const sub = someone();
    const { token } = await rig.user(sub);
    return { token, email: `${sub}@people.example`, subscription: '', customer: '' };
  };

  /** Somebody with a customer at Stripe, so that the page itself is the first write. */
  const visitor = async (): Promise<Buyer> => {
    const buyer = await newcomer();
    expect((await post('/v1/billing/portal')(buyer)).status).toBe(201);
    return buyer;
  };

  const atStripe = ({ subscription }: Buyer) =>
    stripeObject<{
      status: string;
      cancel_at_period_end: boolean;
      schedule: string | null;
      items: { data: { price: { lookup_key: string } }[] };
    }>(stripe, `subscriptions/${subscription}`);

  const planAtStripe = async (buyer: Buyer) =>
    (await atStripe(buyer)).items.data[0]?.price.lookup_key.replace('rowloom_plan_', '');

  type Invoice = { id: string; status: string };
  const invoicesOf = async ({ subscription }: Buyer) =>
    (await stripeList<Invoice>(rig, `invoices?subscription=${subscription}`)).map(
      ({ status }) => status,
    );

  const oneCustomer = async ({ email }: Buyer) => {
    const found = await stripeList<{ id: string }>(rig, `customers?email=${email}`);
    expect(found).toHaveLength(1);
    return found[0]?.id ?? expect.unreachable();
  };

  const put = (plan: string, when: 'now' | 'period_end') => (buyer: Buyer) =>
    rig.api(path, { method: 'PUT', token: buyer.token, body: { plan, when } });

  const post = (route: string, body?: object) => (buyer: Buyer) =>
    rig.api(route, { method: 'POST', token: buyer.token, body });

  const upgraded = async (buyer: Buyer): Promise<void> => {
    expect(await planAtStripe(buyer)).toBe('growth');
    expect(await invoicesOf(buyer)).toEqual(['paid', 'paid']);
    expect((await lotsOf(rig, buyer.token)).balance).toBe(5000);
  };

  /** Every call of ours that goes out to Stripe. */
  const cases: Case[] = [
    {
      name: 'checkout of a plan',
      ready: visitor,
      call: post('/v1/billing/checkout', { plan: 'starter' }),
      status: 201,
      done: async (buyer) => {
        const customer = await oneCustomer(buyer);
        const pages = `checkout/sessions?customer=${customer}&status=open`;
        const open = await stripeList<{ url: string }>(rig, pages);
        expect(open).toHaveLength(1);
        await pay(open[0]?.url ?? '');
        await stripe.drain();
        expect((await lotsOf(rig, buyer.token)).balance).toBe(1000);
      },
    },
    {
      name: 'checkout of packs',
      ready: visitor,
      call: (buyer) =>
        rig.api('/v1/billing/checkout', {
          method: 'POST',
          token: buyer.token,
          body: { pack: 'small', quantity: 2 },
          headers: { 'idempotency-key': 'once' },
        }),
      status: 201,
      done: async (buyer) => {
        const customer = await oneCustomer(buyer);
        expect(await stripeList(rig, `checkout/sessions?customer=${customer}`)).toHaveLength(1);
        expect((await lotsOf(rig, buyer.token)).balance).toBe(500);
      },
    },
    {
      name: 'portal',
      ready: newcomer,
      call: post('/v1/billing/portal'),
      status: 201,
      done: async (buyer) => void (await oneCustomer(buyer)),
    },
    {
      name: 'invoices',
      ready: () => subscribe(rig, 'starter'),
      call: ({ token }) => rig.api('/v1/billing/invoices', { token }),
      status: 200,
      done: async (buyer) => expect(await invoicesOf(buyer)).toEqual(['paid']),
    },
    {
      name: 'upgrade now',
      ready: () => subscribe(rig, 'starter'),
      call: put('growth', 'now'),
      status: 200,
      done: upgraded,
    },
    {
      name: 'upgrade that was declined before',
      ready: async () => {
        const buyer = await subscribe(rig, 'starter');
        await stripeLocal(stripe, `customers/${buyer.customer}`, { card: 'decline' });
        expect((await put('growth', 'now')(buyer)).status).toBe(402);
        await stripeLocal(stripe, `customers/${buyer.customer}`, { card: 'ok' });
        return buyer;
      },
      call: put('growth', 'now'),
      status: 200,
      done: upgraded,
    },
    {
      name: 'upgrade that was declined, given up',
      ready: async () => {
        const buyer = await subscribe(rig, 'starter');
        await stripeLocal(stripe, `customers/${buyer.customer}`, { card: 'decline' });
        expect((await put('growth', 'now')(buyer)).status).toBe(402);
        return buyer;
      },
      call: put('starter', 'now'),
      status: 200,
      done: async (buyer) => {
        expect(await planAtStripe(buyer)).toBe('starter');
        expect(await invoicesOf(buyer)).toEqual(['void', 'paid']);
        expect((await lotsOf(rig, buyer.token)).balance).toBe(1000);
      },
    },
    {
      name: 'downgrade at the end',
      ready: () => subscribe(rig, 'growth'),
      call: put('starter', 'period_end'),
      status: 200,
      done: async (buyer) => {
        const { schedule } = await atStripe(buyer);
        const told = await stripeObject<{ status: string; phases: unknown[] }>(
          stripe,
          `subscription_schedules/${schedule}`,
        );
        expect(told.status).toBe('active');
        expect(told.phases).toHaveLength(2);
        const all = await stripeList(rig, `subscription_schedules?customer=${buyer.customer}`);
        expect(all).toHaveLength(1);
        expect((await lotsOf(rig, buyer.token)).balance).toBe(5000);
      },
    },
    {
      name: 'downgrade taken back',
      ready: async () => {
        const buyer = await subscribe(rig, 'growth');
        expect((await put('starter', 'period_end')(buyer)).status).toBe(200);
        return buyer;
      },
      call: put('growth', 'now'),
      status: 200,
      done: async (buyer) => {
        expect((await atStripe(buyer)).schedule).toBeNull();
        expect(await planAtStripe(buyer)).toBe('growth');
        expect(await invoicesOf(buyer)).toEqual(['paid']);
      },
    },
    {
      name: 'cancellation at the end',
      ready: () => subscribe(rig, 'starter'),
      call: ({ token }) => rig.api(path, { method: 'DELETE', token }),
      status: 200,
      done: async (buyer) => expect((await atStripe(buyer)).cancel_at_period_end).toBe(true),
    },
    {
      name: 'cancellation at once',
      ready: () => subscribe(rig, 'starter'),
      call: ({ token }) => rig.api(`${path}?immediately=true`, { method: 'DELETE', token }),
      status: 200,
      done: async (buyer) => {
        expect((await atStripe(buyer)).status).toBe('canceled');
        expect(await subscriptionOf(rig, buyer.token)).toBeNull();
      },
    },
    {
      name: 'resumption',
      ready: async () => {
        const buyer = await subscribe(rig, 'starter');
        await change(rig, buyer.token, 'DELETE');
        return buyer;
      },
      call: post(`${path}/resume`),
      status: 200,
      done: async (buyer) => {
        expect((await atStripe(buyer)).cancel_at_period_end).toBe(false);
        expect((await subscriptionOf(rig, buyer.token))?.cancelAt).toBeNull();
      },
    },
    {
      name: 'reconcile',
      ready: newcomer,
      call: () =>
        rig.api('/v1/admin/reconcile', {
          method: 'POST',
          token: rigSecrets.ADMIN_TOKEN,
          body: { dryRun: true },
        }),
      status: 200,
      done: async (buyer) => expect((await lotsOf(rig, buyer.token)).balance).toBe(500),
    },
  ];

  const reads = (token: string): Promise<number[]> =>
    Promise.all(
      ['/v1/me', path, '/v1/billing/plans', '/v1/credits/entries'].map(
        async (route) => (await rig.api(route, { token })).status,
      ),
    );

  /** Every case with somebody who is ready for it. */
  async function everybody(): Promise<[Case, Buyer][]> {
    const met = await Promise.all(
      cases.map(async (each): Promise<[Case, Buyer]> => [each, await each.ready()]),
    );
    await stripe.drain();
    return met;
  }

  /** Makes a call that has to be through. */
  async function succeeds(each: Case, buyer: Buyer): Promise<void> {
    const answer = await each.call(buyer);
    expect(answer.status, `${each.name}: ${await answer.clone().text()}`).toBe(each.status);
  }

  /** After the outage: what waited for Stripe is tried again, as the cron does, and all is there once. */
  const settled = async (met: [Case, Buyer][]): Promise<void> => {
    await stripe.drain();
    const answer = await rig.api('/v1/admin/webhooks/retry', {
      method: 'POST',
      token: rigSecrets.ADMIN_TOKEN,
    });
    expect(await answer.json()).toMatchObject({ remaining: 0 });
    for (const [each, buyer] of met) await each.done(buyer);
  };

  return { cases, everybody, put, reads, settled, succeeds };
}

type Fault = Parameters<NonNullable<Rig['stripe']>['faults']['add']>[0];
const said = { error: { type: 'api_error', message: 'No such thing: sk_live_secret' } };

/** What each call of ours ends in at Stripe: what it reads before is answered. */
const last = ['POST /', 'DELETE /', 'GET /v1/invoices', 'GET /v1/prices'];

const faults: [name: string, faults: Fault[]][] = [
  ['429', [{ kind: 'status', status: 429, body: said }]],
  ['connection cut', [{ kind: 'drop' }]],
  ['500', last.map((match) => ({ kind: 'status', status: 500, body: said, match }))],
  ['answer cut', last.map((match) => ({ kind: 'drop', when: 'after', match }))],
];

const [rig, hanging] = await Promise.all([startRig({ stripe: true }), startRig({ stripe: true })]);
const stripe = rig.stripe ?? expect.unreachable();
const { cases, everybody, put, reads, settled, succeeds } = callsOf(rig);

/** Every call, answered too late once; it waits while the other tests run. */
const late = (async () => {
  const calls = callsOf(hanging);
  const met = await calls.everybody();
  // Longer than the 10 s that we wait; what has timed out is done all the same, behind our back.
  hanging.stripe?.faults.add({ kind: 'latency', ms: 10_200, times: met.length });
  const through = Promise.all(met.map(([each, buyer]) => calls.succeeds(each, buyer)));
  through.catch(() => undefined);
  const read = await Promise.all(met.map(([, { token }]) => calls.reads(token)));
  return { calls, met, read, through };
})();
late.catch(() => undefined);

afterEach(() => stripe.faults.clear());

afterAll(async () => {
  for (const each of [rig, hanging]) {
    await assertBooksHold(each.database.pool);
    await each.close();
  }
});

describe('Stripe API failing', () => {
  test.each(faults)(
    '%s, in every call: a clear 503, reads go on, and afterwards it is done once',
    async (_, struck) => {
      const met = await everybody();
      for (const fault of struck) stripe.faults.add(fault);
      const refusals = met.map(([each, buyer]) => each.call(buyer));
      for (const [, { token }] of met) expect(await reads(token)).toEqual([200, 200, 200, 200]);
      for (const [at, call] of refusals.entries()) {
        const answer = await call;
        expect(answer.headers.get('retry-after'), cases[at]?.name).toMatch(/^[1-9]\d*$/);
        const problem = await expectProblem(answer, 503, 'payment_provider_unavailable');
        expect(JSON.stringify(problem)).not.toMatch(/secret|No such|stripe\.com/);
      }
      stripe.faults.clear();
      await stripe.drain();

      await Promise.all(met.map(([each, buyer]) => succeeds(each, buyer)));
      await settled(met);
    },
    60_000,
  );

  test('a schedule that is made, but cannot be planned: 503, and the next try plans that one', async () => {
    const each = cases.find(({ name }) => name === 'downgrade at the end') ?? expect.unreachable();
    const buyer = await each.ready();
    stripe.faults.add({
      kind: 'status',
      status: 500,
      body: said,
      match: 'POST /v1/subscription_schedules/',
    });
    await expectProblem(await each.call(buyer), 503, 'payment_provider_unavailable');
    stripe.faults.clear();
    await succeeds(each, buyer);
    await each.done(buyer);
  });

  test('a card that is declined is 402, not 503, and tells nothing internal', async () => {
    const buyer = await subscribe(rig, 'starter');
    await stripeLocal(stripe, `customers/${buyer.customer}`, { card: 'decline' });
    const answer = await put('growth', 'now')(buyer);
    expect(answer.status).toBe(402);
    const { invoiceUrl, ...problem } = (await answer.json()) as Record<string, unknown>;
    expect(invoiceUrl).toMatch(/^http/);
    expect(problem).toMatchObject({ status: 402, code: 'payment_failed' });
    expectNoLeak(JSON.stringify(problem));
    expect((await lotsOf(rig, buyer.token)).balance).toBe(1000);
  });

  test('a key that Stripe does not take is no retry: 502 at once, without its words', async () => {
    const buyer = await subscribe(rig, 'starter');
    const body = { error: { type: 'invalid_request_error', message: 'Invalid API Key secret' } };
    const fault = stripe.faults.add({ kind: 'status', status: 401, body, times: 9 });
    const problem = await expectProblem(
      await put('growth', 'now')(buyer),
      502,
      'payment_provider_refused',
    );
    expect(JSON.stringify(problem)).not.toMatch(/secret|Key/);
    expect(fault.times).toBe(8);
  });

  test('timeout, once in every call: reads go on, it is tried again, and done once', async () => {
    const { calls, met, read, through } = await late;
    expect(new Set(read.flat())).toEqual(new Set([200]));
    await through;
    await calls.settled(met);
  }, 30_000);

  test('after all of it no event waits for anybody', async () => {
    await stripe.drain();
    expect(await failedEvents(rig)).toEqual([]);
  });
});
