import { invalid } from '../core/problem.ts';
import { metadata, moments, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Charge, Dispute } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { mergeMetadata } from './metadata.ts';

const DAY = 86_400;
/** Days to answer a dispute with evidence. */
const EVIDENCE_DAYS = 14;
/** Stripe's fee for a dispute, in the smallest unit. */
const FEE = 1500;

/** Moves money between the account and the dispute. */
function moveFunds(world: World, dispute: Dispute, sign: 1 | -1): void {
  const amount = sign * dispute.amount;
  const entry = world.store.add('balance_transaction', world.clock.now(), {
    amount,
    available_on: world.clock.now(),
    currency: dispute['currency'],
    description: `Chargeback ${sign < 0 ? 'withdrawal' : 'reversal'} for ${dispute.charge}`,
    fee: sign < 0 ? FEE : 0,
    net: amount - (sign < 0 ? FEE : 0),
    reporting_category: sign < 0 ? 'dispute' : 'dispute_reversal',
    source: dispute.id,
  });
  dispute.balance_transactions.push(structuredClone(entry));
}

/**
 * Opens a dispute on a charge: an inquiry takes no money, a chargeback does at once.
 * Source: https://docs.stripe.com/disputes/how-disputes-work
 */
export function openDispute(
  world: World,
  charge: Charge,
  input: { amount?: number; reason?: string; isInquiry: boolean },
): Dispute {
  if (charge.status !== 'succeeded' || charge.disputed)
    throw invalid(`Charge ${charge.id} cannot be disputed${charge.disputed ? ' again' : ''}.`);
  const dispute = world.store.add('dispute', world.clock.now(), {
    amount: input.amount ?? charge.amount,
    charge: charge.id,
    currency: charge.currency,
    is_charge_refundable: input.isInquiry,
    payment_intent: charge.payment_intent,
    reason: input.reason ?? 'fraudulent',
    status: input.isInquiry ? 'warning_needs_response' : 'needs_response',
  });
  const details = dispute['evidence_details'] as Record<string, unknown>;
  details['due_by'] = world.clock.now() + EVIDENCE_DAYS * DAY;
  charge.disputed = true;
  if (!input.isInquiry) moveFunds(world, dispute, -1);
  world.emit('charge.dispute.created', dispute);
  if (!input.isInquiry) world.emit('charge.dispute.funds_withdrawn', dispute);
  return dispute;
}

const isClosed = (status: string): boolean => ['won', 'lost', 'warning_closed'].includes(status);

/** Closes a dispute: `won` reinstates the funds, `warning_closed` ends an inquiry. */
export function closeDispute(
  world: World,
  dispute: Dispute,
  status: 'won' | 'lost' | 'warning_closed',
): Dispute {
  const isInquiry = dispute.status.startsWith('warning_');
  if (isClosed(dispute.status)) throw invalid(`This dispute is closed: ${dispute.status}.`);
  if (isInquiry !== (status === 'warning_closed'))
    throw invalid(`A dispute with the status ${dispute.status} cannot become ${status}.`);
  const previous = { status: dispute.status };
  dispute.status = status;
  world.emit('charge.dispute.closed', dispute, previous);
  if (status !== 'won') return dispute;
  moveFunds(world, dispute, 1);
  world.emit('charge.dispute.funds_reinstated', dispute);
  return dispute;
}

/** An inquiry that becomes a chargeback takes the money then. */
export function escalateDispute(world: World, dispute: Dispute): Dispute {
  if (dispute.status !== 'warning_needs_response' && dispute.status !== 'warning_under_review')
    throw invalid(`A dispute with the status ${dispute.status} cannot escalate.`);
  moveFunds(world, dispute, -1);
  world.change('charge.dispute.updated', dispute, (one) => {
    one.status = 'needs_response';
    one['is_charge_refundable'] = false;
  });
  world.emit('charge.dispute.funds_withdrawn', dispute);
  return dispute;
}

/** Disputes. Source: https://docs.stripe.com/api/disputes */
export const disputeRoutes: Route[] = [
  route('POST', '/v1/disputes/:dispute', { metadata }, ({ world, id, params }) =>
    world.change('charge.dispute.updated', world.store.need('dispute', id), (one) => {
      one.metadata = mergeMetadata(one.metadata, params.metadata);
    }),
  ),
  route('POST', '/v1/disputes/:dispute/close', {}, ({ world, id }) => {
    const dispute = world.store.need('dispute', id);
    return closeDispute(
      world,
      dispute,
      dispute.status.startsWith('warning_') ? 'warning_closed' : 'lost',
    );
  }),
  ...reads('dispute', '/v1/disputes', { charge: str, created: moments, payment_intent: str }),
];
