import { describe, expect, test } from 'vitest';
import { fetchMissing } from '../../../functions/stripe/fetch-missing.ts';
import { read } from '../../../functions/stripe/read-event.pure.ts';
import { AT, eventOf, invoice, knowledge, line, told, type Json } from './shop.ts';
import { missing, page, wired, type Answer } from './wire.ts';

const addOn = line({ price: 'price_support', amount: 1 });
const manyLines = invoice([], { lines: { object: 'list', data: [addOn], has_more: true } });
const session = {
  id: 'cs_1',
  mode: 'payment',
  payment_status: 'paid',
  payment_intent: 'pi_1',
  amount_total: 1500,
  metadata: { user_id: 'user_1', pack: 'small' },
};
const charge = { id: 'ch_1', amount_refunded: 700, payment_intent: 'pi_1' };
const subscription = {
  id: 'sub_1',
  status: 'active',
  items: { object: 'list', data: [{ id: 'si_1', price: { id: 'price_support' } }], has_more: true },
};
const down = (): Answer => ({
  status: 500,
  body: { error: { type: 'api_error', message: 'No.' } },
});

async function after(type: string, object: Json, answer: (url: URL) => Answer) {
  const { ctx, asked, lines } = wired(answer);
  const event = eventOf(type, object);
  const fetched = await fetchMissing(ctx, event, knowledge);
  const reading = 'event' in fetched ? read(fetched.event, knowledge) : undefined;
  return { event, fetched, reading, asked, lines };
}

describe('what an event lacks is asked of Stripe', () => {
  test('what a session sold, without which nobody knows whether it is ours', async () => {
    const unsaid = { ...session, metadata: {} };
    const type = 'checkout.session.completed';
    const failed = await after(type, unsaid, down);
    expect(failed.fetched).toMatchObject({ fail: { code: 'stripe_unavailable' } });
    expect(failed.asked).toEqual(['/v1/checkout/sessions/cs_1/line_items?limit=100']);
    const known = await after(type, unsaid, missing);
    expect(known.reading).toMatchObject({ fail: { code: 'missing_metadata' }, isOurs: 'if_named' });
  });

  test('all lines of an invoice, page by page', async () => {
    const lines = Array.from({ length: 250 }, (_, n) => ({ ...addOn, id: `il_${n}` }));
    const plan = { ...line({ price: 'price_starter', amount: 1900 }), id: 'il_plan' };
    const { reading, asked } = await after('invoice.paid', manyLines, (url) =>
      page([...lines, plan], url),
    );
    expect(reading && told(reading).facts).toMatchObject([
      { key: 'invoice:in_1', terms: { plan: 'starter' }, form: 'full' },
    ]);
    expect(asked).toEqual([
      '/v1/invoices/in_1/lines?limit=100',
      '/v1/invoices/in_1/lines?limit=100&starting_after=il_99',
      '/v1/invoices/in_1/lines?limit=100&starting_after=il_199',
    ]);
  });

  test('when the money of a session moved', async () => {
    const balance_transaction = { id: 'txn_1', created: AT - 30 };
    const latest_charge = { id: 'ch_1', created: AT - 9000, balance_transaction };
    const { event, fetched, reading, asked } = await after(
      'checkout.session.completed',
      session,
      () => ({ body: { id: 'pi_1', latest_charge } }),
    );
    expect(asked).toEqual(['/v1/payment_intents/pi_1?expand[0]=latest_charge.balance_transaction']);
    expect(reading && told(reading)).toMatchObject({
      facts: [{ key: 'session:cs_1', atUs: (AT - 30) * 1e6 }],
      links: [{ ref: 'cs_1' }, { ref: 'pi_1' }, { ref: 'ch_1' }],
    });
    // The event itself stays as Stripe sent it.
    expect(fetched).not.toBe(event);
    expect(event.payload['data']).toMatchObject({ object: { payment_intent: 'pi_1' } });
  });

  test('the refunds of a charge', async () => {
    const refunds = [400, 300].map((amount, n) => ({
      id: `re_${n}`,
      amount,
      charge: 'ch_1',
      status: 'succeeded',
      created: AT - 10,
    }));
    const { reading, asked } = await after('charge.refunded', charge, (url) => page(refunds, url));
    expect(asked).toEqual(['/v1/refunds?charge=ch_1&limit=100']);
    expect(reading && told(reading).facts.map(({ key }) => key)).toEqual([
      'refund:re_0',
      'refund:re_1',
    ]);
  });

  test('the items of a subscription, where the plan may be among those not embedded', async () => {
    const items = ['price_support', 'price_growth'].map((id) => ({
      id: `si_${id}`,
      price: { id },
    }));
    const { reading, asked } = await after('customer.subscription.updated', subscription, (url) =>
      page(items, url),
    );
    expect(asked).toEqual(['/v1/subscription_items?subscription=sub_1&limit=100']);
    expect(reading && told(reading).facts).toMatchObject([{ terms: { plan: 'growth' } }]);
  });

  test('whether an add-on stands beside a plan; once, after all lines', async () => {
    const items = { data: [{ price: { id: 'price_starter' } }] };
    const { reading, asked } = await after('invoice.paid', manyLines, (url) =>
      url.pathname.includes('/invoices/')
        ? page([{ ...addOn, id: 'il_1' }], url)
        : { body: { id: 'sub_1', items } },
    );
    expect(asked).toEqual(['/v1/invoices/in_1/lines?limit=100', '/v1/subscriptions/sub_1']);
    expect(reading).toEqual({ skip: 'bills something beside the plan' });
  });

  test('and of one that lacks nothing, nothing', async () => {
    const paid = invoice([line({ price: 'price_starter', amount: 1900 })]);
    const { event, fetched, asked } = await after('invoice.paid', paid, down);
    expect(fetched).toEqual({ event });
    expect(asked).toEqual([]);
  });

  test('an answer that lacks it still is not asked for again', async () => {
    const { asked, reading } = await after('charge.refunded', charge, (url) => page([], url));
    expect(asked).toHaveLength(1);
    expect(reading && told(reading).facts).toMatchObject([{ key: 'charge:ch_1' }]);
  });
});

describe('where Stripe does not answer', () => {
  test.each<[string, string, Json]>([
    ['the lines of an invoice', 'invoice.paid', manyLines],
    ['items', 'customer.subscription.updated', subscription],
  ])('an event that lacks %s is to be tried again', async (_name, type, object) => {
    const { event, fetched, lines } = await after(type, object, down);
    expect(fetched).toEqual({
      fail: {
        code: 'stripe_unavailable',
        detail: expect.stringMatching(/^Stripe did not tell what the event lacks: \w+/) as string,
      },
    });
    expect(lines).toMatchObject([{ event: 'stripe_not_asked', eventId: event.id }]);
  });

  test('an invoice of unknown prices says which, and is tried again', async () => {
    const { reading } = await after('invoice.paid', invoice([addOn]), down);
    expect(reading).toMatchObject({ fail: { code: 'unknown_price' } });
  });

  test('a session of packs happened when its event was made', async () => {
    const { reading } = await after('checkout.session.completed', session, down);
    expect(reading && told(reading).facts).toMatchObject([
      { key: 'session:cs_1', atUs: AT * 1e6, credits: 500 },
    ]);
  });

  test('a refunded charge is taken at its own word', async () => {
    const { reading } = await after('charge.refunded', charge, down);
    expect(reading && told(reading).facts).toMatchObject([{ key: 'charge:ch_1', amount: 700 }]);
  });

  test('what goes wrong with us is thrown', async () => {
    const { ctx } = wired(down);
    const broken = { ...ctx, stripe: {} as typeof ctx.stripe };
    await expect(
      fetchMissing(broken, eventOf('invoice.paid', manyLines), knowledge),
    ).rejects.toThrow(TypeError);
  });
});

test.each<[string, string, Json, unknown]>([
  ['an invoice', 'invoice.paid', manyLines, { fail: { code: 'unknown_price' } }],
  ['a payment', 'checkout.session.completed', session, { facts: [{ atUs: AT * 1e6 }] }],
  ['a charge', 'charge.refunded', charge, { facts: [{ key: 'charge:ch_1' }] }],
  [
    'a subscription',
    'customer.subscription.updated',
    subscription,
    { fail: { code: 'unknown_price' } },
  ],
])('what Stripe does not have of %s is done without', async (_name, type, object, reading) => {
  expect((await after(type, object, missing)).reading).toMatchObject(reading as Json);
});
