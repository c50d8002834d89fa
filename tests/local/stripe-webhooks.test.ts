import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signPayload } from '../../local/stripe/index.ts';
import { startCheckedStripe } from '../support/checked-stripe.ts';
import { DAY, failure, listenForHooks, openShop, sdk, type Shop } from './stripe-client.ts';

let shop: Shop;
let status: (index: number) => number;
let receiver: Awaited<ReturnType<typeof listenForHooks>>;
let secret: string;
let endpoint: string;

beforeEach(async () => {
  status = () => 200;
  receiver = await listenForHooks((index) => status(index));
  shop = await openShop({ timeScale: 200 });
  const made = await shop.stripe.webhookEndpoints.create({
    enabled_events: ['customer.created', 'customer.updated'],
    url: receiver.url,
  });
  endpoint = made.id;
  secret = made.secret ?? '';
});
afterEach(async () => {
  await shop.standIn.close();
  await receiver.close();
});

const create = (name = 'Ada') => shop.stripe.customers.create({ name });
type Told = {
  type: string;
  deliveries: { state: string; attempts: { status: number | null }[] }[];
};
const told = async (type: string) =>
  (await shop.local<{ events: Told[] }>(`/events?type=${type}`)).events;

describe('deliveries', () => {
  it('verify with the SDK, and carry the request that caused them', async () => {
    const made = await shop.stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'why' });
    await shop.standIn.drain();
    const [hook] = receiver.hooks;
    const event = await shop.stripe.webhooks.constructEventAsync(
      hook?.payload ?? '',
      hook?.signature ?? '',
      secret,
      300,
      Stripe.createSubtleCryptoProvider(),
    );
    expect(event).toMatchObject({
      api_version: '2026-10-28.endive',
      data: { object: { id: made.id, name: 'Ada' } },
      livemode: false,
      object: 'event',
      pending_webhooks: 1,
      request: { id: made.lastResponse.requestId, idempotency_key: 'why' },
      type: 'customer.created',
    });
    const forged = (hook?.payload ?? '').replace('Ada', 'Eve');
    await expect(
      shop.stripe.webhooks.constructEventAsync(forged, hook?.signature ?? '', secret),
    ).rejects.toBeInstanceOf(Stripe.errors.StripeSignatureVerificationError);
  });

  it('keep verifying after the clock has moved, since receivers check the age', async () => {
    await shop.advance(40 * DAY);
    await create();
    await shop.standIn.drain();
    const [hook] = receiver.hooks;
    const event = await shop.stripe.webhooks.constructEventAsync(
      hook?.payload ?? '',
      hook?.signature ?? '',
      secret,
    );
    expect(event.created - Date.now() / 1000).toBeGreaterThan(39 * DAY);
  });

  it('go only to enabled endpoints that want the event', async () => {
    const made = await create();
    await shop.stripe.products.create({ name: 'not wanted' });
    await shop.standIn.drain();
    expect(receiver.types()).toEqual(['customer.created']);
    await shop.stripe.customers.update(made.id, { name: 'Bob' });
    await shop.standIn.drain();
    expect(receiver.hooks[1]?.event.data.previous_attributes).toEqual({ name: 'Ada' });
    await shop.stripe.webhookEndpoints.update(endpoint, { disabled: true });
    await create();
    await shop.standIn.drain();
    expect(receiver.hooks).toHaveLength(2);
  });

  it('come again after a failure, until one succeeds', async () => {
    status = (index) => [500, 302][index] ?? 200;
    await create();
    await shop.standIn.drain();
    expect(receiver.hooks).toHaveLength(3);
    expect(new Set(receiver.hooks.map(({ event }) => event.id)).size).toBe(1);
    const [event] = await told('customer.created');
    expect(event?.deliveries).toMatchObject([
      { attempts: [{ status: 500 }, { status: 302 }, { status: 200 }], state: 'delivered' },
    ]);
  });

  it('are doubled, dropped, forced to fail and reordered by faults', async () => {
    const { faults } = shop.standIn;
    const fault = { match: 'customer.created', on: 'delivery', times: 1 } as const;
    faults.add({ ...fault, kind: 'duplicate' });
    await create();
    await shop.standIn.drain();
    expect(receiver.hooks).toHaveLength(2);
    faults.add({ ...fault, kind: 'drop' });
    await create();
    await shop.standIn.drain();
    expect((await told('customer.created'))[1]?.deliveries[0]?.attempts).toMatchObject([
      { status: null },
      { status: 200 },
    ]);
    faults.add({ ...fault, kind: 'status', status: 503 });
    await create();
    await shop.standIn.drain();
    expect(receiver.hooks).toHaveLength(4);
    faults.add({ ...fault, kind: 'reorder' });
    const made = await create();
    await shop.stripe.customers.update(made.id, { name: 'Bob' });
    await shop.standIn.drain();
    expect(receiver.types().slice(4)).toEqual(['customer.updated', 'customer.created']);
  });

  it('wait while they are paused', async () => {
    await shop.local('/deliveries', { paused: true });
    await create();
    await shop.standIn.drain();
    expect(receiver.hooks).toEqual([]);
    await shop.local('/deliveries', { paused: false });
    await shop.standIn.drain();
    expect(receiver.hooks).toHaveLength(1);
  });

  it('are sent again on request, one or all, as the same event', async () => {
    await create();
    await create();
    await shop.standIn.drain();
    const id = receiver.hooks[0]?.event.id ?? '';
    await shop.local(`/events/${id}/redeliver`, {});
    await shop.standIn.drain();
    expect(receiver.hooks[2]?.event.id).toBe(id);
    await shop.local('/redeliver-all', {});
    await shop.standIn.drain();
    expect(receiver.hooks).toHaveLength(5);
    expect(new Set(receiver.hooks.map(({ event }) => event.id)).size).toBe(2);
  });

  it('that take too long make drain say so', async () => {
    shop.standIn.faults.add({ kind: 'latency', ms: 2000, on: 'delivery' });
    await create();
    await expect(shop.standIn.drain(100)).rejects.toThrow('left after 100 ms');
  });
});

describe('endpoints', () => {
  it('tell their secret once', async () => {
    expect(secret).toMatch(/^whsec_\w{32}$/);
    expect((await shop.stripe.webhookEndpoints.retrieve(endpoint)).secret).toBeUndefined();
    expect((await shop.stripe.webhookEndpoints.list()).data.map(({ id }) => id)).toEqual([
      endpoint,
    ]);
    await shop.stripe.webhookEndpoints.del(endpoint);
    expect((await shop.stripe.webhookEndpoints.list()).data).toEqual([]);
  });

  it('refuse event types that do not exist', async () => {
    const error = await failure(
      shop.stripe.webhookEndpoints.create({
        enabled_events: ['invoice.payed' as 'invoice.paid'],
        url: receiver.url,
      }),
    );
    expect(error.param).toBe('enabled_events[0]');
  });
});

describe('events', () => {
  it('are listed newest first, by type and time, for thirty days', async () => {
    const start = shop.standIn.now();
    const made = await create();
    await shop.advance(100);
    await shop.stripe.customers.update(made.id, { name: 'Bob' });
    const { events } = shop.stripe;
    const all = await events.list({ types: ['customer.created', 'customer.updated'] });
    expect(all.data.map(({ type }) => type)).toEqual(['customer.updated', 'customer.created']);
    const late = await events.list({ created: { gte: start + 100 }, type: 'customer.*' });
    expect(late.data.map(({ type }) => type)).toEqual(['customer.updated']);
    await shop.advance(31 * DAY);
    expect((await events.list()).data).toEqual([]);
    expect(await failure(events.retrieve(all.data[0]?.id ?? ''))).toMatchObject({
      statusCode: 404,
    });
  });
});

it('signs as Stripe does', async () => {
  const now = Math.floor(Date.now() / 1000);
  const payload = '{"object":"event","id":"evt_1"}';
  const header = signPayload(payload, 'whsec_x', now);
  expect(header).toBe(
    shop.stripe.webhooks.generateTestHeaderString({ payload, secret: 'whsec_x', timestamp: now }),
  );
});

it('keeps its state, keys and clock across restarts', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stripe-'));
  const statePath = join(directory, 'state.json');
  const first = await openShop({ statePath });
  const { customer, subscription } = await first.subscribe(first.prices.starter.id);
  await first.advance(10 * DAY);
  await first.stripe.products.create({ name: 'Once' }, { idempotencyKey: 'kept' });
  const then = first.standIn.now();
  await first.standIn.close();
  const second = await startCheckedStripe({ secretKey: 'sk_test_shop', statePath });
  const stripe = sdk(second.port);
  expect(second.now()).toBeGreaterThanOrEqual(then);
  expect((await stripe.customers.retrieve(customer)).id).toBe(customer);
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active');
  const again = await stripe.products.create({ name: 'Once' }, { idempotencyKey: 'kept' });
  expect(again.id).toMatch(/^prod_/);
  expect((await stripe.products.list()).data).toHaveLength(2);
  second.advanceTo(then + 31 * DAY);
  expect((await stripe.invoices.list({ subscription: subscription.id })).data).toHaveLength(2);
  await second.close();
  await rm(directory, { recursive: true });
});
