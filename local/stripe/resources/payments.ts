import { random } from '../core/ids.ts';
import type { Card } from '../core/store.ts';
import type { Charge, PaymentIntent } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { addBalanceEntry } from './balance.ts';
import { pick } from './metadata.ts';

/** How a try to charge ended: `action` waits for 3-D Secure, `pending` for the bank. */
export type Outcome = 'paid' | 'failed' | 'action' | 'pending';

type NewIntent = Partial<PaymentIntent> & Pick<PaymentIntent, 'amount' | 'currency' | 'customer'>;

/** Makes a payment intent that waits for a payment method. */
export function createIntent(world: World, input: NewIntent): PaymentIntent {
  const intent = world.store.add('payment_intent', world.clock.now(), input);
  intent['client_secret'] = `${intent.id}_secret_${random(25)}`;
  world.emit('payment_intent.created', intent);
  return intent;
}

/** What a charge has of its intent. */
const copiedFields = [
  'amount',
  'currency',
  'customer',
  'description',
  'metadata',
  'payment_method',
  'receipt_email',
  'statement_descriptor',
] as const;

function createCharge(world: World, intent: PaymentIntent, fields: Partial<Charge>): Charge {
  const { store, clock } = world;
  const customer = intent.customer === null ? undefined : store.find('customer', intent.customer);
  const charge = store.add('charge', clock.now(), {
    ...pick(structuredClone(intent), copiedFields),
    payment_intent: intent.id,
    ...fields,
  });
  // A guest is known by what the checkout page asked.
  const [guest] = store.of('checkout.session', 'payment_intent', intent.id);
  const payer = customer ?? guest?.customer_details;
  if (payer) Object.assign(charge.billing_details, pick(payer, ['email', 'name']));
  if (charge.status !== 'failed') charge['receipt_url'] = `${world.base}/receipts/${charge.id}`;
  intent.latest_charge = charge.id;
  return charge;
}

/** 2.9 % and 30: what Stripe keeps of a card payment in the US. Source: https://stripe.com/pricing */
const feeOf = (amount: number): number => Math.round(amount * 0.029) + 30;

const settled = (world: World, charge: Charge): Partial<Charge> => ({
  amount_captured: charge.amount,
  balance_transaction: addBalanceEntry(world, {
    amount: charge.amount,
    category: 'charge',
    currency: charge.currency,
    description: charge.description,
    fee: Math.min(charge.amount, feeOf(charge.amount)),
    source: charge.id,
    type: isByCard(charge) ? 'charge' : 'payment',
  }).id,
  captured: true,
  paid: true,
  status: 'succeeded',
});

/** Card payments are `charge` and `refund` on the balance, others `payment` and `payment_refund`. */
export const isByCard = (charge: Charge): boolean => charge.payment_method_details?.type === 'card';

/** Marks an intent and its charge as paid, and tells of both. */
function succeed(world: World, intent: PaymentIntent, charge: Charge): Outcome {
  Object.assign(charge, settled(world, charge));
  world.emit('charge.succeeded', charge);
  Object.assign(intent, {
    amount_received: intent.amount,
    last_payment_error: null,
    next_action: null,
    processing: null,
    status: 'succeeded',
  });
  world.emit('payment_intent.succeeded', intent);
  return 'paid';
}

/** Marks an intent and its charge as refused by the bank, and tells of both. */
function fail(world: World, intent: PaymentIntent, charge: Charge): Outcome {
  const message = 'Your card was declined.';
  Object.assign(charge, {
    failure_code: 'card_declined',
    failure_message: message,
    outcome: {
      ...(charge['outcome'] as object),
      network_status: 'declined_by_network',
      reason: 'generic_decline',
      seller_message: 'The bank did not return any further details with this decline.',
      type: 'issuer_declined',
    },
    paid: false,
    status: 'failed',
  });
  world.emit('charge.failed', charge);
  Object.assign(intent, {
    last_payment_error: {
      charge: charge.id,
      code: 'card_declined',
      decline_code: 'generic_decline',
      doc_url: 'https://docs.stripe.com/error-codes/card-declined',
      message,
      type: 'card_error',
    },
    next_action: null,
    payment_method: null,
    processing: null,
    status: 'requires_payment_method',
  });
  world.emit('payment_intent.payment_failed', intent);
  return 'failed';
}

/** Tries to charge an intent with a card that behaves as told. */
export function confirmIntent(world: World, intent: PaymentIntent, card: Card): Outcome {
  if (card === 'action') {
    Object.assign(intent, {
      next_action: { type: 'use_stripe_sdk', use_stripe_sdk: {} },
      status: 'requires_action',
    });
    world.emit('payment_intent.requires_action', intent);
    return 'action';
  }
  if (card === 'none') return 'failed';
  intent.payment_method = `pm_1${random(23)}`;
  const charge = createCharge(world, intent, { status: 'pending', paid: false });
  return card === 'ok' ? succeed(world, intent, charge) : fail(world, intent, charge);
}

const bankDetails: NonNullable<Charge['payment_method_details']> = {
  type: 'us_bank_account',
  us_bank_account: {
    account_holder_type: 'individual',
    account_type: 'checking',
    bank_name: 'STRIPE TEST BANK',
    fingerprint: null,
    last4: '6789',
    payment_reference: null,
    routing_number: '110000000',
  },
};

/** Begins a payment that the bank settles later: its charge is `created` now, its money comes then. Source: https://docs.stripe.com/payments/payment-methods#payment-notification */
export function beginSlowPayment(world: World, intent: PaymentIntent): void {
  intent.payment_method = `pm_1${random(23)}`;
  const charge = createCharge(world, intent, {
    paid: false,
    payment_method_details: bankDetails,
    status: 'pending',
  });
  world.emit('charge.pending', charge);
  intent.status = 'processing';
  world.emit('payment_intent.processing', intent);
}

/** The bank's word on a payment that was begun before. */
export function settleSlowPayment(world: World, intent: PaymentIntent, isGood: boolean): Outcome {
  const charge = world.store.need('charge', intent.latest_charge ?? '');
  return isGood ? succeed(world, intent, charge) : fail(world, intent, charge);
}
