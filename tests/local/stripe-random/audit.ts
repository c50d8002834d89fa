import { isDeepStrictEqual } from 'node:util';
import type Stripe from 'stripe';
import type { StripeStandIn } from '../../../local/stripe/index.ts';
import { auditBooks, isPlayed, readBooks } from './books.ts';

type Thing = { id: string; object: string; status?: string };
type StoryEvent = Stripe.EventBase & {
  type: string;
  data: { object: Thing; previous_attributes?: Record<string, unknown> };
};

const over = new Set([
  'canceled',
  'incomplete_expired',
  'paid',
  'void',
  'won',
  'lost',
  'warning_closed',
  'prevented',
  'released',
  'completed',
]);
const kinds = ['subscription', 'subscription_schedule', 'invoice', 'dispute'];

/** Changes without an event of the object: a dispute tells itself, a price that items show too. */
const silent = new Set([
  'charge.disputed',
  'customer.currency',
  'customer.next_invoice_sequence',
  'subscription.items',
]);

/** What a refund has only while it waits. */
const lost = new Set(['next_action', 'pending_reason']);

/** What the events say of one object must fit together, up to what the API answers. */
function history(told: StoryEvent[], present: Thing | undefined): string[] {
  const problems: string[] = [];
  let status = '';
  for (const { type, data } of told) {
    const { object, previous_attributes: before } = data;
    const name = `${type} of ${object.id}`;
    if (type.endsWith('.updated') && Object.keys(before ?? {}).length === 0)
      problems.push(`${name}: nothing changed`);
    for (const [key, value] of Object.entries(before ?? {}))
      if (!(key in object) && !lost.has(key)) problems.push(`${name}: there is no ${key}`);
      else if (isDeepStrictEqual(value, (object as unknown as Record<string, unknown>)[key]))
        problems.push(`${name}: ${key} is as before`);
    if (kinds.includes(object.object) && over.has(status) && object.status !== status)
      problems.push(`${name}: ${status} → ${object.status}`);
    if (
      object.object === 'invoice' &&
      status !== '' &&
      status !== 'draft' &&
      object.status === 'draft'
    )
      problems.push(`${name}: ${status} → draft`);
    status = object.status ?? '';
  }
  const last = told.at(-1)?.data.object;
  if (!present || !last) return problems;
  const [was, is] = [last, present].map(
    (one) => JSON.parse(JSON.stringify(one)) as Record<string, unknown>,
  );
  for (const key of Object.keys(is ?? {}).filter((one) => !silent.has(`${present.object}.${one}`)))
    if (!isDeepStrictEqual(was?.[key], is?.[key]))
      problems.push(
        `${present.object}.${key} changed in silence after ${told.at(-1)?.type}: ${JSON.stringify(was?.[key])} → ${JSON.stringify(is?.[key])}`,
      );
  return problems;
}

/** What an accountant would object to; an empty list when all is well. */
export async function audit(standIn: StripeStandIn, stripe: Stripe): Promise<string[]> {
  const books = await readBooks(stripe);
  const answer = await fetch(`${standIn.url}/_local/events`);
  const { events } = (await answer.json()) as { events: StoryEvent[] };
  const told = events.filter(({ id, data }) => isPlayed({ id }) && data?.object);
  const found = auditBooks(books, standIn.now());
  const byObject = Map.groupBy(told, ({ data }) => data.object.id);
  const {
    subscriptions: s,
    schedules: p,
    invoices: i,
    charges: c,
    refunds: r,
    disputes: d,
  } = books;
  const present = new Map<string, Thing>(
    [...s, ...p, ...i, ...c, ...r, ...d, ...books.customers].map((one) => [one.id, one as Thing]),
  );
  for (const [id, own] of byObject) found.push(...history(own, present.get(id)));
  for (const id of present.keys()) if (!byObject.has(id)) found.push(`${id}: nobody told of it`);
  for (const [n, { created, id }] of told.entries())
    if (created < (told[n - 1]?.created ?? 0)) found.push(`${id}: told before the one before it`);
  return [...new Set(found)];
}
