/** Who an event is about, most telling first; see `rowloom.user_resolve`. */
export type EventIdentity = {
  userIds: string[];
  customerId: string | null;
  email: string | null;
  /** Ids of a payment: then the user is who got what it bought. */
  refs?: string[];
};

/** One thing that an event does; times are Stripe's (unix seconds). Applied by `rowloom.effect_*`. */
export type Effect =
  | {
      effect: 'grant_plan';
      subscriptionId: string;
      customerId: string | null;
      priceId: string;
      quantity: number;
      periodStart: number;
      periodEnd: number;
      invoiceId: string;
      /** When it was paid. */
      at: number;
      /** When the invoice was made. */
      invoiceAt: number;
      cause: 'create' | 'cycle' | 'update';
      /** Minor units: what it came to, before discounts, and what was paid. */
      total: number;
      subtotal: number;
      paid: number;
      currency: string | null;
      refs: string[];
    }
  | {
      effect: 'grant_pack';
      sessionId: string;
      pack: string;
      priceId: string | null;
      quantity: number;
      /** Minor units paid. */
      total: number;
      at: number;
      refs: string[];
    }
  | {
      effect: 'reversal';
      reversalId: string;
      kind: 'refund' | 'refund_total' | 'dispute';
      /** The payment: payment intent, charge, invoice, whichever are known. */
      refs: string[];
      amountCents: number;
      /** Whether the money is gone. */
      active: boolean;
      finality: number;
      /** Whether money had gone, even if it is back by now. */
      moved: boolean;
      at: number;
    }
  | { effect: 'link_payment'; invoiceId: string; refs: string[] }
  | {
      effect: 'subscription';
      subscriptionId: string;
      customerId: string | null;
      status: string;
      priceId: string;
      quantity: number;
      periodStart: number | null;
      periodEnd: number | null;
      cancelAt: number | null;
      trialEnd: number | null;
      endedAt: number | null;
      eventAt: number;
      /** Order of events that share a second: created, updated, deleted. */
      rank: number;
      /** Read from Stripe's API just now: no tie to break. */
      fetched?: boolean;
    }
  | { effect: 'customer_deleted'; customerId: string }
  | {
      effect: 'price';
      priceId: string;
      productId: string;
      kind: string;
      key: string;
      name: string;
      /** Null: unlimited. */
      credits: number | null;
      trialCredits: number;
      interval: string | null;
      grantsMonthly: boolean;
      amountCents: number;
      currency: string;
      active: boolean;
      eventAt: number;
      /** When the price was made. */
      createdAt: number;
    }
  | { effect: 'price_deleted'; priceId: string }
  | { effect: 'product'; productId: string; name: string }
  | { effect: 'link_customer' };

/** What to do about an event: something, nothing, or nothing until somebody has removed the cause. */
export type Decision =
  | { skip: string }
  | { fail: { code: 'missing_metadata' | 'unreadable'; detail: string } }
  | {
      /** Null: about nobody, such as the catalogue. */
      identity: EventIdentity | null;
      effects: Effect[];
    };

export const skip = (reason: string): Decision => ({ skip: reason });

export const fail = (code: 'missing_metadata' | 'unreadable', detail: string): Decision => ({
  fail: { code, detail },
});
