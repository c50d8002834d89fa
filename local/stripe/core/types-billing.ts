import type { List, Meta, Price, Thing } from './types.ts';

export type SubscriptionItem = Thing & {
  current_period_start: number;
  current_period_end: number;
  metadata: Meta;
  plan: Record<string, unknown>;
  price: Price;
  quantity: number;
  subscription: string;
};

export type SubscriptionStatus =
  | 'active'
  | 'canceled'
  | 'incomplete'
  | 'incomplete_expired'
  | 'past_due'
  | 'paused'
  | 'trialing'
  | 'unpaid';

export type PendingUpdate = {
  billing_cycle_anchor: number | null;
  expires_at: number;
  subscription_items: SubscriptionItem[] | null;
  [key: string]: unknown;
};

export type Subscription = Thing & {
  billing_cycle_anchor: number;
  cancel_at: number | null;
  cancel_at_period_end: boolean;
  canceled_at: number | null;
  cancellation_details: Record<string, string | null>;
  currency: string;
  customer: string;
  default_payment_method: string | null;
  ended_at: number | null;
  items: List<SubscriptionItem>;
  latest_invoice: string | null;
  metadata: Meta;
  pause_collection: { behavior: string; resumes_at: number | null } | null;
  pending_update: PendingUpdate | null;
  schedule: string | null;
  status: SubscriptionStatus;
  trial_end: number | null;
  trial_start: number | null;
  trial_settings: { end_behavior: { missing_payment_method: string } };
};

export type BillingReason =
  | 'manual'
  | 'subscription_create'
  | 'subscription_cycle'
  | 'subscription_update';

export type Period = { start: number; end: number };

export type InvoiceLine = Thing & {
  amount: number;
  description: string | null;
  invoice: string | null;
  period: Period;
  quantity: number;
};

export type Invoice = Thing & {
  amount_due: number;
  amount_paid: number;
  amount_remaining: number;
  attempt_count: number;
  attempted: boolean;
  auto_advance: boolean;
  automatically_finalizes_at: number | null;
  billing_reason: BillingReason;
  currency: string;
  customer: string;
  ending_balance: number | null;
  hosted_invoice_url: string | null;
  lines: List<InvoiceLine>;
  next_payment_attempt: number | null;
  number: string | null;
  parent: {
    quote_details: null;
    subscription_details: { subscription: string; metadata: Meta } | null;
    type: string;
  } | null;
  starting_balance: number;
  status: 'draft' | 'open' | 'paid' | 'uncollectible' | 'void';
  status_transitions: Record<string, number | null>;
  total: number;
};

export type InvoiceItem = Thing & {
  amount: number;
  customer: string;
  invoice: string | null;
  parent: {
    subscription_details: { subscription: string; subscription_item: string | null };
    type: string;
  } | null;
};

export type SchedulePhase = {
  start_date: number;
  end_date: number;
  items: { price: string; quantity: number; [key: string]: unknown }[];
  proration_behavior: string;
  metadata: Meta;
  [key: string]: unknown;
};

export type Schedule = Thing & {
  current_phase: { start_date: number; end_date: number } | null;
  customer: string;
  end_behavior: 'release' | 'cancel';
  metadata: Meta;
  phases: SchedulePhase[];
  released_subscription: string | null;
  status: 'not_started' | 'active' | 'completed' | 'released' | 'canceled';
  subscription: string | null;
};
