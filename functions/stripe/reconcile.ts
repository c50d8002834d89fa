import type Stripe from 'stripe';
import { fromStripe } from '../clients/stripe-errors.ts';
import type { Ctx } from '../deps.ts';
import { applyEvent } from './apply-event.ts';
import { answeredAt, applyReading, eventOf, type Change } from './apply-reading.ts';
import { knowledgeOf, readCatalogue } from './catalogue.ts';
import { fetchMissing } from './fetch-missing.ts';
import { isTelling, read, readEvent } from './read-event.pure.ts';
import type { StripeEvent } from './reading.pure.ts';

/** Events and customers in one page, and pages in one call: what fits into one invocation. */
const eventsPerPage = 100;
const customersPerPage = 5;
const longestMs = 20_000;

export type ReconcileInput = {
  dryRun: boolean;
  /** Where a call before this one stopped. */
  cursor?: string | undefined;
};

export type Difference = Pick<Change, 'status' | 'code' | 'entries' | 'facts'> & {
  /** The Stripe event or object that had not had its effect. */
  object: string;
  type: string;
};

export type Reconciled = {
  checked: number;
  differences: Difference[];
  /** Null: everything was walked. */
  nextCursor: string | null;
};

type Page = { events: StripeEvent[]; next: string | null };

/** Events of the last 30 days that never arrived, newest first, as Stripe lists them. */
async function eventsPage(ctx: Ctx, after: string): Promise<Page> {
  const page = await ctx.stripe.events.list({
    limit: eventsPerPage,
    ...(after !== '' && { starting_after: after }),
  });
  const telling = page.data
    .map((event) => readEvent(event))
    .filter((event) => event !== undefined)
    .filter(({ type }) => isTelling(type));
  const rows = await ctx.db.rows<{ event_id: string }>(
    "select event_id from stripe_events where event_id = any($1) and status in ('completed', 'skipped', 'dismissed')",
    [telling.map((event) => event.id)],
  );
  const known = new Set(rows.map((row) => row.event_id));
  const last = page.data.at(-1)?.id;
  return {
    events: telling.filter((event) => !known.has(event.id)),
    next: page.has_more && last !== undefined ? `events:${last}` : 'customers:',
  };
}

/** Up to `most` objects of a list: nobody has more than that in one customer's history by honest means. */
async function all<T>(list: AsyncIterable<T>, most = 1000): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) {
    items.push(item);
    if (items.length === most) break;
  }
  return items;
}

/** Everything of a customer that moves credits, as the events that would have brought it. */
async function eventsOfCustomer(ctx: Ctx, customer: string): Promise<StripeEvent[]> {
  const { stripe } = ctx;
  const invoices = await all(stripe.invoices.list({ customer, status: 'paid', limit: 100 }));
  const sessions = await all(
    stripe.checkout.sessions.list({ customer, status: 'complete', limit: 100 }),
  );
  // A state is as of the answer, by Stripe's clock.
  const answer = await stripe.subscriptions.list({ customer, status: 'all', limit: 100 });
  const subscriptions = answer.has_more
    ? await all(stripe.subscriptions.list({ customer, status: 'all', limit: 100 }))
    : answer.data;
  const charges = await all(stripe.charges.list({ customer, limit: 100 }));
  const readAt = answeredAt(ctx, answer);
  const paidAt = (invoice: Stripe.Invoice) => invoice.status_transitions.paid_at ?? invoice.created;
  const events = [
    ...invoices.map((invoice) => eventOf('invoice.paid', invoice, paidAt(invoice))),
    ...sessions.map((session) => eventOf('checkout.session.completed', session, session.created)),
    ...subscriptions.map((one) => eventOf(stateEvent(one), one, readAt)),
  ];
  for (const charge of charges) {
    if (charge.amount_refunded > 0)
      for (const refund of await all(stripe.refunds.list({ charge: charge.id, limit: 100 })))
        events.push(eventOf('refund.updated', refund, refund.created));
    if (charge.disputed)
      for (const dispute of await all(stripe.disputes.list({ charge: charge.id, limit: 100 })))
        events.push(eventOf('charge.dispute.updated', dispute, dispute.created));
  }
  return events;
}

const stateEvent = ({ ended_at: endedAt }: Stripe.Subscription): string =>
  endedAt === null ? 'customer.subscription.updated' : 'customer.subscription.deleted';

async function customersPage(ctx: Ctx, after: string): Promise<Page> {
  const page = await ctx.stripe.customers.list({
    limit: customersPerPage,
    ...(after !== '' && { starting_after: after }),
  });
  const events: StripeEvent[] = [];
  for (const customer of page.data) events.push(...(await eventsOfCustomer(ctx, customer.id)));
  const last = page.data.at(-1)?.id;
  return { events, next: page.has_more && last !== undefined ? `customers:${last}` : null };
}

/** What is missing comes in the order in which it happened. */
const byTime = (a: StripeEvent, b: StripeEvent): number => a.created - b.created;

/** What Stripe has and the books have not; an event that never came is stored, an object is only told. */
async function compare(
  ctx: Ctx,
  event: StripeEvent,
  dryRun: boolean,
): Promise<Difference | undefined> {
  const knowledge = knowledgeOf(ctx, await readCatalogue(ctx));
  const fetched = await fetchMissing(ctx, event, knowledge);
  const reading = 'fail' in fetched ? fetched : read(fetched.event, knowledge);
  const isSent = event.id !== '';
  const change = await applyReading(ctx, reading, { dryRun: dryRun || isSent });
  const isDifferent = change.facts.length > 0 || change.status === 'failed';
  if (isSent && !dryRun) {
    const { status, code } = await applyEvent(ctx, event);
    if (status !== 'duplicate') Object.assign(change, { status, code });
  }
  if (!isDifferent) return undefined;
  const { status, code, entries, facts } = change;
  return { object: objectIdOf(event), type: event.type, status, code, entries, facts };
}

const objectIdOf = ({ id, payload }: StripeEvent): string => {
  if (id !== '') return id;
  const { object } = payload['data'] as { object: { id: string } };
  return object.id;
};

/**
 * Walks Stripe: events of the last 30 days that never arrived, then every customer's invoices, sessions,
 * subscriptions, refunds and disputes. What is missing is posted through the same path as a webhook;
 * `dryRun` only tells. Stops after 20 s with a cursor to go on from.
 */
export async function reconcile(ctx: Ctx, input: ReconcileInput): Promise<Reconciled> {
  const until = ctx.now().getTime() + longestMs;
  const differences: Difference[] = [];
  let checked = 0;
  let cursor: string | null = input.cursor ?? 'events:';
  while (cursor !== null && ctx.now().getTime() < until) {
    const [walk, after = '']: string[] = cursor.split(':');
    let page: Page;
    try {
      page = await (walk === 'events' ? eventsPage(ctx, after) : customersPage(ctx, after));
    } catch (error) {
      throw fromStripe(error);
    }
    for (const event of page.events.toSorted(byTime)) {
      checked += 1;
      const difference = await compare(ctx, event, input.dryRun);
      if (!difference) continue;
      differences.push(difference);
      ctx.log('reconcile_difference', {
        object: difference.object,
        type: difference.type,
        status: difference.status,
        entries: difference.entries.length,
        dryRun: input.dryRun,
      });
    }
    cursor = page.next;
  }
  return { checked, differences, nextCursor: cursor };
}
