import type { World } from '../core/world.ts';
import type { Tax } from './invoice-totals.ts';
import { invalid } from '../core/problem.ts';
import { route, type Route } from '../core/route.ts';
import type { Price } from '../core/types.ts';

/** The tax rate of a percentage, made when it is first needed. */
function rateOf(world: World, percentage: number, inclusive: boolean): string {
  const { store, clock } = world;
  const known = store
    .all('tax_rate')
    .find((one) => one.percentage === percentage && one.inclusive === inclusive);
  const fields = { effective_percentage: percentage, inclusive, percentage };
  return (known ?? store.add('tax_rate', clock.now(), fields)).id;
}

/**
 * The flat rate of `/_local/tax`; null where automatic tax is off. Real rates depend on place and
 * product, which this stand-in does not play. Source: https://docs.stripe.com/tax/checkout
 */
export function taxOf(world: World, isAutomatic: boolean): Tax | null {
  if (!isAutomatic) return null;
  const percent = world.store.notes.taxPercent;
  return {
    exclusive: rateOf(world, percent, false),
    inclusive: rateOf(world, percent, true),
    percent,
  };
}

/** How an object shows whether tax is computed; not before the buyer's place is known. */
export const automaticTax = <S extends string>(enabled: boolean, status: S) => ({
  enabled,
  liability: enabled ? { type: 'self' as const } : null,
  provider: enabled ? 'stripe' : null,
  status: enabled ? status : null,
});

/** Currencies whose prices are told without tax. Source: https://docs.stripe.com/tax/products-prices-tax-codes-tax-behavior#default-tax-behavior */
const exclusiveCurrencies = ['cad', 'usd'];

/** Whether a price holds its tax; one that does not say follows the account's settings. */
export function isInclusive(world: World, price: Price): boolean {
  const { behavior } = world.store.notes.taxSettings;
  if (price.tax_behavior !== null && price.tax_behavior !== 'unspecified')
    return price.tax_behavior === 'inclusive';
  if (behavior !== 'inferred_by_currency') return behavior === 'inclusive';
  return !exclusiveCurrencies.includes(price.currency);
}

/** Refuses automatic tax that the account or a price is not ready for. The words of the second are ours. */
export function checkTax(world: World, isAutomatic: boolean | undefined, prices: Price[]): void {
  if (isAutomatic !== true) return;
  const { behavior, status } = world.store.notes.taxSettings;
  if (status === 'pending')
    throw invalid(
      'You must have a valid head office address to enable automatic tax calculation in test mode. Visit https://dashboard.stripe.com/test/settings/tax to update it.',
    );
  const vague = prices.find(({ tax_behavior: own }) => (own ?? 'unspecified') === 'unspecified');
  if (behavior === null && vague)
    throw invalid(
      `Automatic tax needs the \`tax_behavior\` of the price \`${vague.id}\`, or a default one in the tax settings.`,
    );
}

/** The account's settings, which `/_local/tax/settings` switches. Source: https://docs.stripe.com/api/tax/settings */
export const taxRoutes: Route[] = [
  route('GET', '/v1/tax/settings', {}, ({ world }) => {
    const { behavior, status } = world.store.notes.taxSettings;
    const isActive = status === 'active';
    return {
      object: 'tax.settings',
      defaults: { provider: 'stripe', tax_behavior: behavior, tax_code: null },
      head_office: isActive ? { address: headOffice } : null,
      livemode: false,
      status,
      status_details: isActive ? { active: {} } : { pending: { missing_fields: ['head_office'] } },
    };
  }),
];

const headOffice = {
  city: 'San Francisco',
  country: 'US',
  line1: '1 Market Street',
  line2: null,
  postal_code: '94105',
  state: 'CA',
};
