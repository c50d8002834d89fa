import { fail, skip, type Decision, type EventIdentity } from '../decision.pure.ts';
import { asIdentity, asInteger, asObject, asText, idOf, type Json } from '../shapes.pure.ts';

function identityOf(session: Json): EventIdentity {
  const userIds = [
    asIdentity(asObject(session['metadata'])['user_id']),
    asIdentity(session['client_reference_id']),
  ];
  return {
    userIds: userIds.filter((id) => id !== undefined),
    customerId: idOf(session['customer']) ?? null,
    email:
      asIdentity(asObject(session['customer_details'])['email']) ??
      asIdentity(session['customer_email']) ??
      null,
  };
}

/** How many packs: metadata is ours, so what is not a small whole number is nobody's sale. */
function quantityOf(metadata: Json): number | undefined {
  const text = asText(metadata['quantity']) ?? '1';
  return /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined;
}

/**
 * checkout.session.completed and .async_payment_succeeded. A pack is granted when it is paid; a
 * subscription's credits come with its invoice, so that here only the customer is learnt.
 * Source: docs.stripe.com/payments/checkout/fulfillment
 */
export function decideCheckout(session: Json, { created: at }: { created: number }): Decision {
  const identity = identityOf(session);
  if (session['mode'] !== 'payment') return { identity, effects: [{ effect: 'link_customer' }] };
  // `no_payment_required`: a coupon paid for all of it.
  if (session['payment_status'] !== 'paid' && session['payment_status'] !== 'no_payment_required')
    return skip('not paid yet');

  const metadata = asObject(session['metadata']);
  const pack = asIdentity(metadata['pack']);
  const sessionId = asText(session['id']);
  const quantity = quantityOf(metadata);
  if (sessionId === undefined) return fail('unreadable', 'The session has no id.');
  if (pack === undefined || quantity === undefined)
    return fail(
      'missing_metadata',
      `Checkout session ${sessionId} names no pack (metadata.pack) or no usable metadata.quantity.`,
    );
  return {
    identity,
    effects: [
      {
        effect: 'grant_pack',
        total: asInteger(session['amount_total']) ?? 0,
        at,
        refs: [sessionId, idOf(session['payment_intent']), idOf(session['invoice'])].filter(
          (ref) => ref !== undefined,
        ),
        sessionId,
        pack,
        priceId: asText(metadata['price_id']) ?? null,
        quantity,
      },
    ],
  };
}
