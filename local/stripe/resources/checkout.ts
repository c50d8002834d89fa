import { daySeconds, minuteSeconds } from '../core/clock.ts';
import { invalid, missingParameter, onlyOne } from '../core/problem.ts';
import type { SessionNote } from '../core/store.ts';
import type { Customer, LineItem, Price, Session } from '../core/types.ts';
import type { World } from '../core/world.ts';
import type { NewSession } from './checkout-params.ts';
import { setTotals } from './checkout-totals.ts';
import { needCustomer, noAddress } from './customers.ts';
import { given, mergeMetadata, pick } from './metadata.ts';
import { readPrice } from './subscription-plan.ts';
import { checkItems } from './subscriptions.ts';
import { readTrial } from './trials.ts';
import { automaticTax, checkTax } from './taxes.ts';

function checkUrl(url: string | undefined, param: string): void {
  if (url !== undefined && !/^https?:\/\/\S+$/i.test(url))
    throw invalid('Not a valid URL', { code: 'url_invalid', param });
}

const taxNeedsAddress =
  "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' to save the address entered in Checkout to the Customer.";

/** Texts and code: laravel/cashier-stripe issues 1134, 1585 and 1778, raystack/frontier pull 565. */
function checkExtras(params: NewSession, customer: Customer | null): void {
  const { customer_update: update } = params;
  if (update && !customer)
    throw invalid('`customer_update` can only be used with `customer`.', 'customer_update');
  if (params.automatic_tax?.enabled && customer && !customer.address && update?.address !== 'auto')
    throw invalid(taxNeedsAddress, { code: 'customer_tax_location_invalid' });
  if (params.tax_id_collection?.enabled && customer && update?.name !== 'auto')
    throw invalid(
      'Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.',
    );
}

/** Parameters that only one mode takes. */
const modes = {
  customer_creation: 'payment',
  payment_intent_data: 'payment',
  payment_method_collection: 'subscription',
  subscription_data: 'subscription',
} as const;

/** Refuses what Stripe refuses about the combination of parameters. */
function checkModes(params: NewSession): void {
  for (const param of Object.keys(modes) as (keyof typeof modes)[])
    if (params[param] !== undefined && params.mode !== modes[param])
      throw invalid(`You can not pass \`${param}\` in \`${params.mode}\` mode.`, param);
  onlyOne(params, 'allow_promotion_codes', 'discounts');
  onlyOne(params, 'customer', 'customer_email');
  onlyOne(params, 'customer', 'customer_creation');
  onlyOne(params.subscription_data ?? {}, 'trial_end', 'trial_period_days');
  const { customer_email: email } = params;
  if (email !== undefined && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email))
    throw invalid(`Invalid email address: ${email}`, {
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
    const price = readPrice(world, item.price, `${param}[price]`);
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
      'line_items',
    );
  if (params.mode === 'subscription' && recurring.length === 0)
    throw invalid(
      'You must provide at least one recurring price in `subscription` mode when using prices.',
      'line_items',
    );
  if (recurring.length > 0) checkItems(recurring.map(({ price }) => price));
  if (new Set(lines.map(({ price }) => price.currency)).size > 1)
    throw invalid('All prices must use the same currency.', 'line_items');
  return lines;
}

function readExpiry(world: World, given: number | undefined): number {
  const now = world.clock.now();
  if (given === undefined) return now + daySeconds;
  if (given < now + 30 * minuteSeconds || given > now + daySeconds)
    throw invalid(
      'The `expires_at` timestamp must be between 30 minutes and 24 hours after the Checkout Session creation.',
      'expires_at',
    );
  return given;
}

const addLineItem = (world: World, { price, quantity, metadata: meta }: Line): LineItem =>
  world.store.add('item', world.clock.now(), {
    currency: price.currency,
    description: world.store.find('product', price.product)?.name ?? null,
    metadata: meta,
    price,
    quantity,
  });

const readDiscount = (
  world: World,
  entry: NonNullable<NewSession['discounts']>[number],
): NonNullable<Session['discounts']>[number] => {
  const { coupon, promotion_code: code } = entry;
  if ((coupon === undefined) === (code === undefined))
    throw invalid(
      'You must specify one of these parameters: coupon, promotion_code.',
      'discounts[0]',
    );
  if (code === undefined) return { coupon: coupon ?? null, promotion_code: null };
  const found = world.store.need('promotion_code', code, 'discounts[0][promotion_code]');
  return { coupon: found.promotion.coupon, promotion_code: code };
};

/** Parameters that the session shows as they are. */
const shownFields = [
  'allow_promotion_codes',
  'allowed_payment_method_types',
  'billing_address_collection',
  'cancel_url',
  'client_reference_id',
  'customer_email',
  'locale',
  'mode',
  'submit_type',
  'success_url',
] as const;

/** The fields of a new session that come straight from its parameters. */
function fieldsOf(world: World, params: NewSession, customer: Customer | null): Partial<Session> {
  const isPayment = params.mode === 'payment';
  const { tax_id_collection: taxIds } = params;
  return {
    ...pick(params, shownFields),
    automatic_tax: automaticTax(
      params.automatic_tax?.enabled ?? false,
      customer?.address ? 'complete' : 'requires_location_inputs',
    ),
    customer: customer?.id ?? null,
    customer_creation: isPayment && !customer ? (params.customer_creation ?? 'if_required') : null,
    customer_details: detailsOf(customer?.email ?? params.customer_email ?? null, null),
    discounts: params.discounts?.map((one) => readDiscount(world, one)) ?? null,
    expires_at: readExpiry(world, params.expires_at),
    metadata: mergeMetadata({}, params.metadata),
    payment_method_collection: isPayment
      ? 'if_required'
      : (params.payment_method_collection ?? 'always'),
    payment_method_types: params.allowed_payment_method_types ?? ['card', 'us_bank_account'],
    ...(taxIds?.enabled && {
      tax_id_collection: { enabled: true, required: taxIds.required ?? 'never' },
    }),
  };
}

/** What Stripe knows of the buyer; null until it knows an e-mail address. */
export const detailsOf = (email: string | null, name: string | null) =>
  email === null
    ? null
    : {
        address: { ...noAddress },
        business_name: null,
        email,
        individual_name: null,
        name,
        phone: null,
        tax_exempt: 'none',
        tax_ids: [],
      };

const noteFrom = (world: World, params: NewSession, lines: Line[]): SessionNote => {
  const { payment_intent_data: payment, subscription_data: subscription } = params;
  const trial = params.subscription_data ?? {};
  const trialEnd = readTrial(trial, world.clock.now(), 2, (name) => `subscription_data[${name}]`);
  return {
    lines: lines.map((line) => addLineItem(world, line).id),
    payment: { ...given(payment ?? {}), metadata: mergeMetadata({}, payment?.metadata) },
    saves: {
      address: params.customer_update?.address === 'auto',
      name: params.customer_update?.name === 'auto',
    },
    settlesAt: null,
    subscription: {
      billingMode: subscription?.billing_mode?.type,
      description: subscription?.description,
      metadata: mergeMetadata({}, subscription?.metadata),
      trialEnd,
      trialSettings: subscription?.trial_settings ?? null,
    },
  };
};

/** Makes an open session. @throws Problem for what Stripe would refuse. */
export function createSession(world: World, params: NewSession): Session {
  checkModes(params);
  checkUrl(params.success_url, 'success_url');
  checkUrl(params.cancel_url, 'cancel_url');
  const { customer: id } = params;
  const customer = id === undefined ? null : needCustomer(world, id, 'customer');
  checkExtras(params, customer);
  const lines = readLines(world, params);
  checkTax(
    world,
    params.automatic_tax?.enabled,
    lines.map(({ price }) => price),
  );
  const currency = lines[0]?.price.currency ?? null;
  if (params.currency !== undefined && params.currency.toLowerCase() !== currency)
    throw invalid(
      `The prices are in ${currency}; this stand-in plays no other currency options.`,
      'currency',
    );
  const note = noteFrom(world, params, lines);
  const session = world.store.make('checkout.session', world.clock.now(), {
    ...fieldsOf(world, params, customer),
    currency,
  });
  session.url = `${world.base}/checkout/pay/${session.id}`;
  world.store.notes.sessions[session.id] = note;
  setTotals(world, session);
  return world.store.replace('checkout.session', session.id, session);
}
