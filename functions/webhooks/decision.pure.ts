/** Who an event is about, most telling first; see `rowloom.user_resolve`. */
export type EventIdentity = {
  userIds: string[];
  customerId: string | null;
  email: string | null;
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
      cause: 'create' | 'cycle' | 'update';
      /** A trial's invoice of nothing: grants the price's trial credits. */
      trial: boolean;
    }
  | {
      effect: 'grant_pack';
      sessionId: string;
      pack: string;
      priceId: string | null;
      quantity: number;
    }
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
    }
  | { effect: 'link_customer' };

/** What to do about an event: something, nothing, or nothing until somebody has removed the cause. */
export type Decision =
  | { skip: string }
  | { fail: { code: 'missing_metadata' | 'unreadable'; detail: string } }
  | { identity: EventIdentity; effects: Effect[] };

export const skip = (reason: string): Decision => ({ skip: reason });

export const fail = (code: 'missing_metadata' | 'unreadable', detail: string): Decision => ({
  fail: { code, detail },
});
