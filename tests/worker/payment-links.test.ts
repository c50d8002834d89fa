import { afterAll, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import {
  admin,
  explain,
  failedEvents,
  stripeList,
  stripePost,
  subscribe,
  subscriptionOf,
} from '../support/worker-billing.ts';
import { buy, pay, stripeLocal, stripeObject } from '../support/worker-shop.ts';

/** Payment Links through the built Worker: whoever pays names the account. */

const rig = await startRig({ stripe: true });
const stripe = rig.stripe ?? expect.unreachable();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

type Plans = Record<'plans' | 'packs', { key: string; priceId: string }[]>;
const onSale = await rig.json<Plans>('/v1/billing/plans');
const priceOf = (kind: 'plans' | 'packs', key: string): string =>
  onSale[kind].find((item) => item.key === key)?.priceId ?? expect.unreachable();

type Session = { id: string; url: string; customer: string; invoice: string };

async function followLink(plan: string, link: object): Promise<Session> {
  const { session } = await stripeLocal<{ session: Session }>(stripe, 'payment-link-session', {
    mode: 'subscription',
    line_items: [{ price: priceOf('plans', plan) }],
    prefilled_email: `${someone()}@strangers.example`,
    ...link,
  });
  await pay(session.url);
  await stripe.drain();
  return stripeObject<Session>(stripe, `checkout/sessions/${session.id}`);
}

async function intentOf({ invoice }: Session): Promise<string> {
  type Payment = { payment: { payment_intent: string } };
  const [paid] = await stripeList<Payment>(rig, `invoice_payments?invoice=${invoice}`);
  return paid?.payment.payment_intent ?? expect.unreachable();
}

const noticesOf = async (userId: string): Promise<string[]> => {
  const { rows } = await rig.database.pool.query<{ kind: string }>(
    'select kind from notices where user_id = $1 and closed_at is null order by kind',
    [userId],
  );
  return rows.map(({ kind }) => kind);
};

test('a stranger who pays for a subscriber costs them nothing, whatever he does next', async () => {
  const { token, me } = await subscribe(rig, 'growth');
  const before = await subscriptionOf(rig, token);
  const paid = await followLink('starter', { client_reference_id: me.id });
  // What came before anything told whose it is, is tried again behind the answer that told, or by the cron.
  await waitFor(async () => {
    await admin(rig, 'webhooks/retry', 'POST');
    return (await rig.me(token)).credits.balance === me.credits.balance + 1000;
  });
  expect(await subscriptionOf(rig, token)).toEqual(before);
  expect(await noticesOf(me.id)).toEqual(['unlinked_payment']);
  const told = (await explain(rig, me)) as unknown as { steps: { says: string }[] };
  expect(JSON.stringify(told)).toContain(`paid by the Stripe customer ${paid.customer}, who chose`);

  const { latest_charge: charge } = await stripeObject<{ latest_charge: string }>(
    stripe,
    `payment_intents/${await intentOf(paid)}`,
  );
  await stripeLocal(stripe, `charges/${charge}/dispute`, {});
  await stripe.drain();
  expect((await rig.me(token)).credits.balance).toBe(me.credits.balance);
  expect(await explain(rig, me)).toMatchObject({ agrees: true, shortfall: 0 });
  expect(await noticesOf(me.id)).toEqual(['unlinked_payment']);
  expect(await subscriptionOf(rig, token)).toMatchObject({ plan: 'growth', status: 'active' });
  expect(await failedEvents(rig)).toEqual([]);
});

test('what a stranger was first to pay is beside, once the account buys by our checkout', async () => {
  const { token, me } = await rig.user(someone());
  const paid = await followLink('starter', { client_reference_id: me.id });
  expect(await subscriptionOf(rig, token)).toMatchObject({ plan: 'starter' });
  await stripeLocal(stripe, 'clock', { advance_seconds: 60 });
  await stripePost(rig, 'refunds', { payment_intent: await intentOf(paid) });
  await stripe.drain();
  expect((await rig.me(token)).credits.balance).toBe(0);
  const after = await buy(rig, token, { pack: 'small', quantity: 1 });
  expect(after.credits).toMatchObject({ balance: 1000, bonus: 500, purchased: 500 });
  const { rows } = await rig.database.pool.query<{ id: string }>(
    'select stripe_customer_id as id from users where id = $1',
    [me.id],
  );
  expect(rows[0]?.id).not.toBe(paid.customer);
  expect(await noticesOf(me.id)).toEqual(['unlinked_payment']);
  expect(await admin(rig, `users/${me.id}/credits/explain`)).toMatchObject({ agrees: true });
});

test('the owner of a Payment Link goes on with our checkout, and keeps the plan', async () => {
  const { token, me } = await rig.user(someone());
  const paid = await followLink('growth', { client_reference_id: me.id });
  expect(await subscriptionOf(rig, token)).toMatchObject({ plan: 'growth' });
  const after = await buy(rig, token, { pack: 'small', quantity: 1 });
  expect(after.credits).toMatchObject({ balance: 5500, plan: 5000, purchased: 500 });
  const { rows } = await rig.database.pool.query<{ id: string }>(
    'select stripe_customer_id as id from users where id = $1',
    [me.id],
  );
  expect(rows[0]?.id).toBe(paid.customer);
  expect(await noticesOf(me.id)).toEqual([]);
});
