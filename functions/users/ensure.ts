import * as z from 'zod';
import { type JsonRow, rowOf } from '../../db/rows.ts';
import type { subscriptions, users } from '../../schema.ts';
import type { Ctx } from '../deps.ts';

/** A user's row as the database gives it, with the running totals of the ledger. */
export type UserRow = JsonRow<typeof users>;
export type SubscriptionRow = JsonRow<typeof subscriptions>;

/** `eventsDue`: how many Stripe events waited for just this person. */
const ensured = z.strictObject({
  user: rowOf<UserRow>('id'),
  subscription: rowOf<SubscriptionRow>('stripe_subscription_id').nullable(),
  eventsDue: z.int(),
});
export type Ensured = z.infer<typeof ensured>;

/**
 * The user of a verified token, in one round trip: found, claimed by a verified e-mail, or made.
 * Sign-up credits are granted once, however many first calls race.
 */
export const ensureUser = (
  ctx: Ctx,
  identity: { externalId: string; email: string | null; emailVerified: boolean },
): Promise<Ensured> =>
  ctx.db.call(
    'user_ensure',
    { p: { ...identity, signupCredits: ctx.config.signupCredits } },
    ensured,
  );
