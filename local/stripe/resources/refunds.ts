import { newId } from '../core/ids.ts';
import { invalid, missingParameter } from '../core/problem.ts';
import { metadata, moments, natural, oneOf, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Charge, Meta, Refund } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { money } from './invoice-lines.ts';
import { mergeMetadata } from './metadata.ts';

type NewRefund = {
  amount?: number | undefined;
  charge?: string | undefined;
  payment_intent?: string | undefined;
  metadata?: Meta | null | undefined;
  reason?: string | undefined;
};

function chargeOf(world: World, params: NewRefund): Charge {
  if (params.charge !== undefined) return world.store.need('charge', params.charge, 'charge');
  if (params.payment_intent === undefined) throw missingParameter('charge');
  const intent = world.store.need('payment_intent', params.payment_intent, 'payment_intent');
  if (intent.latest_charge === null || intent.status !== 'succeeded')
    throw invalid(
      `This PaymentIntent (${intent.id}) does not have a successful charge to refund.`,
      {
        param: 'payment_intent',
      },
    );
  return world.store.need('charge', intent.latest_charge);
}

function checkAmount(charge: Charge, amount: number): void {
  if (charge.status !== 'succeeded')
    throw invalid(`Charge ${charge.id} has not been paid and cannot be refunded.`, {
      param: 'charge',
    });
  if (charge.refunded)
    throw invalid(`Charge ${charge.id} has already been refunded.`, {
      code: 'charge_already_refunded',
    });
  if (charge.disputed)
    throw invalid(`Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      code: 'charge_disputed',
    });
  const left = charge.amount - charge.amount_refunded;
  if (amount < 1)
    throw invalid('Invalid positive integer', {
      code: 'parameter_invalid_integer',
      param: 'amount',
    });
  if (amount > left)
    throw invalid(
      `Refund amount (${money(amount, charge.currency)}) is greater than unrefunded amount on charge (${money(left, charge.currency)})`,
      { param: 'amount' },
    );
}

/** Adds to what a charge has given back (negative takes back) and tells of it. */
function moveRefunded(world: World, charge: Charge, amount: number, type: string): void {
  world.change(type, charge, (one) => {
    one.amount_refunded += amount;
    one.refunded = one.amount_refunded === one.amount;
  });
}

/** Refunds a charge in part or whole; pending where the bank is slow, see `/_local/charges`. */
export function createRefund(world: World, params: NewRefund): Refund {
  const charge = chargeOf(world, params);
  const amount = params.amount ?? charge.amount - charge.amount_refunded;
  checkAmount(charge, amount);
  const isPending = world.store.notes.pendingRefunds[charge.id] === true;
  delete world.store.notes.pendingRefunds[charge.id];
  const refund = world.store.add('refund', world.clock.now(), {
    amount,
    balance_transaction: newId('balance_transaction'),
    charge: charge.id,
    currency: charge.currency,
    customer: charge.customer,
    metadata: mergeMetadata({}, params.metadata),
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: params.reason ?? null,
    status: isPending ? 'pending' : 'succeeded',
  });
  world.inOrder(
    ['refund.created', 'charge.refunded', 'refund.updated', 'charge.refund.updated'],
    () => {
      world.emit('refund.created', refund);
      moveRefunded(world, charge, amount, 'charge.refunded');
      if (isPending) return;
      // The bank's reference arrives a moment later; that is what Stripe's `refund.updated` tells.
      for (const type of ['refund.updated', 'charge.refund.updated'])
        world.emit(type, withReference(refund), {
          destination_details: refund['destination_details'],
        });
    },
  );
  return refund;
}

function withReference(refund: Refund): Refund {
  refund['destination_details'] = {
    card: {
      reference: '2222222222222222',
      reference_status: 'available',
      reference_type: 'acquirer_reference_number',
      type: 'refund',
    },
    type: 'card',
  };
  return refund;
}

/** The bank's word on a refund: a failed one gives the money back to the account. */
export function settleRefund(world: World, refund: Refund, isGood: boolean): Refund {
  const previous = { status: refund.status };
  if (isGood && refund.status !== 'pending') throw invalid(`This refund is ${refund.status}.`);
  if (!isGood && (refund.status === 'failed' || refund.status === 'canceled'))
    throw invalid(`This refund is ${refund.status} already.`);
  refund.status = isGood ? 'succeeded' : 'failed';
  if (!isGood) {
    refund['failure_reason'] = 'lost_or_stolen_card';
    refund['failure_balance_transaction'] = newId('balance_transaction');
  }
  world.emit('refund.updated', refund, previous);
  world.emit('charge.refund.updated', refund, previous);
  if (isGood) return refund;
  world.emit('refund.failed', refund);
  const charge = world.store.need('charge', refund.charge);
  moveRefunded(world, charge, -refund.amount, 'charge.updated');
  return refund;
}

/** Refunds. Source: https://docs.stripe.com/api/refunds */
export const refundRoutes: Route[] = [
  route(
    'POST',
    '/v1/refunds',
    {
      amount: natural,
      charge: str,
      metadata,
      payment_intent: str,
      reason: oneOf('duplicate', 'fraudulent', 'requested_by_customer'),
    },
    ({ world, params }) => createRefund(world, params),
  ),
  route('POST', '/v1/refunds/:refund', { metadata }, ({ world, id, params }) =>
    world.change('refund.updated', world.store.need('refund', id), (one) => {
      one.metadata = mergeMetadata(one.metadata, params.metadata);
    }),
  ),
  ...reads('refund', '/v1/refunds', { charge: str, created: moments, payment_intent: str }),
];
