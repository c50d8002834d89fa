import { daySeconds } from '../core/clock.ts';
import templates from '../objects.json' with { type: 'json' };
import { invalid } from '../core/problem.ts';
import { bool, hashOf, metadata, moments, str, strOrUnset } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Charge, Dispute } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { addBalanceEntry } from './balance.ts';
import { closeWarnings } from './fraud-warnings.ts';
import type { Due } from './billing-cycle.ts';
import { given, mergeMetadata } from './metadata.ts';
import { createRefund } from './refunds.ts';

/** Days to answer a dispute with evidence: Stripe gives 7 to 21, by card network. */
const evidenceDays = 14;
/** Days after which an inquiry that did not escalate closes; the number is not verified. */
const inquiryDays = 120;
/** Stripe's fee for a dispute, in the smallest unit. */
const disputeFee = 1500;

/** How a dispute begins: `block` and `resolution` are prevented ones. Source: docs.stripe.com/changelog/basil/2025-08-27 */
type DisputeKind = 'block' | 'chargeback' | 'inquiry' | 'resolution';
const statuses: Record<DisputeKind, Dispute['status']> = {
  block: 'prevented',
  chargeback: 'needs_response',
  inquiry: 'warning_needs_response',
  resolution: 'prevented',
};

/** Moves money between the account and the dispute. */
function moveFunds(world: World, dispute: Dispute, sign: 1 | -1, part = dispute.amount): void {
  const entry = addBalanceEntry(world, {
    amount: sign * part,
    category: sign < 0 ? 'dispute' : 'dispute_reversal',
    currency: dispute.currency,
    description: `Chargeback ${sign < 0 ? 'withdrawal' : 'reversal'} for ${dispute.charge}`,
    fee: sign < 0 ? disputeFee : 0,
    source: dispute.id,
    type: 'adjustment',
  });
  dispute.balance_transactions.push(structuredClone(entry));
}

/** Whether another dispute can follow a charge's earlier ones: a bank withdraws one to correct it. */
const isDisputable = (world: World, charge: Charge): boolean =>
  world.store
    .of('dispute', 'charge', charge.id)
    .every((one) => ['prevented', 'warning_closed', 'won'].includes(one.status));

/**
 * Opens a dispute on a charge: an inquiry takes no money, a chargeback does at once, and one that is
 * prevented is over at once, by a refund where it was resolved and by nothing where it was blocked.
 * Source: https://docs.stripe.com/disputes/how-disputes-work
 */
export function openDispute(
  world: World,
  charge: Charge,
  input: { amount?: number; reason?: string; kind: DisputeKind },
): Dispute {
  const { kind } = input;
  const isChargeback = kind === 'chargeback';
  if (charge.status !== 'succeeded' || !isDisputable(world, charge))
    throw invalid(`Charge ${charge.id} cannot be disputed${charge.disputed ? ' again' : ''}.`);
  const left = charge.amount - charge.amount_refunded;
  if (kind === 'resolution' && (left === 0 || (input.amount ?? left) > left))
    throw invalid(`Only ${left} of charge ${charge.id} can still be given back.`, 'amount');
  const dispute = world.store.add('dispute', world.clock.now(), {
    amount: input.amount ?? (left || charge.amount),
    charge: charge.id,
    currency: charge.currency,
    is_charge_refundable: !isChargeback,
    payment_intent: charge.payment_intent,
    reason: input.reason ?? 'fraudulent',
    status: statuses[kind],
  });
  const { card } = dispute.payment_method_details ?? {};
  if (card) card.case_type = kind;
  dispute.evidence_details.due_by =
    statuses[kind] === 'prevented' ? null : world.clock.now() + evidenceDays * daySeconds;
  charge.disputed = true;
  if (isChargeback) moveFunds(world, dispute, -1);
  world.emit('charge.dispute.created', dispute);
  if (isChargeback) world.emit('charge.dispute.funds_withdrawn', dispute);
  closeWarnings(world, charge);
  if (kind === 'resolution') createRefund(world, { amount: dispute.amount, charge: charge.id });
  return dispute;
}

/**
 * Closes a dispute: `won` reinstates the funds, `warning_closed` ends an inquiry, and one that is lost
 * may give a part back, where that part was refunded before.
 * Source: https://support.stripe.com/questions/dispute-for-full-charge-amount-after-a-partial-refund-was-issued
 */
export function closeDispute(
  world: World,
  dispute: Dispute,
  status: 'won' | 'lost' | 'warning_closed',
  reinstated = status === 'won' ? dispute.amount : 0,
): Dispute {
  if (['won', 'lost', 'warning_closed', 'prevented'].includes(dispute.status))
    throw invalid(`This dispute is closed: ${dispute.status}.`);
  if (dispute.status.startsWith('warning_') !== (status === 'warning_closed'))
    throw invalid(`A dispute with the status ${dispute.status} cannot become ${status}.`);
  if (reinstated < 0 || reinstated > dispute.amount)
    throw invalid(`A dispute of ${dispute.amount} cannot give ${reinstated} back.`);
  world.change('charge.dispute.closed', dispute, (one) => {
    one.status = status;
  });
  if (reinstated > 0)
    world.change('charge.dispute.funds_reinstated', dispute, (one) =>
      moveFunds(world, one, 1, reinstated),
    );
  return dispute;
}

/** An inquiry that becomes a chargeback takes the money then. */
export function escalateDispute(world: World, dispute: Dispute): Dispute {
  if (!dispute.status.startsWith('warning_') || dispute.status === 'warning_closed')
    throw invalid(`A dispute with the status ${dispute.status} cannot escalate.`);
  world.change('charge.dispute.updated', dispute, (one) => {
    one.status = 'needs_response';
    one.is_charge_refundable = false;
    one.evidence_details.due_by = world.clock.now() + evidenceDays * daySeconds;
    const { card } = one.payment_method_details ?? {};
    if (card) card.case_type = 'chargeback';
  });
  world.change('charge.dispute.funds_withdrawn', dispute, (one) => moveFunds(world, one, -1));
  return dispute;
}

/**
 * Disputes that nobody answers are lost; inquiries close when their charge is refunded in full, or when
 * nobody escalates them. Source: https://docs.stripe.com/disputes/how-disputes-work
 */
export const disputesDue = (world: World): Due[] =>
  world.store.played('dispute').flatMap((one): Due[] => {
    const close = (at: number, status: 'lost' | 'warning_closed'): Due[] => [
      { at, rank: 2, run: () => closeDispute(world, one, status) },
    ];
    if (one.status === 'needs_response')
      return close(one.evidence_details.due_by ?? Infinity, 'lost');
    const isInquiry = ['warning_needs_response', 'warning_under_review'].includes(one.status);
    const isRefunded = world.store.find('charge', one.charge)?.refunded ?? false;
    const end = isRefunded ? world.clock.now() : one.created + inquiryDays * daySeconds;
    return isInquiry ? close(end, 'warning_closed') : [];
  });

const { enhanced_evidence: _, ...evidenceFields } = templates.dispute.evidence;
const evidence = hashOf(Object.keys(evidenceFields), strOrUnset);

const update = route(
  'POST',
  '/v1/disputes/:dispute',
  { evidence, metadata, submit: bool },
  ({ world, id, params }) => {
    const dispute = world.store.need('dispute', id);
    const isOpen = ['needs_response', 'warning_needs_response'].includes(dispute.status);
    if ((params.evidence || params.submit) && !isOpen)
      throw invalid(`This dispute takes no evidence: its status is ${dispute.status}.`);
    return world.change('charge.dispute.updated', dispute, (one) => {
      one.metadata = mergeMetadata(one.metadata, params.metadata);
      if (params.evidence) {
        Object.assign(one.evidence, given(params.evidence));
        one.evidence_details.has_evidence = true;
      }
      const isStaged = one.evidence_details.has_evidence && params.submit === true;
      if (params.submit === false || !(params.evidence || isStaged)) return;
      one.evidence_details.submission_count += 1;
      one.evidence_details.submission_method = 'manual';
      one.status = one.status === 'needs_response' ? 'under_review' : 'warning_under_review';
    });
  },
);

/** Disputes. Source: https://docs.stripe.com/api/disputes */
export const disputeRoutes: Route[] = [
  update,
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
