import { legacyPlan, ourPrice } from './catalogue.ts';
import { bill, draftInvoice, finalizeInvoice, payInvoice } from './invoices.ts';
import {
  fullLine,
  isMetered,
  nextPeriod,
  onceLine,
  periodOf,
  pricingOf,
  proration,
  type Draft,
  type Item,
  type Terms,
} from './lines.ts';
import { completePlan } from './sessions.ts';
import type { Kinds, Price, Story } from './story.ts';

type Subscription = Kinds['subscription'];
type Invoice = Kinds['invoice'];
const DAY = 86_400;
const HOUR = 3600;

/** A customer with the cast's e-mail. */
export function makeCustomer(story: Story, fields: Partial<Kinds['customer']> = {}) {
  const { email = 'ada@example.com', userId } = story.cast;
  const customer = story.make('customer', {
    currency: story.cast.currency ?? 'usd',
    email,
    invoice_prefix: 'STORY',
    metadata: userId === undefined ? {} : { user_id: userId },
    name: 'Ada Lovelace',
    ...fields,
  });
  story.tell('customer.created', customer);
  return customer;
}

export type Wanted = Price | { price: Price; quantity?: number };

function makeItem(story: Story, subscription: string, wanted: Wanted, trialEnd: number | null) {
  const { price, quantity = 1 } = 'price' in wanted ? wanted : { price: wanted };
  const item = story.make('subscription_item', {
    current_period_end: trialEnd ?? nextPeriod(price, story.at).end,
    current_period_start: story.at,
    plan: legacyPlan(price),
    price,
    quantity,
    subscription,
  });
  if (isMetered(price)) Reflect.deleteProperty(item, 'quantity');
  return item;
}

export type Sale = Terms & {
  /** In the order in which Stripe lists them. The plan, where left out. */
  items?: Wanted[];
  /** Set-up fees and the like, billed with the first invoice. */
  once?: Price[];
  customer?: Kinds['customer'];
  trialDays?: number;
  /** What a checkout session says of itself; null for a subscription made in the dashboard. */
  session?: Partial<Kinds['checkout.session']> | null;
  fields?: Partial<Subscription>;
};

/** A subscription with its items; `metadata.user_id` where our own checkout made it. */
function makeSubscription(story: Story, sale: Sale, customer: string): Subscription {
  const { items = [ourPrice(story, 'plan')], trialDays, session } = sale;
  const id = story.id('sub_1');
  const trialEnd = trialDays === undefined ? null : story.at + trialDays * DAY;
  const { userId } = story.cast;
  const isOurs = session === undefined && userId !== undefined;
  const made = items.map((wanted) => makeItem(story, id, wanted, trialEnd));
  return story.make('subscription', {
    id,
    billing_cycle_anchor: trialEnd ?? story.at,
    billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible' },
    currency: made[0]?.price.currency ?? 'usd',
    customer,
    items: {
      object: 'list',
      data: made,
      has_more: false,
      url: `/v1/subscription_items?subscription=${id}`,
    },
    metadata: isOurs ? { user_id: userId } : {},
    start_date: story.at,
    status: trialEnd === null ? 'incomplete' : 'trialing',
    trial_end: trialEnd,
    trial_start: trialEnd === null ? null : story.at,
    ...sale.fields,
  });
}

/** A purchase up to its payment, with the checkout session unless the dashboard made it. */
export function subscribe(story: Story, sale: Sale = {}): Subscription {
  const customer =
    sale.customer ?? makeCustomer(story, sale.session === undefined ? {} : { metadata: {} });
  const subscription = makeSubscription(story, sale, customer.id);
  const items = subscription.items.data.filter(({ price }) => !isMetered(price));
  const isTrial = sale.trialDays !== undefined;
  const invoice = draftInvoice(story, {
    ...sale,
    customer: customer.id,
    fields: {},
    lines: [
      ...(sale.once ?? []).map((price) => onceLine(story, price)),
      ...items.map((item) => ({ ...fullLine(item), ...(isTrial && { amount: 0 }) })),
    ],
    reason: 'subscription_create',
    subscription,
  });
  story.tell('customer.subscription.created', subscription);
  finalizeInvoice(story, invoice);
  if (!isTrial)
    story.change('customer.subscription.updated', subscription, (one) => {
      one.status = 'active';
    });
  payInvoice(story, invoice);
  if (sale.session !== null) completePlan(story, { invoice, subscription }, sale.session);
  return subscription;
}

/** Moves the items whose period ends now into their next one. */
function advance(story: Story, one: Subscription): Item[] {
  const due = one.items.data.filter((item) => item.current_period_end === story.at);
  for (const item of due) {
    item.current_period_start = story.at;
    item.current_period_end = nextPeriod(item.price, story.at, one.billing_cycle_anchor).end;
  }
  return due;
}

type Renewal = Terms & {
  /** Units used of metered items, by price. */
  units?: Record<string, number>;
  /** Leaves the invoice open. */
  isUnpaid?: boolean;
};

/**
 * The next period to end: the subscription moves, a draft follows with what was pending first, and an
 * hour later it is paid, or kept as a paused collection says. Mixed intervals bill apart.
 * Source: https://docs.stripe.com/billing/subscriptions/mixed-interval, /pause-payment
 */
export function renew(story: Story, subscription: Subscription, renewal: Renewal = {}): Invoice {
  const ends = subscription.items.data.map((item) => item.current_period_end);
  story.at = Math.min(...ends);
  const periods = new Map(subscription.items.data.map((item) => [item.id, periodOf(item)]));
  const id = story.id('in_1');
  let due: Item[] = [];
  story.change('customer.subscription.updated', subscription, (one) => {
    due = advance(story, one);
    one.latest_invoice = id;
    if (one.status === 'trialing') one.status = 'active';
  });
  const ended = periods.get(due[0]?.id ?? '') ?? { start: story.at, end: story.at };
  const paused = subscription.pause_collection?.behavior;
  const invoice = draftInvoice(story, {
    ...renewal,
    id,
    customer: subscription.customer,
    fields:
      paused === 'keep_as_draft'
        ? { auto_advance: false }
        : { automatically_finalizes_at: story.at + HOUR },
    lines: [
      ...takePending(story, subscription),
      ...due.map((item) =>
        isMetered(item.price)
          ? fullLine(item, renewal.units?.[item.price.id] ?? 0, periods.get(item.id))
          : fullLine(item),
      ),
    ],
    period: ended,
    reason: 'subscription_cycle',
    subscription,
  });
  if (paused === 'keep_as_draft') return invoice;
  story.wait(HOUR);
  invoice.automatically_finalizes_at = null;
  finalizeInvoice(story, invoice);
  if (renewal.isUnpaid) return invoice;
  if (paused === undefined) return payInvoice(story, invoice);
  const isVoid = paused === 'void';
  Object.assign(invoice, { auto_advance: false, status: isVoid ? 'void' : 'uncollectible' });
  invoice.status_transitions[isVoid ? 'voided_at' : 'marked_uncollectible_at'] = story.at;
  story.tell(isVoid ? 'invoice.voided' : 'invoice.marked_uncollectible', invoice);
  return invoice;
}

/** Keeps a line as an invoice item until the next invoice takes it. Source: https://docs.stripe.com/api/invoiceitems */
export function addPending(story: Story, subscription: Subscription, draft: Draft): void {
  const item = story.make('invoiceitem', {
    amount: draft.amount,
    currency: draft.price.currency,
    customer: subscription.customer,
    date: story.at,
    discountable: !draft.proration,
    net_amount: draft.amount,
    parent: {
      subscription_details: {
        subscription: subscription.id,
        ...(draft.item && { subscription_item: draft.item.id }),
      },
      type: 'subscription_details',
    },
    period: draft.period,
    pricing: pricingOf(draft.price),
    proration: draft.proration ?? false,
    quantity: draft.quantity,
    quantity_decimal: String(draft.quantity),
  });
  story.pending.push({ subscription: subscription.id, line: { ...draft, invoiceItem: item.id } });
  story.tell('invoiceitem.created', item);
}

/** What was pending, the newest first, as Stripe lists it. */
function takePending(story: Story, { id }: Subscription): Draft[] {
  const mine = story.pending.filter(({ subscription }) => subscription === id);
  for (const one of mine) story.pending.splice(story.pending.indexOf(one), 1);
  return mine.map(({ line }) => line as Draft).toReversed();
}

type Change = {
  item?: Item | undefined;
  price?: Price;
  quantity?: number;
  behavior: 'always_invoice' | 'create_prorations' | 'none';
};

/**
 * The dashboard changes an item within its period; the anchor stays.
 * Source: https://docs.stripe.com/billing/subscriptions/prorations
 */
export function changeItem(
  story: Story,
  subscription: Subscription,
  change: Change,
): Invoice | undefined {
  const item = change.item ?? subscription.items.data[0];
  if (!item) throw new Error('The subscription has no item.');
  const unused = proration(story, item, -1);
  const isInvoiced = change.behavior === 'always_invoice';
  const id = story.id('in_1');
  story.change('customer.subscription.updated', subscription, (one) => {
    if (isInvoiced) one.latest_invoice = id;
    item.price = change.price ?? item.price;
    item.plan = legacyPlan(item.price);
    item.quantity = change.quantity ?? item.quantity;
  });
  const drafts = [unused, proration(story, item, 1)];
  if (change.behavior === 'create_prorations')
    for (const draft of drafts) addPending(story, subscription, draft);
  if (!isInvoiced) return undefined;
  return bill(story, {
    id,
    customer: subscription.customer,
    lines: [...takePending(story, subscription), ...drafts],
    reason: 'subscription_update',
    subscription,
  });
}

/** Ends a subscription at once; with `invoiceNow` the unused time goes to the customer's balance. */
export function cancelNow(story: Story, subscription: Subscription, invoiceNow = false): void {
  const unused = subscription.items.data.map((item) => proration(story, item, -1));
  if (invoiceNow)
    bill(story, {
      customer: subscription.customer,
      lines: [...takePending(story, subscription), ...unused],
      reason: 'subscription_update',
      subscription,
    });
  Object.assign(subscription, { canceled_at: story.at, ended_at: story.at, status: 'canceled' });
  subscription.cancellation_details = {
    comment: null,
    feedback: null,
    feedback_option: null,
    reason: 'cancellation_requested',
  };
  story.tell('customer.subscription.deleted', subscription);
}
