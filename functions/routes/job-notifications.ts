import { Hono } from 'hono';
import type { Ctx } from '../context.ts';
import { listNotifications } from '../notifications/list-notifications.ts';
import { checked, describe } from './openapi-route.ts';
import { jobParam, notificationsSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

/** What was told of a job's ends. */
export const notificationsRoute = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>().get(
    '/:id/notifications',
    describe({
      tag: 'Jobs',
      summary: "What the job's `notifyUrl` was told, newest first",
      description:
        'One signed POST for each end of the job: `{type, timestamp, data}` with `type` `job.completed`, `job.failed` or `job.cancelled` and in `data` `{jobId, status, filename, rows, credits, error, finishedAt}`, nothing of its rows. Any 2xx within 10 s is `delivered`; 410 ends it; everything else, redirects too, is tried again after 30 s, 10 min and 3 h 20 min, under the same `webhook-id`. What was not delivered when the job is started again, or deleted, is not sent any more. The signature: `GET /v1/me/notify-secret`.',
      auth: 'user',
      ok: { status: 200, description: 'The last 100', schema: notificationsSchema },
      errors: ['not_found'],
    }),
    session.require(),
    checked('param', jobParam),
    async (c) => {
      const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
      return c.json(await listNotifications(ctx, of));
    },
  );
