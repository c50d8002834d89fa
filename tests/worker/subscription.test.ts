import { afterAll, expect, onTestFinished, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { companies } from '../support/worker-csv.ts';
import {
  buy,
  checkout,
  pay,
  secondPasses,
  stripeLocal,
  stripeObject,
} from '../support/worker-shop.ts';

const rig = await startRig({ stripe: true });
const stripe = rig.stripe ?? expect.unreachable();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

/** A user with a plan; gives the subscription's id too. */
async function subscriber(plan: string) {
  const { token } = await rig.user(someone());
  const { id, url } = await checkout(rig, token, { plan });
  await pay(url);
  await stripe.drain();
  const { subscription } = await stripeObject<{ subscription: string }>(
    stripe,
    `checkout/sessions/${id}`,
  );
  return { token, subscription };
}

async function spend(token: string, rows: number): Promise<string> {
  const { id } = await rig.startJob(token, companies(rows));
  expect((await rig.ended(token, id)).rows.succeeded).toBe(rows);
  return id;
}

test('a renewal that is paid sets the balance to the plan, whatever was left; twice is once', async () => {
  const { token, subscription } = await subscriber('starter');
  await buy(rig, token, { pack: 'small', quantity: 1 });
  await spend(token, 30);
  const before = await rig.me(token);
  expect(before.credits).toMatchObject({ balance: 1470, plan: 970, purchased: 500 });

  await secondPasses(stripe);
  await stripeLocal(stripe, `renew/${subscription}`);
  await stripe.drain();
  const after = await rig.me(token);
  expect(after.credits).toMatchObject({ balance: 1000, plan: 1000, bonus: 0, purchased: 0 });
  const end = (me: typeof before) =>
    Date.parse((me.subscription as unknown as { currentPeriodEnd: string }).currentPeriodEnd);
  expect(end(after)).toBeGreaterThan(end(before));

  const ledger = await rig.entries(token);
  await stripeLocal(stripe, 'redeliver-all');
  await stripe.drain();
  expect(await rig.entries(token)).toEqual(ledger);
});

type Told = { id: string; created: number; data: { object: { id: string } }; deliveries?: unknown };

test.each<[string, (events: Told[]) => Told[]]>([
  ['as they happened', (events) => events],
  ['the other way round', (events) => events.toReversed()],
])(
  'a renewal that is not paid grants nothing and is seen, with its events %s in one second',
  async (_, order) => {
    const { token, subscription } = await subscriber('starter');
    await spend(token, 6);
    type Known = { customer: string; status: string };
    const known = () => stripeObject<Known>(stripe, `subscriptions/${subscription}`);
    await stripeLocal(stripe, 'deliveries', { paused: true });
    await stripeLocal(stripe, `customers/${(await known()).customer}`, { card: 'decline' });
    await stripeLocal(stripe, `renew/${subscription}`);
    const list = await fetch(`${stripe.url}/_local/events?type=customer.subscription.updated`);
    const { events } = (await list.json()) as { events: Told[] };
    const ours = events.filter(({ data }) => data.object.id === subscription).slice(-2);
    expect(ours).toHaveLength(2);
    for (const { deliveries: _, ...event } of order(ours)) {
      const answer = await rig.postWebhook({ ...event, created: ours[0]?.created });
      expect(await answer.json()).toMatchObject({ status: 'completed' });
    }
    await stripeLocal(stripe, 'deliveries', { paused: false });
    await stripe.drain();
    const me = await rig.me(token);
    expect(me.credits).toMatchObject({ balance: 994, plan: 994 });
    const { status } = await known();
    expect(status).toBe('past_due');
    expect(me.subscription).toMatchObject({ plan: 'starter', status });
  },
);

test('a job that runs while the plan renews gives nothing of the old plan back', async () => {
  const { token, subscription } = await subscriber('starter');
  // QStash cannot send the message: the delivery is ours to make.
  rig.qstash.faults.add({ on: 'message', kind: 'status' });
  onTestFinished(() => rig.qstash.faults.clear());
  const csv = companies(6).replace('Company 2,', 'Company 2 FAIL_SEARCH,');
  const { id } = await rig.startJob(token, csv);
  expect((await rig.me(token)).credits).toMatchObject({ balance: 994, held: 6 });
  await secondPasses(stripe);
  await stripeLocal(stripe, `renew/${subscription}`);
  await stripe.drain();
  expect((await rig.me(token)).credits).toMatchObject({ balance: 1000, held: 6 });
  // In the words of messages from before `attempt` became `run`.
  const answer = await rig.postQueue(
    '/queue/chunks',
    JSON.stringify({ jobId: id, attempt: 1, chunk: 0 }),
  );
  expect(answer.status).toBe(200);
  expect(await rig.readJob(token, id)).toMatchObject({
    status: 'completed',
    rows: { succeeded: 5, failed: 1 },
    credits: { held: 0, charged: 5 },
  });
  expect((await rig.me(token)).credits).toMatchObject({ balance: 1000, plan: 1000, held: 0 });
});

test('unlimited: jobs run without a hold and are recorded; the plan says so', async () => {
  const { token } = await subscriber('unlimited');
  const before = await rig.me(token);
  expect(before.credits.unlimited).toBe(true);
  const id = await spend(token, 7);
  expect(await rig.readJob(token, id)).toMatchObject({
    credits: { held: 0, charged: 0, released: 0 },
  });
  expect((await rig.me(token)).credits).toEqual(before.credits);
  const [newest] = await rig.entries(token);
  expect(newest).toMatchObject({ amount: 0, jobId: id });
});

test('a subscription that has ended leaves the credits; a new one can be bought', async () => {
  const { token, subscription } = await subscriber('growth');
  await spend(token, 3);
  await secondPasses(stripe);
  const answer = await fetch(`${stripe.url}/v1/subscriptions/${subscription}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${stripe.secretKey}` },
  });
  expect(answer.status).toBe(200);
  await stripe.drain();
  const me = await rig.me(token);
  expect(me.subscription).toBeNull();
  expect(me.credits).toMatchObject({ balance: 4997, plan: 4997 });
  const again = await buy(rig, token, { plan: 'starter' });
  expect(again.credits).toMatchObject({ balance: 1000, plan: 1000 });
});
