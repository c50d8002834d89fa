import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';

/** The id of the user whom an operator names by our id or the external one. Throws `not_found`. */
export async function findUser(ctx: Ctx, named: string): Promise<string> {
  const userId = await ctx.db.call('user_find', { p_ref: named });
  if (userId === null) throw new DomainError('not_found', 'There is no such user.');
  return userId;
}
