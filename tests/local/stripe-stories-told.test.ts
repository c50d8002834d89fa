import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signPayload } from '../../local/stripe/index.ts';
import { startCheckedStripe, type CheckedStripe } from '../support/checked-stripe.ts';
import { badBodies, Story, stories, type Cast } from '../support/stripe-stories/index.ts';
import { DAY, failure, listenForHooks, openShop, sdk, type Hook } from './stripe-client.ts';

let standIn: CheckedStripe;
let stripe: Stripe;
let endpoint: Awaited<ReturnType<typeof listenForHooks>>;
let secret: string;

beforeAll(async () => {
  standIn = await startCheckedStripe({ secretKey: 'sk_test_shop' });
  stripe = sdk(standIn.port);
  endpoint = await listenForHooks();
  const made = await stripe.webhookEndpoints.create({ url: endpoint.url, enabled_events: ['*'] });
  secret = made.secret ?? '';
});
afterAll(async () => {
  await standIn.close();
  await endpoint.close();
});

/** Tells a story that began so many days ago; gives it with what came to the endpoint. */
async function tell(name: string, daysAgo: number, cast: Cast = {}) {
  const story = stories[name]?.({ at: standIn.now() - daysAgo * DAY, tag: name, ...cast });
  if (!story) throw new Error(`There is no story ${name}.`);
  const before = endpoint.hooks.length;
  for (const step of story.steps) standIn.tell(step);
  await standIn.drain();
  return { story, hooks: endpoint.hooks.slice(before) };
}

const verified = ({ payload, signature }: Hook) =>
  stripe.webhooks.constructEventAsync(payload, signature, secret);

describe('a told story', () => {
  test('arrives signed, event by event, as it was told', async () => {
    const { story, hooks } = await tell('creditNoteWithRefund', 3);
    const events = await Promise.all(hooks.map(verified));
    const byId = (a: { id: string }, b: { id: string }) => a.id.localeCompare(b.id);
    const sent = story.events.map((event) => ({ ...event, pending_webhooks: 1 }));
    expect(events.toSorted(byId)).toEqual(sent.toSorted(byId));
    const last = story.events.at(-1)?.id ?? '';
    expect(await stripe.events.retrieve(last)).toMatchObject({ id: last, type: 'invoice.updated' });
  });

  test('can be read back: an invoice of twelve lines, to its end', async () => {
    const { story } = await tell('twelveLines', 35);
    const { id, parent } = await stripe.invoices.retrieve(story.the('invoice').id);
    const { lines } = await stripe.invoices.retrieve(id);
    expect([lines.data.length, lines.has_more]).toEqual([10, true]);
    const read: Stripe.InvoiceLineItem[] = [];
    for await (const line of stripe.invoices.listLineItems(id, { limit: 5 })) read.push(line);
    expect(read).toHaveLength(12);
    const plan = story.all('price').find(({ nickname }) => nickname === 'plan')?.id;
    expect(read.at(-1)?.pricing?.price_details?.price).toBe(plan);
    const subscription = await stripe.subscriptions.retrieve(
      parent?.subscription_details?.subscription as string,
    );
    expect(subscription.items.data).toHaveLength(12);
  });

  test('can be read back: from a credit note to refund, charge, payment and invoice', async () => {
    const { story } = await tell('creditNoteWithRefund', 3, { tag: 'back' });
    const invoice = story.the('invoice').id;
    const [note] = (await stripe.creditNotes.list({ invoice })).data;
    const refund = await stripe.refunds.retrieve(note?.refunds[0]?.refund as string);
    const charge = await stripe.charges.retrieve(refund.charge as string, { expand: ['refunds'] });
    expect(charge.refunds?.data.map(({ id }) => id)).toEqual([refund.id]);
    const [payment] = (
      await stripe.invoicePayments.list({
        payment: { type: 'payment_intent', payment_intent: charge.payment_intent as string },
      })
    ).data;
    expect(payment?.invoice).toBe(invoice);
  });

  test('shows a session with its lines, and warnings of fraud, to who asks for them', async () => {
    const { story } = await tell('fraudWarning', 3);
    const session = await stripe.checkout.sessions.retrieve(story.the('checkout.session').id, {
      expand: ['line_items'],
    });
    expect(session.line_items?.data[0]?.price?.nickname).toBe('pack');
    const charge = story.the('charge').id;
    const warnings = await stripe.radar.earlyFraudWarnings.list({ charge });
    expect(warnings.data.map(({ actionable }) => actionable)).toEqual([true]);
  });

  test('goes on only by what is told: no renewal falls due for it', async () => {
    const { story } = await tell('dearerAddOn', 35);
    standIn.advanceTo(standIn.now() + 20 * DAY);
    await standIn.drain();
    const { id } = story.the('subscription');
    const invoices = await stripe.invoices.list({ subscription: id });
    expect(invoices.data).toHaveLength(2);
  });
});

test('what the dashboard changes of a played subscription is played on', async () => {
  const shop = await openShop();
  const { subscription } = await shop.subscribe(shop.prices.starter.id);
  const object = JSON.parse(JSON.stringify(subscription)) as Stripe.Subscription;
  for (const item of object.items.data) item.quantity = 2;
  const previous_attributes = { items: { data: subscription.items.data } };
  shop.standIn.tell({ type: 'customer.subscription.updated', object, previous_attributes });
  await shop.advance(32 * DAY);
  const [renewal] = (await shop.stripe.invoices.list({ subscription: subscription.id })).data;
  expect(renewal).toMatchObject({ amount_paid: 4000, billing_reason: 'subscription_cycle' });
  await shop.standIn.close();
});

describe('what is not in our account', () => {
  test.each(['onConnectedAccount', 'inLiveMode'])('%s is delivered and not shown', async (name) => {
    const { story, hooks } = await tell(name, 1);
    expect(hooks).toHaveLength(story.events.length);
    expect(await verified(hooks[0] as Hook)).toMatchObject(
      name === 'inLiveMode' ? { livemode: true } : { account: 'acct_1Connected' },
    );
    const missing = await failure(stripe.invoices.retrieve(story.the('invoice').id));
    expect(missing.code).toBe('resource_missing');
    const unread = await failure(stripe.events.retrieve(story.events[0]?.id ?? ''));
    expect(unread.code).toBe('resource_missing');
  });

  test('a thin event is one for the SDK, which refuses it as a snapshot', async () => {
    const { story, hooks } = await tell('thinEvent', 1);
    const [hook] = hooks;
    await expect(verified(hook as Hook)).rejects.toThrow(/thin event notification/);
    const { payload, signature } = hook as Hook;
    expect(JSON.parse(payload)).toEqual(story.events[0]);
    const parsed = await stripe.parseEventNotificationAsync(payload, signature, secret);
    expect(parsed.type).toBe('v1.billing.meter.error_report_triggered');
  });
});

describe('over HTTP', () => {
  const post = async (body: unknown) => {
    const request = { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${standIn.url}/_local/tell`, request);
    return { status: answer.status, body: (await answer.json()) as { error?: string } };
  };

  test('an object is told, shown, and changed by telling it again', async () => {
    const customer = new Story({ tag: 'http' }).make('customer', { email: 'a@example.com' });
    expect((await post({ type: 'customer.created', object: customer })).status).toBe(201);
    const object = { ...customer, balance: -500 };
    const told = { type: 'customer.updated', object, previous_attributes: { balance: 0 } };
    expect((await post(told)).status).toBe(201);
    expect((await stripe.customers.retrieve(customer.id)) as Stripe.Customer).toMatchObject(object);
    await standIn.drain();
    expect(await verified(endpoint.hooks.at(-1) as Hook)).toMatchObject({
      api_version: '2026-10-28.endive',
      data: { object, previous_attributes: { balance: 0 } },
      type: 'customer.updated',
    });
  });

  test('what is deleted leaves a stub', async () => {
    const customer = new Story({ tag: 'gone' }).make('customer', {});
    await post({ type: 'customer.deleted', object: customer });
    const { id } = customer;
    expect(await stripe.customers.retrieve(id)).toMatchObject({ deleted: true, id });
  });

  test('an object of a kind that is not kept is told but not planted', async () => {
    const payout = { id: 'po_1', object: 'payout' };
    const told = { type: 'payout.paid', object: payout };
    expect((await post(told)).status).toBe(201);
    const refused = await post({ ...told, objects: [payout] });
    expect(refused.status).toBe(400);
    const customer = new Story({ tag: 'half' }).make('customer', {});
    await post({ ...told, objects: [customer, payout] });
    expect((await failure(stripe.customers.retrieve(customer.id))).code).toBe('resource_missing');
    expect(refused.body.error).toMatch(/does not keep payout objects/);
  });

  test.each([{}, { type: 'x' }, { event: {} }, { type: 'x', object: { id: 'y' } }])(
    '%j is no telling',
    async (body) => expect((await post(body)).status).toBe(422),
  );
});

describe('bad bodies', () => {
  const good = stories['fraudWarning']?.({ tag: 'bad' }).events[2];
  const bodies = Object.entries(badBodies(good as Parameters<typeof badBodies>[0]));
  const signed = (body: string) =>
    stripe.webhooks.constructEventAsync(
      body,
      signPayload(body, 'whsec_bad', Math.floor(Date.now() / 1000)),
      'whsec_bad',
    );

  test('pass the signature, so that what comes after it must refuse them', async () => {
    const outcomes = await Promise.allSettled(bodies.map(([, body]) => signed(body)));
    const refused = bodies.filter((_, n) => outcomes[n]?.status === 'rejected');
    expect(refused.map(([name]) => name)).toEqual(['no JSON', 'nothing']);
  });

  test('are what their names say', async () => {
    const named = Object.fromEntries(bodies);
    expect(named['NUL in metadata']).toContain('\\u0000');
    expect(named['half a surrogate pair']).toContain('\\ud800');
    expect(named['JSON 5,000 deep']).toContain('['.repeat(5000));
    expect(named['metadata with __proto__']).toContain('"__proto__"');
    expect(named['512 kB']?.length).toBeGreaterThan(512 * 1024);
    const ids = bodies.map(([, body]) => /"id":"evt_\w+"/.exec(body)?.[0]).filter(Boolean);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
