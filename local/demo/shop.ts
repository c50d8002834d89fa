import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '../stack.ts';
import type { Api, Me, Offer, Pack, Plan } from './api.ts';

/** What to buy for a number of credits. */
type Purchase = { plan: Plan; pack?: Pack; quantity: number };

/**
 * The smallest plan that covers `credits`, or the largest one and the cheapest packs for the rest.
 * @throws Error saying how many credits are missing when nothing for sale covers them.
 */
export function choose(credits: number, plans: Plan[], packs: Pack[]): Purchase {
  const counted = plans
    .filter((plan): plan is Plan & { credits: number } => typeof plan.credits === 'number')
    .sort((a, b) => a.credits - b.credits || a.amount - b.amount);
  const enough = counted.find((plan) => plan.credits >= credits);
  if (enough) return { plan: enough, quantity: 0 };
  const plan = counted.at(-1);
  const missing = credits - (plan?.credits ?? 0);
  const cost = (pack: Pack): number => pack.amount * Math.ceil(missing / pack.credits);
  const pack = packs.toSorted((a, b) => cost(a) - cost(b))[0];
  if (!plan) throw new Error(`No plan is for sale: ${missing} credits are missing.`);
  if (!pack)
    throw new Error(
      `${credits} rows need ${credits} credits; the largest plan has ${plan.credits}: ${missing} credits are missing.`,
    );
  return { plan, pack, quantity: Math.ceil(missing / pack.credits) };
}

/** $12.00 */
export const price = ({ amount, currency }: Offer, quantity = 1): string =>
  new Intl.NumberFormat('en-US', { style: 'currency', currency }).format((amount * quantity) / 100);

/** Pays at the stand-in's page, as a press on its button would. */
async function payAtStandIn(url: string): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams({ action: 'pay' }),
    redirect: 'manual',
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Paying failed: ${answer.status} ${text.slice(0, 300)}`);
}

/**
 * Goes through checkout and payment and waits until the webhook has changed the balance.
 * With the real Stripe `ask` is given the page to pay on.
 */
export async function buy(input: {
  api: Api;
  stack: Stack;
  order: { plan: string } | { pack: string; quantity: number };
  arrived: (me: Me) => boolean;
  ask: (url: string) => void;
}): Promise<Me> {
  const { api, stack, order, arrived, ask } = input;
  const { url } = await api.json<{ url: string }>('POST', '/v1/billing/checkout', order);
  if (stack.handles.stripe) await payAtStandIn(url);
  else ask(url);
  const patienceMs = stack.handles.stripe ? 30_000 : 600_000;
  for (const end = Date.now() + patienceMs; Date.now() < end; await delay(100)) {
    const me = await api.json<Me>('GET', '/v1/me');
    if (arrived(me)) return me;
  }
  throw new Error(`The payment has not reached the balance after ${patienceMs / 1000} s.`);
}
