import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { type NotificationRow, notificationView } from './notification.pure.ts';

/** The newest notification of a job `j`, as JSON; null: none. For a query that reads the job. */
export const latestNotification = `(
  select to_jsonb(n) from notifications n where n.job_id = j.id order by n.run desc limit 1)`;

const most = 100;

/** What was told of a job's ends and what came of it, newest first, the last 100. Throws `not_found`. */
export async function listNotifications(
  ctx: Pick<Ctx, 'db' | 'now'>,
  { userId, jobId }: { userId: string; jobId: string },
) {
  const rows = await ctx.db.rows<{ notification: NotificationRow | null }>(
    `select to_jsonb(n) as notification from jobs j left join notifications n on n.job_id = j.id
      where j.id = $1 and j.user_id = $2 and j.deleted_at is null order by n.run desc limit $3`,
    [jobId, userId, most],
  );
  if (rows.length === 0) throw new DomainError('not_found', 'There is no such job.');
  const told = rows.flatMap(({ notification }) => notification ?? []);
  return { items: told.map((row) => notificationView(row, ctx.now())), nextCursor: null };
}
