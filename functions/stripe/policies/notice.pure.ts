import { withoutAddresses } from '../../notices/notice.pure.ts';
import { normaliseInvoice } from '../normalise/invoice.pure.ts';
import {
  asObject,
  asText,
  idOf,
  isOurId,
  need,
  present,
  type Json,
} from '../normalise/json.pure.ts';
import { readInvoice } from './plan.pure.ts';
import { skip, tell, type Knowledge, type Reading, type StripeEvent } from '../reading.pure.ts';

/**
 * radar.early_fraud_warning.*: what an issuer takes for fraud can still be refunded before it is disputed. It is
 * about whoever got what the charge bought, and says the same when it is updated.
 * Source: docs.stripe.com/api/radar/early_fraud_warnings/object
 */
export function readFraudWarning(warning: Json): Reading {
  const charge = need(idOf(warning['charge']), 'The warning names no charge.');
  const refs = present([charge, idOf(warning['payment_intent'])]);
  const type = (asText(warning['fraud_type']) ?? 'of no known kind').replaceAll('_', ' ');
  const detail = `The issuer takes charge ${charge} for fraud (${type}). A refund now spares the fee of a dispute; without one it will probably be disputed.`;
  return tell(
    { userIds: [], customerId: null, email: null, refs },
    { notices: [{ kind: 'fraud_warning', subject: { type: 'charge', id: charge }, detail }] },
  );
}

/**
 * invoice.finalization_failed: the invoice stays a draft, so its subscription does not renew until somebody
 * mends the cause and finalizes it; of one that was, its status tells.
 * Source: docs.stripe.com/billing/invoices/subscription
 */
export function readUnfinalized(object: Json, event: StripeEvent, knowledge: Knowledge): Reading {
  const { prices } = knowledge;
  const invoice = normaliseInvoice(object);
  const { id, subscriptionId, userId, customerId, email, lines, hasMoreLines } = invoice;
  if (invoice.status !== 'draft') return readInvoice(object, event, knowledge);
  if (subscriptionId === null) return skip('not an invoice of a subscription');
  const isPlan = lines.some(({ priceId }) => prices.get(priceId ?? '')?.kind === 'plan');
  if (!hasMoreLines && !isPlan) return skip('bills no plan');
  const error = asObject(object['last_finalization_error']);
  const words = asText(error['message']) ?? asText(error['code']) ?? 'it does not say why';
  const detail = `Stripe could not finalize invoice ${id} of subscription ${subscriptionId}, which does not renew until that is mended: ${withoutAddresses(words)}`;
  return tell(
    { userIds: present([userId]), customerId, email, subscriptionId },
    {
      isOurs: isPlan || isOurId(userId),
      notices: [{ kind: 'provider_refused', subject: { type: 'invoice', id }, detail }],
    },
  );
}
