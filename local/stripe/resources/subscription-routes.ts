import { declined, invalid, missing, missingParameter } from '../core/problem.ts';
import { bool, hash, list, metadata, moments, natural, need, oneOf, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Price } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { collectInvoice } from './payment-collection.ts';
import { needCustomer } from './customers.ts';
import { discountRules, isGivenAway, readDiscounts } from './discounts.ts';
import { draftForNow, finalizeInvoice } from './invoices.ts';
import { given, mergeMetadata } from './metadata.ts';
import { periodFrom } from './periods.ts';
import { addPendingLines, pendingLines, prorationLines } from './prorations.ts';
import { endSubscription } from './subscription-end.ts';
import {
  billingMode,
  checkItems,
  itemLines,
  openSubscription,
  periodOf,
  priceOf,
  setPeriod,
  startSubscription,
} from './subscriptions.ts';
import { cancellationDetails, updateRules } from './subscription-params.ts';
import { readPrice } from './subscription-plan.ts';
import { checkTax } from './taxes.ts';
import { readTrial } from './trials.ts';
import { endings, updateSubscription } from './subscription-update.ts';

function readItems(
  world: World,
  items: { price: string; quantity?: number; metadata?: Record<string, string> | null }[],
) {
  if (items.length === 0) throw missingParameter('items');
  const read = items.map((item, index) => ({
    metadata: mergeMetadata({}, item.metadata),
    price: readPrice(world, item.price, `items[${index}][price]`),
    quantity: item.quantity ?? 1,
  }));
  checkItems(read.map(({ price }): Price => price));
  return read;
}

const create = route(
  'POST',
  '/v1/subscriptions',
  {
    automatic_tax: hash({ enabled: need(bool) }),
    billing_mode: hash({ type: need(oneOf('classic', 'flexible')) }),
    customer: need(str),
    description: str,
    discounts: discountRules,
    items: need(list(hash({ metadata, price: need(str), quantity: natural }), 20)),
    metadata,
    // Only an update can be pending. Source: https://docs.stripe.com/api/subscriptions/create
    payment_behavior: oneOf('allow_incomplete', 'default_incomplete', 'error_if_incomplete'),
    trial_end: natural,
    trial_period_days: natural,
    trial_settings: updateRules.trial_settings,
  },
  ({ world, params }) => {
    const customer = needCustomer(world, params.customer, 'customer');
    const now = world.clock.now();
    const items = readItems(world, params.items);
    checkTax(
      world,
      params.automatic_tax?.enabled,
      items.map(({ price }) => price),
    );
    const trialEnd = readTrial(params, now);
    const redeemer = {
      amount: priceOf(items),
      currency: items[0]?.price.currency ?? '',
      customer: customer.id,
    };
    const isFree =
      trialEnd !== null ||
      isGivenAway(world, params.discounts ?? [], redeemer) ||
      redeemer.amount === 0;
    const isDeferred = params.payment_behavior === 'default_incomplete';
    const card = world.store.notes.cards[customer.id];
    if (card === undefined && !isFree && !isDeferred)
      throw invalid(
        'This customer has no attached payment source or default payment method. Please consider adding a default payment method.',
        { code: 'resource_missing' },
      );
    const isError = params.payment_behavior === 'error_if_incomplete' && card !== 'ok';
    if (isError && !isFree) throw declined();
    const input = {
      customer: customer.id,
      items,
      billingMode: params.billing_mode?.type,
      description: params.description,
      discounts: readDiscounts(world, params.discounts ?? [], redeemer),
      isTaxed: params.automatic_tax?.enabled,
      metadata: mergeMetadata({}, params.metadata),
      trialEnd,
      trialSettings: params.trial_settings ?? null,
    };
    const { subscription, invoice } =
      isDeferred && trialEnd === null
        ? openSubscription(world, input)
        : startSubscription(world, input);
    if (isDeferred && invoice.amount_due === 0 && invoice.status === 'open')
      collectInvoice(world, invoice);
    return subscription;
  },
);

const cancel = route(
  'DELETE',
  '/v1/subscriptions/:subscription',
  {
    cancellation_details: cancellationDetails,
    invoice_now: bool,
    prorate: bool,
  },
  ({ world, id, params }) => {
    const one = world.store.need('subscription', id);
    if (one.ended_at !== null) throw missing('subscription', id);
    Object.assign(one.cancellation_details, given(params.cancellation_details ?? {}));
    if (params.prorate) {
      const now = world.clock.now();
      const unused = { changes: endings(one), now, period: periodOf(one) };
      addPendingLines(world, one, prorationLines(world, one, unused));
    }
    const lines = params.invoice_now ? pendingLines(world, one) : [];
    const invoice = lines.length > 0 && draftForNow(world, one, lines);
    endSubscription(world, one, 'cancellation_requested');
    if (!invoice) return one;
    finalizeInvoice(world, invoice);
    collectInvoice(world, invoice);
    return one;
  },
);

/** Only a paused subscription resumes; one about to be cancelled is kept by an update. */
const resume = route(
  'POST',
  '/v1/subscriptions/:subscription/resume',
  {
    billing_cycle_anchor: hash({ type: need(oneOf('now')) }),
  },
  ({ world, id }) => {
    const one = world.store.need('subscription', id);
    const recurring = one.items.data[0]?.price.recurring;
    if (one.status !== 'paused' || !recurring)
      throw invalid(
        `You cannot resume this subscription because its status is ${one.status}; only a paused subscription can be resumed.`,
      );
    const now = world.clock.now();
    one.billing_cycle_anchor = now;
    setPeriod(one, periodFrom(now, recurring, now));
    one.status = 'active';
    const invoice = draftForNow(world, one, itemLines(world, one, periodOf(one)));
    world.emit('customer.subscription.resumed', one);
    finalizeInvoice(world, invoice);
    collectInvoice(world, invoice);
    return one;
  },
);

/** There is no way back to classic. Source: https://docs.stripe.com/api/subscriptions/migrate */
const migrate = route(
  'POST',
  '/v1/subscriptions/:subscription/migrate',
  { billing_mode: need(hash({ type: need(oneOf('flexible')) })) },
  ({ world, id, params }) =>
    world.change('customer.subscription.updated', world.store.need('subscription', id), (one) => {
      if (one.billing_mode.type === 'flexible')
        throw invalid('The subscription is already in flexible billing mode.');
      const mode = billingMode(params.billing_mode.type);
      one.billing_mode = { ...mode, updated_at: world.clock.now() };
    }),
);

const statuses = oneOf(
  'active',
  'all',
  'canceled',
  'ended',
  'incomplete',
  'incomplete_expired',
  'past_due',
  'paused',
  'trialing',
  'unpaid',
);

/** Without a status Stripe lists all that are not canceled. */
const subscriptionReads = reads(
  'subscription',
  '/v1/subscriptions',
  { created: moments, customer: str, price: str, status: statuses },
  {
    price: (one, id) => one.items.data.some(({ price }) => price.id === id),
    status: (one, status) =>
      status === 'all' ||
      (status === 'ended' ? ['canceled', 'incomplete_expired'] : [status]).includes(one.status),
  },
  (one, { status }) => status === undefined && one.status === 'canceled',
);

/** Subscriptions. Source: https://docs.stripe.com/api/subscriptions */
export const subscriptionRoutes: Route[] = [
  create,
  cancel,
  resume,
  migrate,
  route('POST', '/v1/subscriptions/:subscription', updateRules, ({ world, id, params }) =>
    updateSubscription(world, world.store.need('subscription', id), params),
  ),
  ...subscriptionReads,
];
