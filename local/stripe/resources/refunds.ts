import { invalid, missingParameter } from '../core/problem.ts';
import { metadata, moments, natural, oneOf, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { BalanceTransaction, Charge, Meta, Refund } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { addBalanceEntry } from './balance.ts';
import { closeWarnings } from './fraud-warnings.ts';
import { money } from './invoice-lines.ts';
import { mergeMetadata } from './metadata.ts';
import { isByCard } from './payments.ts';

type NewRefund = {
  amount?: number | undefined;
  charge?: string | undefined;
  payment_intent?: string | undefined;
  instructions_email?: string | undefined;
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
      'payment_intent',
    );
  return world.store.need('charge', intent.latest_charge);
}

/** A dispute that holds the money, or has taken it, leaves nothing to refund. */
const isChargedBack = (world: World, charge: Charge): boolean =>
  world.store
    .of('dispute', 'charge', charge.id)
    .some((one) => !one.is_charge_refundable && one.status !== 'won');

function checkAmount(world: World, charge: Charge, amount: number): void {
  if (charge.status !== 'succeeded')
    throw invalid(`Charge ${charge.id} has not been paid and cannot be refunded.`, 'charge');
  if (charge.refunded)
    throw invalid(`Charge ${charge.id} has already been refunded.`, {
      code: 'charge_already_refunded',
    });
  if (isChargedBack(world, charge))
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
      'amount',
    );
}

/** Adds to what a charge has given back (negative takes back) and tells of it. */
function moveRefunded(world: World, charge: Charge, amount: number, type: string): void {
  world.change(type, charge, (one) => {
    one.amount_refunded += amount;
    one.refunded = one.amount_refunded === one.amount;
  });
}

/** The refund's money on the account's balance: out, or back in after a failure. */
function moveMoney(world: World, refund: Refund, charge: Charge, isBack: boolean) {
  const outgoing = isByCard(charge) ? 'refund' : 'payment_refund';
  const type: BalanceTransaction['type'] = isBack ? 'refund_failure' : outgoing;
  return addBalanceEntry(world, {
    amount: isBack ? refund.amount : -refund.amount,
    category: isBack ? 'refund_failure' : 'refund',
    currency: refund.currency,
    description: `REFUND ${isBack ? 'FAILURE' : 'FOR CHARGE'}`,
    source: refund.id,
    type,
  }).id;
}

/** What only the buyer can do about a refund. Source: stripe/esm/resources/Refunds.d.ts */
const nextAction = (world: World, email: string): NonNullable<Refund['next_action']> => ({
  display_details: {
    email_sent: { email_sent_at: world.clock.now(), email_sent_to: email },
    expires_at: world.clock.now() + 90 * 86_400,
  },
  type: 'display_details',
});

/** What a refund begins with beyond its amount, by how the bank takes it. */
function beginning(world: World, charge: Charge, email: string | undefined): Partial<Refund> {
  const status = world.store.notes.refundsBegin[charge.id] ?? 'succeeded';
  delete world.store.notes.refundsBegin[charge.id];
  const to = email ?? charge.billing_details.email ?? 'buyer@example.com';
  return {
    status,
    ...(status === 'pending' && { pending_reason: 'processing' as const }),
    ...(status === 'requires_action' && { next_action: nextAction(world, to) }),
    ...(!isByCard(charge) && {
      destination_details: {
        type: 'us_bank_transfer',
        us_bank_transfer: { reference: null, reference_status: 'pending' },
      },
    }),
  };
}

/** Refunds a charge in part or whole; see `/_local/charges` for slow banks. */
export function createRefund(world: World, params: NewRefund): Refund {
  const charge = chargeOf(world, params);
  const amount = params.amount ?? charge.amount - charge.amount_refunded;
  checkAmount(world, charge, amount);
  const { instructions_email: email } = params;
  const refund = world.store.add('refund', world.clock.now(), {
    amount,
    charge: charge.id,
    currency: charge.currency,
    customer: charge.customer,
    metadata: mergeMetadata({}, params.metadata),
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: params.reason ?? null,
    ...(email !== undefined && { instructions_email: email }),
    ...beginning(world, charge, email),
  });
  refund.balance_transaction = moveMoney(world, refund, charge, false);
  world.inOrder(['refund.created', 'charge.refunded', ...updatedTypes], () => {
    world.emit('refund.created', refund);
    moveRefunded(world, charge, amount, 'charge.refunded');
    // The bank's reference arrives a moment later; that is what Stripe's `refund.updated` tells.
    if (refund.status === 'succeeded') world.change(updatedTypes, refund, addReference);
    closeWarnings(world, charge);
  });
  return refund;
}

const updatedTypes = ['refund.updated', 'charge.refund.updated'];

function addReference(refund: Refund): void {
  const { card } = refund.destination_details ?? {};
  if (card) Object.assign(card, { reference: '2222222222222222', reference_status: 'available' });
}

const allowed: Record<string, string[]> = {
  canceled: ['requires_action'],
  failed: ['pending', 'requires_action', 'succeeded'],
  pending: ['requires_action'],
  succeeded: ['pending', 'requires_action'],
};

/**
 * The bank's or the buyer's word on a refund; one that fails or is cancelled gives the money back to
 * the account. Source: https://docs.stripe.com/refunds#failed-refunds, https://docs.stripe.com/api/refunds/cancel
 */
export function settleRefund(
  world: World,
  refund: Refund,
  status: 'canceled' | 'failed' | 'pending' | 'succeeded',
): Refund {
  if (!allowed[status]?.includes(refund.status))
    throw invalid(`A refund that is ${refund.status} cannot become ${status}.`);
  const isBack = status === 'canceled' || status === 'failed';
  const charge = world.store.need('charge', refund.charge);
  world.change(updatedTypes, refund, (one) => {
    one.status = status;
    delete one.next_action;
    delete one.pending_reason;
    if (status === 'pending') one.pending_reason = 'processing';
    if (status === 'succeeded') addReference(one);
    if (!isBack) return;
    one.failure_reason = status === 'failed' ? 'lost_or_stolen_card' : 'merchant_request';
    one.failure_balance_transaction = moveMoney(world, one, charge, true);
  });
  if (!isBack) return refund;
  if (status === 'failed') world.emit('refund.failed', refund);
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
      instructions_email: str,
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
  route('POST', '/v1/refunds/:refund/cancel', {}, ({ world, id }) =>
    settleRefund(world, world.store.need('refund', id), 'canceled'),
  ),
  ...reads('refund', '/v1/refunds', { charge: str, created: moments, payment_intent: str }),
];
