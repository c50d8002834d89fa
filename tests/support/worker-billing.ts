import { expect } from 'vitest';
import { rigSecrets, someone, type Rig } from './worker.ts';
import type { Me } from './worker-client.ts';
import { checkout, pay, secondPasses, stripeLocal, stripeObject } from './worker-shop.ts';

type StandIn = NonNullable<Rig['stripe']>;

/** A user with a paid plan, by their ids here and at Stripe. */
export type Subscriber = {
  token: string;
  me: Me;
  subscription: string;
  customer: string;
  email: string;
};

/** `GET /v1/billing/subscription`. */
export type Told = {
  plan: string;
  status: string;
  interval: string;
  currentPeriodStart: string;
  currentPeriodEnd: string;
  cancelAt: string | null;
  trialEnd: string | null;
};

export type Explained = {
  balance: number;
  sum: number;
  agrees: boolean;
  shortfall: number;
};

export type StoredEvent = {
  eventId: string;
  type: string;
  status: string;
  attempts: number;
  errorCode: string | null;
  error: string | null;
};

const standIn = (rig: Rig): StandIn => rig.stripe ?? expect.unreachable();

/** Sends a call to Stripe's own API, past the Worker, as somebody in the dashboard would. */
export async function stripePost<T>(
  rig: Rig,
  path: string,
  fields: Record<string, string> = {},
): Promise<T> {
  const { url, secretKey } = standIn(rig);
  const answer = await fetch(`${url}/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretKey}` },
    body: new URLSearchParams(fields),
  });
  expect(answer.status, await answer.clone().text()).toBe(200);
  return (await answer.json()) as T;
}

/** The objects of one of Stripe's lists, newest first. */
export const stripeList = async <T>(rig: Rig, path: string): Promise<T[]> =>
  (await stripeObject<{ data: T[] }>(standIn(rig), path)).data;

type Session = { subscription: string; customer: string; payment_intent: string };

/** Subscribes a new user and waits for the webhooks. */
export async function subscribe(rig: Rig, plan: string): Promise<Subscriber> {
  const sub = someone();
  const { token } = await rig.user(sub);
  const { id, url } = await checkout(rig, token, { plan });
  await pay(url);
  await standIn(rig).drain();
  const { subscription, customer } = await stripeObject<Session>(
    standIn(rig),
    `checkout/sessions/${id}`,
  );
  const email = `${sub}@people.example`;
  return { token, me: await rig.me(token), subscription, customer, email };
}

/** Buys packs; gives the payment's charge. */
export async function buyPacks(
  rig: Rig,
  token: string,
  order: { pack: string; quantity: number },
): Promise<{ session: string; charge: string }> {
  const { id, url } = await checkout(rig, token, order);
  await pay(url);
  await standIn(rig).drain();
  const { payment_intent: intent } = await stripeObject<Session>(
    standIn(rig),
    `checkout/sessions/${id}`,
  );
  const { latest_charge: charge } = await stripeObject<{ latest_charge: string }>(
    standIn(rig),
    `payment_intents/${intent}`,
  );
  return { session: id, charge };
}

/** Moves Stripe's clock past the end of a subscription's period and the hour that drafts wait. */
export async function untilPeriodEnds(rig: Rig, subscription: string): Promise<void> {
  type Items = { items: { data: { current_period_end: number }[] } };
  const { items } = await stripeObject<Items>(standIn(rig), `subscriptions/${subscription}`);
  const end = items.data[0]?.current_period_end ?? expect.unreachable();
  await stripeLocal(standIn(rig), 'clock', { to: end + 2 * 3600 });
  await standIn(rig).drain();
}

/** Lets Stripe send everything that it ever sent once more. */
export async function redeliverAll(rig: Rig): Promise<void> {
  await stripeLocal(standIn(rig), 'redeliver-all');
  await standIn(rig).drain();
}

/** A call with the operator's token. */
export const admin = <T>(rig: Rig, path: string, method = 'GET', body?: object): Promise<T> =>
  rig.json<T>(`/v1/admin/${path}`, { method, token: rigSecrets.ADMIN_TOKEN, body });

export const explain = (rig: Rig, { id }: Me): Promise<Explained> =>
  admin(rig, `users/${id}/credits/explain`);

/** Events that an operator has to look at. */
export const failedEvents = async (rig: Rig): Promise<StoredEvent[]> =>
  (await admin<{ items: StoredEvent[] }>(rig, 'webhooks?status=failed&limit=100')).items;

export const subscriptionOf = async (rig: Rig, token: string): Promise<Told | null> =>
  (await rig.json<{ subscription: Told | null }>('/v1/billing/subscription', { token }))
    .subscription;

/** Calls one of the routes that change a subscription, as a person does: not twice within a second. */
export const change = async (
  rig: Rig,
  token: string,
  method: 'PUT' | 'DELETE' | 'POST',
  options: { path?: string; body?: object } = {},
): Promise<Told> => {
  await secondPasses(standIn(rig));
  const { subscription } = await rig.json<{ subscription: Told }>(
    `/v1/billing/subscription${options.path ?? ''}`,
    {
      method,
      token,
      body: options.body,
    },
  );
  return subscription;
};

/** What the balance is made of, for comparisons. */
export const lotsOf = async (rig: Rig, token: string) => {
  const { balance, plan, bonus, purchased } = (await rig.me(token)).credits;
  return { balance, plan, bonus, purchased };
};
