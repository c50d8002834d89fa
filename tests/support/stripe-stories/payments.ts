import type { Kinds, Story } from './story.ts';

type Charge = Kinds['charge'];
type Intent = Kinds['payment_intent'];
type Entry = Kinds['balance_transaction'];

/** A payment intent that waits for a card. */
export function makeIntent(
  story: Story,
  given: Pick<Intent, 'amount' | 'currency' | 'customer'>,
): Intent {
  const intent = story.make('payment_intent', given);
  intent.client_secret = `${intent.id}_secret_story`;
  return intent;
}

/** What a movement does to our own balance with Stripe. Source: https://docs.stripe.com/api/balance_transactions */
function enter(
  story: Story,
  source: { id: string; currency: string },
  entry: Partial<Entry> & Pick<Entry, 'amount'>,
): Entry {
  const { amount, fee = 0 } = entry;
  const { currency, id } = source;
  const detail = { application: null, currency, description: 'Dispute fee', type: 'stripe_fee' };
  const fee_details = fee > 0 ? [{ ...detail, amount: fee }] : [];
  const known = { available_on: story.at, currency, fee_details, net: amount - fee, source: id };
  return story.make('balance_transaction', { ...known, ...entry });
}

/** Charges an intent; `payment_intent.succeeded` is left to the caller, whose order it is. */
export function charge(story: Story, intent: Intent): Charge {
  const { amount, currency, customer, id } = intent;
  const payment_method = story.id('pm_1');
  const made = story.make('charge', {
    amount,
    amount_captured: amount,
    captured: true,
    currency,
    customer,
    payment_intent: id,
    payment_method,
    receipt_url: `https://pay.stripe.com/receipts/${id}`,
  });
  const entry = { amount, reporting_category: 'charge', type: 'charge' } as const;
  made.balance_transaction = enter(story, made, entry).id;
  const paid = { amount_received: amount, latest_charge: made.id, payment_method };
  Object.assign(intent, { ...paid, status: 'succeeded' });
  story.tell('charge.succeeded', made);
  return made;
}

/** A refund as the dashboard makes it. Source: https://docs.stripe.com/api/refunds/object */
export function refund(story: Story, of: Charge, amount = of.amount): Kinds['refund'] {
  const { currency, customer, payment_intent, payment_method } = of;
  const links = { charge: of.id, currency, customer, payment_intent, payment_method };
  const made = story.make('refund', { ...links, amount, reason: 'requested_by_customer' });
  const entry = { amount: -amount, reporting_category: 'refund', type: 'refund' } as const;
  made.balance_transaction = enter(story, made, entry).id;
  story.tell('refund.created', made);
  story.change('charge.refunded', of, (one) => {
    one.amount_refunded += amount;
    one.refunded = one.amount_refunded === one.amount;
  });
  return made;
}

/**
 * A dispute in its first status, for all of a charge; `prevented` and inquiries move no money.
 * Source: https://docs.stripe.com/api/disputes/object
 */
export function dispute(
  story: Story,
  of: Charge,
  status: 'needs_response' | 'warning_needs_response' | 'prevented',
): Kinds['dispute'] {
  const { amount, currency, payment_intent } = of;
  const links = { amount, charge: of.id, currency, payment_intent };
  const made = story.make('dispute', { ...links, reason: 'fraudulent', status });
  made.evidence_details.due_by = story.at + 14 * 86_400;
  of.disputed = true;
  const isCharged = status === 'needs_response';
  if (isCharged) made.balance_transactions = [enter(story, made, { amount: -amount, fee: 1500 })];
  story.tell('charge.dispute.created', made);
  if (isCharged) story.tell('charge.dispute.funds_withdrawn', made);
  return made;
}

/** The bank's word on a dispute; a won one gives the money back. */
export function closeDispute(story: Story, made: Kinds['dispute'], status: 'won' | 'lost'): void {
  story.change('charge.dispute.closed', made, (one) => {
    one.status = status;
  });
  if (status === 'lost') return;
  const { amount } = made;
  made.balance_transactions.push(
    enter(story, made, { amount, reporting_category: 'dispute_reversal' }),
  );
  story.tell('charge.dispute.funds_reinstated', made);
}

/** An issuer's word that a charge may be fraud. Source: https://docs.stripe.com/api/radar/early_fraud_warnings/object */
export function warnOfFraud(story: Story, of: Charge): Kinds['radar.early_fraud_warning'] {
  const warning = story.make('radar.early_fraud_warning', {
    actionable: !of.refunded && !of.disputed,
    charge: of.id,
    created: story.at,
    fraud_type: 'made_with_stolen_card',
    livemode: of.livemode,
    ...(of.payment_intent !== null && { payment_intent: of.payment_intent }),
  });
  story.tell('radar.early_fraud_warning.created', warning);
  return warning;
}
