import type { Ctx } from '../context.ts';
import type { Sender } from '../processing/sender.ts';
import { senderOf, senderView } from '../processing/sender-of.pure.ts';

type Of = { userId: string };

/** Who writes a user's e-mails, every field; null where nothing was said. */
export async function readSender(ctx: Pick<Ctx, 'db'>, { userId }: Of) {
  const [row] = await ctx.db.rows<{ sender: Sender | null }>(
    'select sender from user_profiles where user_id = $1',
    [userId],
  );
  return senderView(row?.sender ?? null);
}

/** Puts another profile in the place of the present one: a field that is missing or empty is cleared. */
export async function writeSender(
  ctx: Pick<Ctx, 'db'>,
  { userId, sender }: Of & { sender: { [Field in keyof Sender]: Sender[Field] | null } },
) {
  const said = Object.entries(sender).filter(([, value]) => value !== null);
  const stored = senderOf(null, Object.fromEntries(said));
  await ctx.db.rows(
    `insert into user_profiles (user_id, sender) values ($1, $2::jsonb)
      on conflict (user_id) do update set sender = excluded.sender`,
    [userId, stored && JSON.stringify(stored)],
  );
  return senderView(stored);
}
