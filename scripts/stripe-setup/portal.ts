import { createHash } from 'node:crypto';
import type Stripe from 'stripe';
import type { CatalogueItem } from '../../functions/billing/catalogue.pure.ts';
import type { CheckoutSettings } from '../../functions/env.ts';
import { isBetter } from '../../functions/ledger/entitlement.pure.ts';
import type { Priced, Report } from './prices.ts';

type Features = Stripe.BillingPortal.ConfigurationCreateParams.Features;
type Configuration = Stripe.BillingPortal.Configuration;
type PortalSettings = Pick<CheckoutSettings, 'promotionCodes'>;

/** How the portal takes a switch: cheaper and shorter ones wait for the end of the period. */
const comesAtOnce = (from: CatalogueItem, to: CatalogueItem): boolean =>
  to.amountCents >= from.amountCents && (to.interval === from.interval || to.interval === 'year');

/**
 * The plans that the portal may offer. It credits the unused time of the old plan whenever it switches
 * at once: a dear year of few credits would pay back a month of many that was used. Our API sells it.
 */
export const offeredInPortal = (items: readonly CatalogueItem[]): CatalogueItem[] => {
  const plans = items.filter(({ kind }) => kind === 'plan');
  return plans.filter((to) =>
    plans.every((from) => from === to || !comesAtOnce(from, to) || isBetter(to, from)),
  );
};

/**
 * What customers may do in the portal. Upgrades begin a new period at once, as ours do; cheaper and
 * shorter plans come when the period that is paid for ends. Quantities and the e-mail address are not
 * theirs to change there: a payment may be known by it.
 */
function featuresOf(prices: Priced[], { promotionCodes }: PortalSettings): Features {
  const offered = offeredInPortal(prices.map(({ item }) => item));
  return {
    customer_update: { enabled: true, allowed_updates: ['name', 'address', 'phone', 'tax_id'] },
    invoice_history: { enabled: true },
    payment_method_update: { enabled: true },
    subscription_cancel: { enabled: true, mode: 'at_period_end', proration_behavior: 'none' },
    subscription_update: {
      enabled: true,
      default_allowed_updates: promotionCodes ? ['price', 'promotion_code'] : ['price'],
      billing_cycle_anchor: 'now',
      proration_behavior: 'always_invoice',
      products: prices
        .filter(({ item }) => offered.includes(item))
        .map(({ price }) => ({
          product: typeof price.product === 'string' ? price.product : price.product.id,
          prices: [price.id],
        })),
      schedule_at_period_end: {
        conditions: [{ type: 'decreasing_item_amount' }, { type: 'shortening_interval' }],
      },
    },
  };
}

/**
 * Whether all that is wanted is there, lists in any order. Stripe leaves products out of its lists:
 * they go by the digest.
 */
function holds(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(found) &&
      found.length === wanted.length &&
      wanted.every((each) => found.some((there) => holds(there, each)))
    );
  if (wanted === null || typeof wanted !== 'object') return found === wanted;
  if (found === null || typeof found !== 'object') return false;
  return Object.entries(wanted).every(([key, value]) => {
    const there = (found as Record<string, unknown>)[key];
    return (key === 'products' && there == null) || holds(there, value);
  });
}

async function find(stripe: Stripe): Promise<Configuration | undefined> {
  for await (const each of stripe.billingPortal.configurations.list({ active: true, limit: 100 }))
    if (each.metadata?.['rowloom'] === 'portal') return each;
  return undefined;
}

/** Makes the portal's configuration, found again by its metadata, or brings it up to date. */
export async function ensurePortal(
  stripe: Stripe,
  prices: Priced[],
  report: Report,
  settings: PortalSettings = { promotionCodes: false },
): Promise<void> {
  const features = featuresOf(prices, settings);
  const digest = createHash('sha256').update(JSON.stringify(features)).digest('hex');
  const metadata = { rowloom: 'portal', rowloom_features: digest };
  const found = await find(stripe);
  if (!found) {
    const { id } = await stripe.billingPortal.configurations.create({ features, metadata });
    report(`portal configuration ${id}: created`);
  } else if (!holds(found, { features, metadata })) {
    await stripe.billingPortal.configurations.update(found.id, { features, metadata });
    report(`portal configuration ${found.id}: updated`);
  }
}
