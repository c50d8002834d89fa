import { invalid } from '../core/problem.ts';
import { bool, hash, list, metadata, need, oneOf, str, strOrUnset } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { PortalConfiguration } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { locales } from './checkout-params.ts';
import { needCustomer } from './customers.ts';
import { given, mergeMetadata } from './metadata.ts';
import { behaviours, feedback } from './subscription-params.ts';

const features = hash({
  customer_update: hash({
    allowed_updates: list(oneOf('address', 'email', 'name', 'phone', 'shipping', 'tax_id')),
    enabled: bool,
  }),
  invoice_history: hash({ enabled: need(bool) }),
  payment_method_update: hash({ enabled: need(bool) }),
  subscription_cancel: hash({
    cancellation_reason: hash({ enabled: need(bool), options: list(feedback) }),
    enabled: bool,
    mode: oneOf('at_period_end', 'immediately'),
    proration_behavior: oneOf('none'),
  }),
  subscription_update: hash({
    billing_cycle_anchor: oneOf('now', 'unchanged'),
    default_allowed_updates: list(oneOf('price', 'promotion_code')),
    enabled: bool,
    products: list(
      hash({
        prices: need(list(str)),
        product: need(str),
      }),
    ),
    proration_behavior: behaviours,
    schedule_at_period_end: hash({
      conditions: list(
        hash({ type: need(oneOf('decreasing_item_amount', 'shortening_interval')) }),
      ),
    }),
    trial_update_behavior: oneOf('continue_trial', 'end_trial'),
  }),
});

const rules = {
  business_profile: hash({
    headline: strOrUnset,
    privacy_policy_url: str,
    terms_of_service_url: str,
  }),
  default_return_url: strOrUnset,
  login_page: hash({ enabled: need(bool) }),
  metadata,
  name: strOrUnset,
};

type Input = {
  active?: boolean | undefined;
  business_profile?: object | undefined;
  default_return_url?: string | null | undefined;
  features?: object | undefined;
  login_page?: { enabled: boolean } | undefined;
  metadata?: Record<string, string> | null | undefined;
  name?: string | null | undefined;
};

/** Refuses products and prices of a plan switch that do not exist or do not belong together. */
function checkProducts(world: World, input: Input): void {
  const update = (
    input.features as Record<string, { products?: { product: string; prices: string[] }[] }>
  )?.['subscription_update'];
  for (const [index, { product, prices }] of (update?.products ?? []).entries()) {
    const param = `features[subscription_update][products][${index}]`;
    world.store.need('product', product, `${param}[product]`);
    for (const [at, id] of prices.entries())
      if (world.store.need('price', id, `${param}[prices][${at}]`).product !== product)
        throw invalid(`The price ${id} does not belong to the product ${product}.`, { param });
  }
}

function edit(world: World, one: PortalConfiguration, input: Input): void {
  const {
    business_profile: profile,
    features: wanted,
    metadata: meta,
    login_page,
    ...fields
  } = input;
  Object.assign(one, given(fields));
  Object.assign(one['business_profile'] as object, given(profile ?? {}));
  for (const [name, values] of Object.entries(wanted ?? {}))
    Object.assign(one.features[name as keyof typeof one.features], given(values as object));
  const { subscription_update: update } = one.features;
  const adjustable = { enabled: false, maximum: null, minimum: 1 };
  update.products = (update.products ?? []).map((each) => ({
    ...each,
    adjustable_quantity: adjustable,
  }));
  if (login_page)
    one['login_page'] = {
      enabled: login_page.enabled,
      url: login_page.enabled ? `${world.base}/portal/login` : null,
    };
  one.metadata = mergeMetadata(one.metadata, meta);
  one.updated = world.clock.now();
}

function createConfiguration(world: World, input: Input): PortalConfiguration {
  checkProducts(world, input);
  const one = world.store.add('billing_portal.configuration', world.clock.now(), {});
  edit(world, one, input);
  world.emit('billing_portal.configuration.created', one);
  return one;
}

const createPortalSession = route(
  'POST',
  '/v1/billing_portal/sessions',
  {
    configuration: str,
    customer: need(str),
    locale: oneOf(...locales, 'en-AU', 'en-CA', 'en-IE', 'en-IN', 'en-NZ', 'en-SG'),
    return_url: str,
  },
  ({ world, params }) => {
    const customer = needCustomer(world, params.customer, 'customer');
    const configuration =
      params.configuration === undefined
        ? world.store
            .all('billing_portal.configuration')
            .find((one) => one.is_default && one.active)
        : world.store.need('billing_portal.configuration', params.configuration, 'configuration');
    if (!configuration)
      throw invalid(
        'No configuration provided and your test mode default configuration has not been created. Provide a configuration or create your default by saving your customer portal settings in test mode at https://dashboard.stripe.com/test/settings/billing/portal.',
      );
    if (!configuration.active)
      throw invalid('The configuration is inactive.', { param: 'configuration' });
    const session = world.store.add('billing_portal.session', world.clock.now(), {
      configuration: configuration.id,
      customer: customer.id,
      flow: null,
      locale: params.locale ?? null,
      return_url: params.return_url ?? configuration.default_return_url,
    });
    session.url = `${world.base}/portal/${session.id}`;
    world.emit('billing_portal.session.created', session);
    return session;
  },
);

/** The customer portal. Source: https://docs.stripe.com/api/customer_portal */
export const portalRoutes: Route[] = [
  route(
    'POST',
    '/v1/billing_portal/configurations',
    { ...rules, features: need(features) },
    ({ world, params }) => createConfiguration(world, params),
  ),
  route(
    'POST',
    '/v1/billing_portal/configurations/:configuration',
    { ...rules, active: bool, features },
    ({ world, id, params }) => {
      const one = world.store.need('billing_portal.configuration', id);
      checkProducts(world, params);
      return world.change('billing_portal.configuration.updated', one, () =>
        edit(world, one, params),
      );
    },
  ),
  ...reads('billing_portal.configuration', '/v1/billing_portal/configurations', {
    active: bool,
    is_default: bool,
  }),
  createPortalSession,
];
