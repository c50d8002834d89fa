import type { ReversalFact } from '../../ledger/facts.pure.ts';
import type { Json } from '../normalise/json.pure.ts';
import {
  normaliseCharge,
  normaliseCreditNote,
  normaliseDispute,
  normaliseRefund,
  type Charge,
  type Dispute,
  type Refund,
} from '../normalise/money-back.pure.ts';
import {
  fail,
  microseconds,
  skip,
  tell,
  type Knowledge,
  type Lack,
  type Reading,
  type StripeEvent,
} from '../reading.pure.ts';

type Standing = Pick<ReversalFact, 'taken' | 'finality'>;
type Given = Standing & Pick<ReversalFact, 'source' | 'amount'> & { id: string; at: number };

/** A reversal of whatever payment the identity's refs name. */
const reversal = ({ id, at, ...given }: Given, { decidedAtMs }: Knowledge): ReversalFact => ({
  kind: 'reversal',
  key: `${given.source}:${id}`,
  atUs: microseconds(at),
  decidedAtMs,
  reversal: id,
  payment: '',
  ...given,
});

/** A reversal names no user: it is about whoever got what the payment bought. */
const about = (refs: string[], facts: ReversalFact[]): Reading =>
  tell({ userIds: [], customerId: null, email: null, refs }, { facts });

/** A refund takes from the moment it is asked for; one that failed is as if it never was. */
function refundStanding(status: string): Standing {
  switch (status) {
    case 'failed':
    case 'canceled':
      return { taken: false, finality: 2 };
    case 'succeeded':
      return { taken: true, finality: 1 };
    default:
      return { taken: true, finality: 0 };
  }
}

const refundFact = (refund: Refund, event: StripeEvent, knowledge: Knowledge): ReversalFact => {
  const { id, amount, status, createdAt } = refund;
  const at = createdAt ?? event.created;
  return reversal({ source: 'refund', id, amount, at, ...refundStanding(status) }, knowledge);
};

/** refund.created, .updated, .failed and charge.refund.updated. Source: docs.stripe.com/api/refunds/object */
export function readRefund(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const refund = normaliseRefund(object);
  if (refund.paymentIds.length === 0)
    return fail('unreadable', `Refund ${refund.id} names no payment.`);
  return about(refund.paymentIds, [refundFact(refund, event, knowledge)]);
}

/** Whether the refunds that a charge names explain all that it says was refunded. */
function isExplained({ refunds, amountRefunded }: Charge): boolean {
  const taken = refunds.filter(({ status }) => refundStanding(status).taken);
  return taken.reduce((sum, { amount }) => sum + amount, 0) >= amountRefunded;
}

/**
 * charge.refunded: each refund that it names, and the charge's own total where they do not explain it.
 * Source: docs.stripe.com/api/charges/object
 */
export function readRefundedCharge(
  object: Json,
  event: StripeEvent,
  knowledge: Knowledge,
): Reading {
  const charge = normaliseCharge(object);
  const { id, refunds, amountRefunded: amount } = charge;
  const facts = refunds.map((refund) => refundFact(refund, event, knowledge));
  const total = { source: 'charge', id, amount, at: event.created } as const;
  if (!isExplained(charge)) facts.push(reversal({ ...total, taken: true, finality: 0 }, knowledge));
  return facts.length === 0 ? skip('nothing was refunded') : about(charge.paymentIds, facts);
}

/** Since 2022-11-15 a charge names no refunds. */
export function lackOfRefundedCharge(object: Json): Lack | null {
  const charge = normaliseCharge(object);
  return isExplained(charge) ? null : { lack: 'refunds', chargeId: charge.id };
}

/** An inquiry or a prevented dispute takes nothing; where its money moved all the same, it is back. */
function disputeStanding({ status, movedAt }: Dispute): Standing | null | undefined {
  switch (status) {
    case 'needs_response':
    case 'under_review':
    // The bank did not take the first response and nobody has decided yet: the money is still gone.
    case 'appeal_needs_response':
    case 'appeal_under_review':
      return { taken: true, finality: 1 };
    case 'lost':
      return { taken: true, finality: 2 };
    case 'won':
      return { taken: false, finality: 2 };
    case 'warning_needs_response':
    case 'warning_under_review':
    case 'warning_closed':
    case 'prevented':
      return movedAt === null ? null : { taken: false, finality: 2 };
    default:
      return undefined;
  }
}

/**
 * charge.dispute.*: the status says whether the money is gone, whichever event brings it.
 * Source: docs.stripe.com/api/disputes/object
 */
export function readDispute(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const dispute = normaliseDispute(object);
  const { id, status, amount, paymentIds } = dispute;
  const standing = disputeStanding(dispute);
  if (paymentIds.length === 0) return fail('unreadable', `Dispute ${id} names no payment.`);
  if (standing === undefined)
    return fail('unreadable', `Dispute ${id} has the unknown status ${status}.`);
  if (standing === null) return skip('no money has moved');
  const at = dispute.movedAt ?? dispute.createdAt ?? event.created;
  return about(paymentIds, [
    reversal({ source: 'dispute', id, amount, at, ...standing }, knowledge),
  ]);
}

/**
 * credit_note.*: what went to the customer's balance or was paid back outside Stripe; its refund comes
 * by itself, and what was no longer due was never paid.
 * Source: docs.stripe.com/api/credit_notes/object
 */
export function readCreditNote(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const { id, invoiceId, isVoid, amount, createdAt } = normaliseCreditNote(object);
  if (amount === 0) return skip('gives back nothing besides its refund');
  const standing: Standing = isVoid ? { taken: false, finality: 2 } : { taken: true, finality: 1 };
  const at = createdAt ?? event.created;
  return about(
    [invoiceId],
    [reversal({ source: 'credit_note', id, amount, at, ...standing }, knowledge)],
  );
}
