import type { Ctx } from '../context.ts';
import {
  type Answer,
  type EndedJob,
  isStillSo,
  type NotificationRow,
  type NotificationStatus,
  outcomeOf,
  payloadOf,
} from './notification.pure.ts';
import { notifyUrlProblem } from './notify-url.pure.ts';
import { readNotifySecret } from './secret.ts';
import { signatureOf } from './signature.ts';

const longestMs = 10_000;

/** How the receiver is reached, and how long its answer is waited for. */
export type DeliverBy = {
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  timeoutMs?: number;
};

/** `pending`: it is to be tried again; `gone`: there is nothing left to send. */
export type DeliverOutcome = { outcome: NotificationStatus | 'gone' };

type Found = {
  notification: Pick<NotificationRow, 'id' | 'run' | 'url' | 'status' | 'attempts'>;
  job: EndedJob;
  secret: string | null;
};

/** What is to be sent, with the job as it stands. Undefined: it was deleted, or its time is over. */
async function find(ctx: Ctx, notificationId: string): Promise<Found | undefined> {
  const [found] = await ctx.db.rows<Found>(
    `select to_jsonb(n) as notification, p.notify_secret as secret, (
          select to_jsonb(told) from (select j.id, j.user_id, j.run, j.status, j.filename, j.rows_total,
            j.rows_done, j.rows_succeeded, j.rows_failed, j.rows_skipped, j.credits_held, j.credits_charged,
            j.credits_released, j.error, j.finished_at) told) as job
        from notifications n join jobs j on j.id = n.job_id left join user_profiles p on p.user_id = j.user_id
        where n.id = $1 and j.deleted_at is null`,
    [notificationId],
  );
  return found;
}

/** Whoever comes second changes nothing. */
async function record(
  ctx: Ctx,
  id: string,
  came: { status: NotificationStatus; statusCode?: number | null; error: string | null },
  attempts: 0 | 1,
): Promise<void> {
  await ctx.db.rows(
    `update notifications set status = $2, status_code = coalesce($3::integer, status_code), error = $4,
        attempts = attempts + $5::integer,
        attempted_at = case $5::integer when 1 then now() else attempted_at end
      where id = $1 and status = 'pending'`,
    [id, came.status, came.statusCode ?? null, came.error, attempts],
  );
}

/** Never told of the receiver: what it says beside its status, and where it is. */
async function post(
  url: string,
  init: { headers: Record<string, string>; body: string },
  { fetch: by = (to, how) => fetch(to, how), timeoutMs = longestMs }: DeliverBy,
): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await by(url, { ...init, method: 'POST', redirect: 'manual', signal });
    // Unread: it may be long, or never end.
    answer.body?.cancel().catch(() => undefined);
    return { status: answer.status };
  } catch {
    return { none: signal.aborted ? 'timeout' : 'connection' };
  }
}

/**
 * Tells the receiver of a job's end, signed as Standard Webhooks have it, and notes its answer. A message that
 * comes twice sends nothing once it was delivered; two at once may send it twice, under the same `webhook-id`.
 */
export async function deliverNotification(
  ctx: Ctx,
  { notificationId }: { notificationId: string },
  by: DeliverBy = {},
): Promise<DeliverOutcome> {
  const found = await find(ctx, notificationId);
  if (!found || found.notification.status !== 'pending') return { outcome: 'gone' };
  const { notification, job } = found;
  const { id, url } = notification;
  const problem = notifyUrlProblem(url, ctx.config.notifyLocalHosts);
  const obstacle = isStillSo(job, notification.run)
    ? problem && `The address ${problem}.`
    : 'The job was started again before this was delivered.';
  if (obstacle !== undefined) {
    await record(ctx, id, { status: 'failed', error: obstacle }, 0);
    return { outcome: 'failed' };
  }
  const secret = found.secret ?? (await readNotifySecret(ctx, { userId: job.user_id })).secret;
  const body = JSON.stringify(payloadOf(job));
  const timestamp = Math.floor(ctx.now().getTime() / 1000);
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Rowloom',
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': await signatureOf(secret, { id, timestamp, body }),
  };
  const answer = await post(url, { headers, body }, by);
  const attempt = notification.attempts + 1;
  const came = outcomeOf(answer, attempt);
  await record(ctx, id, came, 1);
  const { status: outcome, statusCode } = came;
  ctx.log('notification_tried', { notificationId, jobId: job.id, attempt, outcome, statusCode });
  return { outcome };
}

/** A notification whose deliveries are spent: our own Worker did not work them. */
export async function giveUpNotification(
  ctx: Ctx,
  { notificationId }: { notificationId: string },
): Promise<DeliverOutcome> {
  const given = await ctx.db.rows(
    `update notifications set status = 'failed', error = coalesce(error, 'It could not be delivered.')
      where id = $1 and status = 'pending' returning id`,
    [notificationId],
  );
  return { outcome: given.length > 0 ? 'failed' : 'gone' };
}
