import { fail, skip, type Decision, type Effect } from '../decision.pure.ts';
import { asInteger, asList, asText, idOf, type Json } from '../shapes.pure.ts';

type Reversal = Extract<Effect, { effect: 'reversal' }>;

/** How final a status is; what is more final holds, in whatever order they arrive. */
const refundFinality: Record<string, number> = {
  pending: 0,
  requires_action: 0,
  succeeded: 1,
  canceled: 2,
  failed: 2,
};

const present = (refs: (string | undefined)[]): string[] => refs.filter((ref) => ref !== undefined);

const about = (effects: Reversal[]): Decision => {
  const refs = [...new Set(effects.flatMap((effect) => effect.refs))];
  return { identity: { userIds: [], customerId: null, email: null, refs }, effects };
};

function reversalOfRefund(refund: Json, at: number, more: string[] = []): Reversal | undefined {
  const reversalId = asText(refund['id']);
  const status = asText(refund['status']) ?? 'succeeded';
  const refs = present([idOf(refund['payment_intent']), idOf(refund['charge']), ...more]);
  const amountCents = asInteger(refund['amount']);
  if (reversalId === undefined || amountCents === undefined || refs.length === 0) return undefined;
  return {
    effect: 'reversal',
    reversalId,
    kind: 'refund',
    refs,
    amountCents,
    active: status !== 'failed' && status !== 'canceled',
    finality: refundFinality[status] ?? 0,
    moved: true,
    at,
  };
}

/** refund.created, .updated, .failed, charge.refund.updated. Source: docs.stripe.com/api/refunds/object */
export function decideRefund(refund: Json, { created: at }: { created: number }): Decision {
  const reversal = reversalOfRefund(refund, at);
  return reversal
    ? about([reversal])
    : fail('unreadable', 'The refund has no id, amount or payment.');
}

/**
 * charge.refunded: `amount_refunded` is cumulative. Refunds that it names are taken one by one; without
 * names, the total counts as far as no named refund accounts for it.
 */
export function decideChargeRefunded(charge: Json, { created: at }: { created: number }): Decision {
  const chargeId = asText(charge['id']);
  const total = asInteger(charge['amount_refunded']);
  if (chargeId === undefined || total === undefined)
    return fail('unreadable', 'The charge has no id or amount_refunded.');
  const refs = present([chargeId, idOf(charge['payment_intent']), idOf(charge['invoice'])]);
  const named = asList(charge['refunds'])
    .map((refund) => reversalOfRefund(refund, at, refs))
    .filter((reversal) => reversal !== undefined);
  const whole: Reversal = {
    effect: 'reversal',
    reversalId: chargeId,
    kind: 'refund_total',
    refs,
    amountCents: total,
    active: true,
    finality: 0,
    moved: true,
    at,
  };
  return about([...named, whole]);
}

/** `won` gives the money back, `lost` is final; inquiries (`warning_*`) take none. */
const disputeStates: Record<string, Pick<Reversal, 'active' | 'finality' | 'moved'>> = {
  warning_needs_response: { active: false, finality: 0, moved: false },
  warning_under_review: { active: false, finality: 0, moved: false },
  warning_closed: { active: false, finality: 2, moved: false },
  needs_response: { active: true, finality: 1, moved: true },
  under_review: { active: true, finality: 1, moved: true },
  won: { active: false, finality: 2, moved: true },
  prevented: { active: false, finality: 2, moved: false },
  lost: { active: true, finality: 2, moved: true },
};

/**
 * charge.dispute.*: the status says whether the money is gone, whichever event brings it.
 * Source: docs.stripe.com/api/disputes/object
 */
export function decideDispute(dispute: Json, { created: at }: { created: number }): Decision {
  const reversalId = asText(dispute['id']);
  const amountCents = asInteger(dispute['amount']);
  const state = disputeStates[asText(dispute['status']) ?? ''];
  const refs = present([idOf(dispute['payment_intent']), idOf(dispute['charge'])]);
  if (reversalId === undefined || amountCents === undefined || refs.length === 0 || !state)
    return fail('unreadable', 'The dispute has no id, amount, payment or known status.');
  if (!state.active && state.finality === 0) return skip('an inquiry: no money has moved');
  return about([
    { effect: 'reversal', reversalId, kind: 'dispute', refs, amountCents, ...state, at },
  ]);
}
