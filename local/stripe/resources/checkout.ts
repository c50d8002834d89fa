import { invalid, missingParameter } from '../core/problem.ts';
import type { SessionNote } from '../core/store.ts';
import type { LineItem, Price, Session } from '../core/types.ts';
import type { World } from '../core/world.ts';
import type { NewSession } from './checkout-params.ts';
import { needCustomer } from './customers.ts';
import { mergeMetadata } from './metadata.ts';
import { checkItems } from './subscriptions.ts';

const MINUTE = 60;
const DAY = 86_400;

function checkUrl(url: string | undefined, param: string): void {
  if (url !== undefined && !/^https?:\/\/\S+$/i.test(url))
    throw invalid('Not a valid URL', { code: 'url_invalid', param });
}

/** Refuses what Stripe refuses about the combination of parameters. */
function checkModes(params: NewSession): void {
  const { mode } = params;
  if (mode === 'payment' && params.subscription_data)
    throw invalid('You can not pass `subscription_data` in `payment` mode.', {
      param: 'subscription_data',
    });
  if (mode === 'subscription' && params.payment_intent_data)
    throw invalid('You can not pass `payment_intent_data` in `subscription` mode.', {
      param: 'payment_intent_data',
    });
  if (mode === 'subscription' && params.customer_creation !== undefined)
    throw invalid('`customer_creation` can only be used in `payment` mode.', {
      param: 'customer_creation',
    });
  if (mode === 'payment' && params.payment_method_collection !== undefined)
    throw invalid('`payment_method_collection` can only be used in `subscription` mode.', {
      param: 'payment_method_collection',
    });
  if (params.customer !== undefined && params.customer_email !== undefined)
    throw invalid('You may only specify one of these parameters: customer, customer_email.');
  if (params.customer !== undefined && params.customer_creation !== undefined)
    throw invalid('You may only specify one of these parameters: customer, customer_creation.');
  if (params.automatic_tax?.enabled || params.tax_id_collection?.enabled)
    throw invalid('This stand-in does not compute taxes.', { param: 'automatic_tax' });
  if (
    params.customer_email !== undefined &&
    !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(params.customer_email)
  )
    throw invalid(`Invalid email address: ${params.customer_email}`, {
      code: 'email_invalid',
      param: 'customer_email',
    });
}

type Line = { price: Price; quantity: number; metadata: Record<string, string> };

/** Looks the prices up and refuses those that do not fit the mode. */
function readLines(world: World, params: NewSession): Line[] {
  if (params.line_items.length === 0) throw missingParameter('line_items');
  const lines = params.line_items.map((item, index): Line => {
    const param = `line_items[${index}]`;
    const price = world.store.need('price', item.price, `${param}[price]`);
    if (!price.active)
      throw invalid('The price specified is inactive. This field only accepts active prices.', {
        param: `${param}[price]`,
      });
    if (item.quantity === undefined) throw missingParameter(`${param}[quantity]`);
    if (item.quantity < 1)
      throw invalid('This value must be greater than or equal to 1.', {
        code: 'parameter_invalid_integer',
        param: `${param}[quantity]`,
      });
    return { price, quantity: item.quantity, metadata: mergeMetadata({}, item.metadata) };
  });
  const recurring = lines.filter(({ price }) => price.recurring);
  if (params.mode === 'payment' && recurring.length > 0)
    throw invalid(
      'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.',
      { param: 'line_items' },
    );
  if (params.mode === 'subscription' && recurring.length === 0)
    throw invalid(
      'You must provide at least one recurring price in `subscription` mode when using prices.',
      { param: 'line_items' },
    );
  if (recurring.length > 0) checkItems(recurring.map(({ price }) => price));
  if (new Set(lines.map(({ price }) => price.currency)).size > 1)
    throw invalid('All prices must use the same currency.', { param: 'line_items' });
  return lines;
}

function readTrial(world: World, params: NewSession): number | null {
  const { trial_end: end, trial_period_days: days } = params.subscription_data ?? {};
  const now = world.clock.now();
  if (end !== undefined && days !== undefined)
    throw invalid('You may only specify one of these parameters: trial_end, trial_period_days.');
  if (days !== undefined && (days < 1 || days > 730))
    throw invalid('The minimum number of trial period days is 1 and the maximum 730.', {
      param: 'subscription_data[trial_period_days]',
    });
  if (end !== undefined && end < now + 2 * DAY)
    throw invalid('The `trial_end` date has to be at least 2 days in the future.', {
      param: 'subscription_data[trial_end]',
    });
  return end ?? (days === undefined ? null : now + days * DAY);
}

function readExpiry(world: World, given: number | undefined): number {
  const now = world.clock.now();
  if (given === undefined) return now + DAY;
  if (given < now + 30 * MINUTE || given > now + DAY)
    throw invalid(
      'The `expires_at` timestamp must be between 30 minutes and 24 hours after the Checkout Session creation.',
      { param: 'expires_at' },
    );
  return given;
}

const addLineItem = (world: World, { price, quantity, metadata: meta }: Line): LineItem => {
  const amount = (price.unit_amount ?? 0) * quantity;
  return world.store.add('item', world.clock.now(), {
    amount_subtotal: amount,
    amount_total: amount,
    currency: price.currency,
    description: world.store.find('product', price.product)?.name ?? null,
    metadata: meta,
    price,
    quantity,
  });
};

/** The fields of a new session that come straight from its parameters. */
function fieldsOf(world: World, params: NewSession, dueNow: number): Partial<Session> {
  const isPayment = params.mode === 'payment';
  const customer =
    params.customer === undefined ? null : needCustomer(world, params.customer, 'customer');
  return {
    allow_promotion_codes: params.allow_promotion_codes ?? null,
    amount_subtotal: dueNow,
    amount_total: dueNow,
    billing_address_collection: params.billing_address_collection ?? null,
    cancel_url: params.cancel_url ?? null,
    client_reference_id: params.client_reference_id ?? null,
    customer: customer?.id ?? null,
    customer_creation: isPayment && !customer ? (params.customer_creation ?? 'if_required') : null,
    customer_details: detailsOf(customer?.email ?? params.customer_email ?? null, null),
    customer_email: params.customer_email ?? null,
    expires_at: readExpiry(world, params.expires_at),
    locale: params.locale ?? null,
    metadata: mergeMetadata({}, params.metadata),
    mode: params.mode,
    payment_method_collection: isPayment
      ? 'if_required'
      : (params.payment_method_collection ?? 'always'),
    payment_method_types: params.payment_method_types ?? ['card'],
    submit_type: params.submit_type ?? null,
    success_url: params.success_url,
  };
}

/** What Stripe knows of the buyer; null until it knows an e-mail address. */
export const detailsOf = (email: string | null, name: string | null) =>
  email === null
    ? null
    : {
        address: {
          city: null,
          country: null,
          line1: null,
          line2: null,
          postal_code: null,
          state: null,
        },
        business_name: null,
        email,
        individual_name: null,
        name,
        phone: null,
        tax_exempt: 'none',
        tax_ids: [],
      };

/** Makes an open session. @throws Problem for what Stripe would refuse. */
export function createSession(world: World, params: NewSession): Session {
  checkModes(params);
  checkUrl(params.success_url, 'success_url');
  checkUrl(params.cancel_url, 'cancel_url');
  const lines = readLines(world, params);
  const trialEnd = readTrial(world, params);
  const dueNow = lines.reduce(
    (sum, { price, quantity }) =>
      sum + (trialEnd !== null && price.recurring ? 0 : (price.unit_amount ?? 0) * quantity),
    0,
  );
  const fields = fieldsOf(world, params, dueNow);
  const session = world.store.add('checkout.session', world.clock.now(), {
    ...fields,
    currency: lines[0]?.price.currency ?? null,
  });
  session.url = `${world.base}/checkout/pay/${session.id}`;
  const note: SessionNote = {
    description: params.payment_intent_data?.description ?? null,
    lines: lines.map((line) => addLineItem(world, line).id),
    paymentMetadata: mergeMetadata({}, params.payment_intent_data?.metadata),
    settlesAt: null,
    subscriptionMetadata: mergeMetadata({}, params.subscription_data?.metadata),
    trialEnd,
    trialSettings: params.subscription_data?.trial_settings ?? null,
  };
  world.store.notes.sessions[session.id] = note;
  return session;
}
