import { invalid } from '../core/problem.ts';
import type { Charge, EarlyFraudWarning } from '../core/types.ts';
import type { World } from '../core/world.ts';

/** Source: https://docs.stripe.com/api/radar/early_fraud_warnings/object */
export const fraudTypes = [
  'card_never_received',
  'fraudulent_card_application',
  'made_with_counterfeit_card',
  'made_with_lost_card',
  'made_with_stolen_card',
  'misc',
  'unauthorized_use_of_card',
] as const;

/** The issuer's word that a charge may be fraud; it can be acted on while the money is still there. */
export function warnOfFraud(
  world: World,
  charge: Charge,
  type: (typeof fraudTypes)[number],
): EarlyFraudWarning {
  if (charge.status !== 'succeeded')
    throw invalid(`Nobody warns of the charge ${charge.id}: it is ${charge.status}.`);
  const warning = world.store.add('radar.early_fraud_warning', world.clock.now(), {
    actionable: !charge.refunded && !charge.disputed,
    charge: charge.id,
    fraud_type: type,
    ...(charge.payment_intent !== null && { payment_intent: charge.payment_intent }),
  });
  world.emit('radar.early_fraud_warning.created', warning);
  return warning;
}

/** After a dispute or a full refund there is nothing left to do about a warning. */
export function closeWarnings(world: World, charge: Charge): void {
  if (!charge.refunded && !charge.disputed) return;
  for (const warning of world.store.of('radar.early_fraud_warning', 'charge', charge.id))
    world.change('radar.early_fraud_warning.updated', warning, (one) => {
      one.actionable = false;
    });
}
