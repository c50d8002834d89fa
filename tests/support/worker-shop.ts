import { expect } from 'vitest';
import type { Rig } from './worker.ts';
import { type Me, waitFor } from './worker-client.ts';

export type Order = { plan: string } | { pack: string; quantity: number };

type StandIn = NonNullable<Rig['stripe']>;

/** What the Stripe stand-in knows of an object, by Stripe's own API. */
export async function stripeObject<T>(stripe: StandIn, path: string): Promise<T> {
  const headers = { authorization: `Bearer ${stripe.secretKey}` };
  const answer = await fetch(`${stripe.url}/v1/${path}`, { headers });
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
}

/** What is outside Stripe's API: the stand-in's switches. */
export async function stripeLocal<T>(stripe: StandIn, path: string, body: object = {}): Promise<T> {
  const answer = await fetch(`${stripe.url}/_local/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect([200, 201]).toContain(answer.status);
  return (await answer.json()) as T;
}

/** Stripe's times are whole seconds: what it does within the second of a hold stands before the hold. */
export const secondPasses = (stripe: StandIn) =>
  stripeLocal(stripe, 'clock', { advance_seconds: 1 });

/** Opens a payment page. */
export const checkout = (
  rig: Rig,
  token: string,
  order: object,
): Promise<{ id: string; url: string }> =>
  rig.json('/v1/billing/checkout', { method: 'POST', token, body: order });

/** Presses the button on a payment page. */
export async function pay(url: string, action: 'pay' | 'decline' | 'async' = 'pay'): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams({ action }),
    redirect: 'manual',
  });
  expect(answer.status).toBe(200);
}

/** Buys and waits until Stripe has delivered every webhook of it. */
export async function buy(rig: Rig, token: string, order: Order): Promise<Me> {
  const { url } = await checkout(rig, token, order);
  await pay(url);
  await rig.stripe?.drain();
  return rig.me(token);
}

/** Reads Server-Sent Events until the server ends the stream. */
export async function readEvents(answer: Response): Promise<{ event: string; data: unknown }[]> {
  const blocks = (await answer.text()).split('\n\n').filter((block) => block.trim() !== '');
  return blocks.map((block) => {
    const field = (name: string) =>
      block
        .split('\n')
        .filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).trim())
        .join('\n');
    return { event: field('event'), data: JSON.parse(field('data')) as unknown };
  });
}

/** Waits until `count` rows of a job are done. */
export const untilDone = (rig: Rig, token: string, id: string, count: number) =>
  waitFor(async () => {
    const job = await rig.readJob(token, id);
    return job.rows.done >= count && job;
  });
