import type { Ctx } from '../context.ts';
import { newSecret } from './signature.ts';

/** Writes a new secret, over one that is there or not at all. → the one that holds */
async function put(
  ctx: Pick<Ctx, 'db'>,
  userId: string,
  kept: 'user_profiles.notify_secret' | 'null',
): Promise<string> {
  const [row] = await ctx.db.rows<{ secret: string }>(
    `insert into user_profiles (user_id, notify_secret) values ($1, $2)
      on conflict (user_id) do update set notify_secret = coalesce(${kept}, excluded.notify_secret)
      returning notify_secret as secret`,
    [userId, newSecret()],
  );
  if (!row) throw new Error('an upsert gave no row');
  return row.secret;
}

/** What a user's notifications are signed with; made on the first reading, one for readers that race. */
export const readNotifySecret = async (ctx: Pick<Ctx, 'db'>, { userId }: { userId: string }) => ({
  secret: await put(ctx, userId, 'user_profiles.notify_secret'),
});

/** A new one: what is sent from now on is signed with it alone. */
export const renewNotifySecret = async (ctx: Pick<Ctx, 'db'>, { userId }: { userId: string }) => ({
  secret: await put(ctx, userId, 'null'),
});
