import type Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import { eventOf } from '../webhooks/ask-stripe.ts';
import { decide, deciders, readEvent, type StripeEvent } from '../webhooks/decide.pure.ts';
import { applyEvent, previewEvent } from '../webhooks/receive.ts';
import { fromStripe } from './stripe-errors.ts';

/** Events and customers in one page, and pages in one call: what fits into one invocation. */
const eventsPerPage = 100;
const customersPerPage = 5;
const longestMs = 20_000;

export type ReconcileInput = {
  dryRun: boolean;
  /** Where a call before this one stopped. */
  cursor?: string | undefined;
};

export type Difference = {
  /** The Stripe event or object that had not had its effect. */
  object: string;
  type: string;
  status: string;
  code: string | null;
  /** Ledger entries that were missing, posted now unless `dryRun`. */
  entries: { businessKey: string; kind: string; amount: number; userId: string }[];
  subscription: boolean;
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
  const read = page.data.map((event) => readEvent(event)).filter((event) => event !== undefined);
  const handled = read.filter(
    (event) => Object.hasOwn(deciders, event.type) && !('skip' in decide(event)),
  );
  const rows = await ctx.db.rows<{ event_id: string }>(
    "select event_id from stripe_events where event_id = any($1) and status in ('completed', 'skipped')",
    [handled.map((event) => event.id)],
  );
  const known = new Set(rows.map((row) => row.event_id));
  const last = page.data.at(-1)?.id;
  return {
    events: handled.filter((event) => !known.has(event.id)),
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
async function eventsOfCustomer(stripe: Stripe, customer: string): Promise<StripeEvent[]> {
  const invoices = await all(stripe.invoices.list({ customer, status: 'paid', limit: 100 }));
  const sessions = await all(
    stripe.checkout.sessions.list({ customer, status: 'complete', limit: 100 }),
  );
  const subscriptions = await all(
    stripe.subscriptions.list({ customer, status: 'all', limit: 100 }),
  );
  const charges = await all(stripe.charges.list({ customer, limit: 100 }));
  const events = [
    ...invoices.map((invoice) => eventOf('invoice.paid', invoice)),
    ...sessions.map((session) => eventOf('checkout.session.completed', session)),
    ...subscriptions.map((subscription) => eventOf('customer.subscription.updated', subscription)),
  ];
  for (const charge of charges) {
    if (charge.amount_refunded > 0)
      for (const refund of await all(stripe.refunds.list({ charge: charge.id, limit: 100 })))
        events.push(eventOf('refund.updated', refund));
    if (charge.disputed)
      for (const dispute of await all(stripe.disputes.list({ charge: charge.id, limit: 100 })))
        events.push(eventOf('charge.dispute.updated', dispute));
  }
  return events;
}

async function customersPage(ctx: Ctx, after: string): Promise<Page> {
  const page = await ctx.stripe.customers.list({
    limit: customersPerPage,
    ...(after !== '' && { starting_after: after }),
  });
  const events: StripeEvent[] = [];
  for (const customer of page.data)
    events.push(...(await eventsOfCustomer(ctx.stripe, customer.id)));
  const last = page.data.at(-1)?.id;
  return { events, next: page.has_more && last !== undefined ? `customers:${last}` : null };
}

/** What is missing comes in the order in which it happened. */
const byTime = (a: StripeEvent, b: StripeEvent): number => a.created - b.created;

async function compare(
  ctx: Ctx,
  event: StripeEvent,
  dryRun: boolean,
): Promise<Difference | undefined> {
  const preview = await previewEvent(ctx, event);
  const changes = preview.entries.length > 0 || preview.subscription || preview.status === 'failed';
  if (!changes) return undefined;
  // An object that cannot be applied is told each time, not stored: only an event can wait.
  const isHopeless = preview.status === 'failed' && event.id.startsWith('read:');
  const applied = dryRun || isHopeless ? preview : await applyEvent(ctx, event);
  const { entries, subscription } = preview;
  return {
    object: event.id,
    type: event.type,
    status: applied.status,
    code: applied.code,
    entries,
    subscription,
  };
}

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
