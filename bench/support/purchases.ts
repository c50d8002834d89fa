import { randomBytes } from 'node:crypto';
import templates from '../../local/stripe/objects.json' with { type: 'json' };
import {
  event,
  invoice,
  packSession,
  planSession,
  subscription,
} from '../../tests/support/stripe-events.ts';
import type { Prices, User } from './stripe-load.ts';

export type StripeEvent = ReturnType<typeof event>;

const day = 86_400;
const month = 30 * day;

const newId = (prefix: string): string => `${prefix}_${randomBytes(8).toString('hex')}`;

/** What a customer does at Stripe, as the events that tell of it, each at its own second. */
export class Customer {
  readonly #user: User;
  readonly #prices: Prices;
  /** When the running period began, unix seconds. */
  #period = Math.floor(Date.now() / 1000);
  #packs = 0;

  constructor(user: User, prices: Prices) {
    this.#user = user;
    this.#prices = prices;
  }

  get #sale() {
    const { id: userId, customer, subscription: sub } = this.#user;
    const period = { periodStart: this.#period, periodEnd: this.#period + month };
    return { userId, customer, subscription: sub, price: this.#prices.plan, ...period };
  }

  #paidInvoice(at: number, reason: string) {
    const fields = {
      billing_reason: reason,
      created: this.#period,
      status_transitions: {
        finalized_at: at,
        marked_uncollectible_at: null,
        paid_at: at,
        voided_at: null,
      },
    };
    return invoice(this.#sale, fields);
  }

  /** The five events of a subscription's checkout, in Stripe's order. */
  buyPlan(): StripeEvent[] {
    const at = this.#period;
    const paid = this.#paidInvoice(at + 1, 'subscription_create');
    const payment = {
      ...templates['invoice_payment'],
      id: newId('inpay'),
      amount_paid: 1900,
      invoice: String(paid['id']),
      payment: { type: 'payment_intent', payment_intent: newId('pi') },
      status: 'paid',
    };
    const updated = subscription(this.#sale, { latest_invoice: paid['id'] });
    return [
      event('customer.subscription.created', subscription(this.#sale, { status: 'incomplete' }), {
        created: at,
      }),
      event('customer.subscription.updated', updated, {
        created: at + 1,
        previous: { status: 'incomplete' },
      }),
      event('invoice.paid', paid, { created: at + 1 }),
      event('checkout.session.completed', planSession(this.#sale, { invoice: paid['id'] }), {
        created: at + 2,
      }),
      event('invoice_payment.paid', payment, { created: at + 2 }),
    ];
  }

  /** The next period begins; its invoice is paid an hour later. */
  renew(): StripeEvent[] {
    const { items } = subscription(this.#sale);
    this.#period += month;
    const at = this.#period;
    return [
      event('customer.subscription.updated', subscription(this.#sale), {
        created: at,
        previous: { items },
      }),
      event('invoice.paid', this.#paidInvoice(at + 3600, 'subscription_cycle'), {
        created: at + 3600,
      }),
    ];
  }

  /** A pack a minute, from the period's second day on. With a payment, Stripe is asked for its time. */
  buyPack(payment: string | null = null): StripeEvent[] {
    const at = this.#period + day + 60 * (this.#packs += 1);
    const { id: userId, customer } = this.#user;
    const session = packSession(
      { userId, customer, pack: this.#prices.pack, quantity: 1 },
      { payment_intent: payment, amount_total: 900, created: at },
    );
    return [event('checkout.session.completed', session, { created: at })];
  }
}

export const newPaymentId = (): string => newId('pi');
