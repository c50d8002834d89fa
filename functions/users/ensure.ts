import * as z from 'zod';
import { type JsonRow, rowOf } from '../../db/rows.ts';
import type { users } from '../../schema.ts';
import type { Ctx } from '../context.ts';
import { bringUpToDate, isBehind } from '../ledger/due.ts';
import type { SubscriptionRow } from '../ledger/subscription-row.pure.ts';

/** A user's row as the database gives it, with the running totals of the ledger. */
export type UserRow = JsonRow<typeof users>;

const account = {
  user: rowOf<UserRow>('id'),
  /** Those that have not ended, the newest period first. */
  subscriptions: z.array(rowOf<SubscriptionRow>('stripe_subscription_id')),
};
/** Reads what `rowloom.user_read` gives. */
export const found = z.strictObject(account);
const ensured = z.strictObject({ ...account, eventsDue: z.int() });

/** `eventsDue`: how many Stripe events waited for just this person. */
export type Ensured = z.infer<typeof ensured>;

/**
 * The user of a verified token: found, claimed by a verified e-mail, or made; one round trip where the
 * books are up to date. Sign-up credits are granted once, however many first calls race.
 */
export async function ensureUser(
  ctx: Ctx,
  identity: { externalId: string; email: string | null; emailVerified: boolean },
): Promise<Ensured> {
  const p = { ...identity, signupCredits: ctx.config.signupCredits };
  const account = await ctx.db.call('user_ensure', { p }, ensured);
  if (!isBehind(ctx, account.user)) return account;
  await bringUpToDate(ctx, account.user.id);
  const now = await ctx.db.call('user_read', { p_user: account.user.id }, found);
  return { ...now, eventsDue: account.eventsDue };
}
