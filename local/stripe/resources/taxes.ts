import type { World } from '../core/world.ts';
import type { Tax } from './invoice-totals.ts';

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
