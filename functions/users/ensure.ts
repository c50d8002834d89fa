import type { Ctx } from '../deps.ts';

/** A user's row as the database gives it, with the running totals of the ledger. */
export type UserRow = {
  id: string;
  external_id: string | null;
  email: string | null;
  credits_balance: number;
  credits_plan: number;
  credits_bonus: number;
  credits_purchased: number;
  credits_held: number;
  unlimited: boolean;
};

export type SubscriptionRow = {
  plan: string | null;
  status: string;
  interval: string | null;
  current_period_start: string | null;
  current_period_end: string | null;
  cancel_at: string | null;
  trial_end: string | null;
};

/** `eventsDue`: how many Stripe events waited for just this person. */
export type Ensured = { user: UserRow; subscription: SubscriptionRow | null; eventsDue: number };

/**
 * The user of a verified token, in one round trip: found, claimed by a verified e-mail, or made.
 * Sign-up credits are granted once, however many first calls race.
 */
export const ensureUser = (
  ctx: Ctx,
  identity: { externalId: string; email: string | null; emailVerified: boolean },
): Promise<Ensured> =>
  ctx.db.call<Ensured>('user_ensure', {
    p: { ...identity, signupCredits: ctx.config.signupCredits },
  });
