import type { Ctx } from '../deps.ts';
import { settleUser } from '../ledger/due.ts';

/** Brings the books of a user whose job has ended up to date. What fails here, the cron does. */
export async function settleAfterJob(ctx: Ctx, userId: string): Promise<void> {
  try {
    await settleUser(ctx, userId);
  } catch {
    ctx.log('user_not_settled', { userId });
  }
}
