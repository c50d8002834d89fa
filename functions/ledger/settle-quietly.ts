import type { Ctx } from '../context.ts';
import { settleUser } from './due.ts';

/** Brings the books of a user whose job has ended up to date. What fails here, the cron does. */
export async function settleQuietly(ctx: Ctx, userId: string): Promise<void> {
  try {
    await settleUser(ctx, userId);
  } catch {
    ctx.log('user_not_settled', { userId });
  }
}
