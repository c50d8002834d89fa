import type Stripe from 'stripe';

/** A Stripe object as it is kept: what can be expanded is held as its id, a decimal as its text. */
type Kept<T> = [string] extends [T]
  ? Extract<T, string | null | undefined>
  : T extends (infer U)[]
    ? Kept<U>[]
    : T extends Stripe.Decimal
      ? string
      : T extends object
        ? { [K in keyof T]: Kept<T[K]> }
        : T;
/** `T` whose `K` this stand-in always fills. */
type Filled<T, K extends keyof T> = Omit<T, K> & { [P in K]-?: NonNullable<T[P]> };

/** Any Stripe object. */
export type Thing = { id: string; object: string; created?: number; [key: string]: unknown };
export type Meta = Record<string, string>;
export type List<T> = { object: 'list'; data: T[]; has_more: boolean; url: string };
export type Period = { start: number; end: number };

export type Coupon = Kept<Stripe.Coupon>;
export type PromotionCode = Kept<Stripe.PromotionCode>;
export type Discount = Kept<Stripe.Discount>;
export type TaxRate = Kept<Stripe.TaxRate>;
export type Product = Kept<Stripe.Product>;
export type Price = Kept<Stripe.Price>;
export type Recurring = Pick<Stripe.Price.Recurring, 'interval' | 'interval_count'>;
export type Customer = Filled<Kept<Stripe.Customer>, 'invoice_prefix' | 'next_invoice_sequence'>;
export type CustomerBalanceTransaction = Kept<Stripe.CustomerBalanceTransaction>;
export type Session = Filled<Kept<Stripe.Checkout.Session>, 'metadata'>;
export type LineItem = Filled<Kept<Stripe.LineItem>, 'price' | 'quantity'>;
export type Subscription = Omit<
  Filled<Kept<Stripe.Subscription>, 'cancellation_details' | 'trial_settings'>,
  'items' | 'pending_update'
> & { items: List<SubscriptionItem>; pending_update: PendingUpdate | null };
export type SubscriptionItem = Filled<Kept<Stripe.SubscriptionItem>, 'quantity'>;
export type Schedule = Filled<Kept<Stripe.SubscriptionSchedule>, 'metadata'>;
export type SchedulePhase = Schedule['phases'][number];
export type PendingUpdate = Omit<Stripe.Subscription.PendingUpdate, 'subscription_items'> & {
  subscription_items: SubscriptionItem[] | null;
};
export type Invoice = Filled<
  Kept<Stripe.Invoice>,
  'billing_reason' | 'customer' | 'metadata' | 'status'
>;
export type BillingReason = Extract<
  Invoice['billing_reason'],
  'manual' | 'subscription_create' | 'subscription_cycle' | 'subscription_update'
>;
export type InvoiceLine = Kept<Stripe.InvoiceLineItem>;
export type InvoiceItem = Kept<Stripe.InvoiceItem>;
export type InvoicePayment = Omit<Kept<Stripe.InvoicePayment>, 'payment'> & {
  payment: { type: 'payment_intent'; payment_intent: string };
};
export type PaymentIntent = Kept<Stripe.PaymentIntent>;
export type Charge = Kept<Stripe.Charge>;
export type Refund = Filled<Kept<Stripe.Refund>, 'charge' | 'metadata' | 'status'>;
export type Dispute = Kept<Stripe.Dispute>;
export type BalanceTransaction = Kept<Stripe.BalanceTransaction>;
export type CreditNote = Kept<Stripe.CreditNote>;
export type EarlyFraudWarning = Kept<Stripe.Radar.EarlyFraudWarning>;
export type PaymentLink = Kept<Stripe.PaymentLink>;
export type PortalConfiguration = Filled<Kept<Stripe.BillingPortal.Configuration>, 'metadata'>;
export type PortalSession = Kept<Stripe.BillingPortal.Session>;
export type WebhookEndpoint = Kept<Stripe.WebhookEndpoint>;
export type StripeEvent = Thing & {
  api_version: string;
  created: number;
  data: { object: Thing; previous_attributes?: Record<string, unknown> };
  pending_webhooks: number;
  request: { id: string | null; idempotency_key: string | null };
  type: string;
};
