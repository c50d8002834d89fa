export type * from './types-billing.ts';

/** A Stripe object: the fields that the stand-in reads by name, the rest by template. */
export type Thing = { id: string; object: string; created?: number; [key: string]: unknown };
export type Meta = Record<string, string>;
export type List<T> = { object: 'list'; data: T[]; has_more: boolean; url: string };

export type Product = Thing & {
  name: string;
  active: boolean;
  default_price: string | null;
  metadata: Meta;
  updated: number;
};

export type Interval = 'day' | 'week' | 'month' | 'year';
export type Recurring = { interval: Interval; interval_count: number; [key: string]: unknown };

export type Price = Thing & {
  active: boolean;
  currency: string;
  lookup_key: string | null;
  metadata: Meta;
  nickname: string | null;
  product: string;
  recurring: Recurring | null;
  type: 'one_time' | 'recurring';
  unit_amount: number | null;
};

export type Customer = Thing & {
  balance: number;
  currency: string | null;
  email: string | null;
  name: string | null;
  delinquent: boolean;
  invoice_prefix: string;
  next_invoice_sequence: number;
  metadata: Meta;
};

export type LineItem = Thing & {
  amount_subtotal: number;
  amount_total: number;
  currency: string;
  description: string | null;
  price: Price;
  quantity: number;
};

export type Session = Thing & {
  amount_total: number | null;
  cancel_url: string | null;
  client_reference_id: string | null;
  currency: string | null;
  customer: string | null;
  customer_creation: 'always' | 'if_required' | null;
  customer_details: Record<string, unknown> | null;
  customer_email: string | null;
  expires_at: number;
  invoice: string | null;
  metadata: Meta;
  mode: 'payment' | 'subscription';
  payment_intent: string | null;
  payment_method_collection: 'always' | 'if_required' | null;
  payment_status: 'paid' | 'unpaid' | 'no_payment_required';
  status: 'open' | 'complete' | 'expired';
  subscription: string | null;
  success_url: string | null;
  url: string | null;
};

export type InvoicePayment = Thing & {
  amount_paid: number | null;
  amount_requested: number;
  invoice: string;
  payment: { type: 'payment_intent'; payment_intent: string };
  status: 'open' | 'paid' | 'canceled';
  status_transitions: Record<string, number | null>;
};

export type PaymentIntent = Thing & {
  amount: number;
  amount_received: number;
  currency: string;
  customer: string | null;
  description: string | null;
  last_payment_error: Record<string, unknown> | null;
  latest_charge: string | null;
  metadata: Meta;
  payment_method: string | null;
  status: 'requires_payment_method' | 'requires_action' | 'processing' | 'succeeded' | 'canceled';
};

export type Charge = Thing & {
  amount: number;
  amount_refunded: number;
  currency: string;
  customer: string | null;
  disputed: boolean;
  metadata: Meta;
  paid: boolean;
  payment_intent: string | null;
  payment_method: string | null;
  refunded: boolean;
  status: 'succeeded' | 'pending' | 'failed';
};

export type Refund = Thing & {
  amount: number;
  charge: string;
  payment_intent: string | null;
  metadata: Meta;
  status: 'pending' | 'succeeded' | 'failed' | 'canceled' | 'requires_action';
};

export type Dispute = Thing & {
  amount: number;
  charge: string;
  payment_intent: string | null;
  balance_transactions: Thing[];
  metadata: Meta;
  reason: string;
  status: string;
};

export type PortalConfiguration = Thing & {
  active: boolean;
  is_default: boolean;
  default_return_url: string | null;
  features: Record<string, Record<string, unknown>>;
  metadata: Meta;
  updated: number;
};

export type PortalSession = Thing & {
  configuration: string;
  customer: string;
  return_url: string | null;
  url: string;
};

export type WebhookEndpoint = Thing & {
  enabled_events: string[];
  metadata: Meta;
  status: 'enabled' | 'disabled';
  url: string;
};

export type StripeEvent = Thing & {
  api_version: string;
  data: { object: Thing; previous_attributes?: Record<string, unknown> };
  pending_webhooks: number;
  request: { id: string | null; idempotency_key: string | null };
  type: string;
};
