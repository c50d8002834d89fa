import * as z from 'zod';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import type { SweepPage } from '../shared/side-by-side.ts';
import { mostAttempts } from './notification.pure.ts';

type QueueCtx = Pick<Ctx, 'config' | 'db' | 'qstash'>;

/** 30 s, 10 min, 3 h 20 min: over a deployment and over an outage of hours. */
const retryDelay = '30000 * pow(20, retried)';

const perPage = 100;

/** Whoever ended the job publishes at once; later it has died, or the queue was away. */
const unpublishedSeconds = 20;

const batchAnswer = z.array(z.object({ messageId: z.string().optional() }));

const messageOf = (publicUrl: string, id: string) => ({
  url: `${publicUrl}/queue/notifications`,
  body: { notificationId: id },
  retries: mostAttempts - 1,
  retryDelay,
  // Published twice, by whom the job was ended and by the sweep, it is delivered once.
  deduplicationId: `notification-${id}`,
  failureCallback: `${publicUrl}/queue/notification-failures`,
});

/** Hands notifications to the queue. → how many it took; throws the client's error. */
async function publish(ctx: QueueCtx, ids: readonly string[]): Promise<number> {
  const { publicUrl } = ctx.config;
  const sent = ctx.qstash.batchJSON(ids.map((id) => messageOf(publicUrl, id)));
  const answers = batchAnswer.parse(await timeLimit(queueTimeoutMs, sent));
  const taken = ids.filter((_, i) => answers[i]?.messageId !== undefined);
  await ctx.db.rows(
    'update notifications set published_at = now() where id = any ($1::uuid[]) and published_at is null',
    [taken],
  );
  return taken.length;
}

/**
 * Hands what is to be told of a job's end to the queue, if anything is. Called after the commit that wrote it. Never
 * throws: the sweep makes up for what was not published.
 */
export async function publishNotification(
  ctx: QueueCtx & Pick<Ctx, 'log'>,
  { jobId }: { jobId: string },
): Promise<void> {
  try {
    const rows = await ctx.db.rows<{ id: string }>(
      `select id from notifications
        where job_id = $1 and published_at is null and status = 'pending'`,
      [jobId],
    );
    if (rows.length === 0) return;
    const ids = rows.map(({ id }) => id);
    if ((await publish(ctx, ids)) === ids.length) return;
  } catch {
    // As when the queue refuses it: nobody waits for this.
  }
  ctx.log('notification_not_published', { jobId });
}

/** Hands over what nobody has in 20 s; twice at once does no harm. */
export async function publishForgotten(ctx: QueueCtx, limit = perPage): Promise<SweepPage> {
  const rows = await ctx.db.rows<{ id: string }>(
    `select id from notifications where published_at is null and status = 'pending'
        and created_at < now() - $1 * interval '1 second'
      order by created_at limit $2`,
    [unpublishedSeconds, limit],
  );
  if (rows.length === 0) return { worked: 0, isMore: false, calls: 1 };
  const worked = await publish(
    ctx,
    rows.map(({ id }) => id),
  );
  return { worked, isMore: rows.length === limit, calls: 5 };
}
