import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Ctx } from '../deps.ts';
import { hasEnded } from '../jobs/job.pure.ts';
import { readJob } from '../jobs/read-job.ts';
import { checked, describe } from './describe.ts';
import { jobParam } from './schemas.ts';
import type { Session, UserEnv } from './session.ts';

const pollMs = 500;
/** After this the client connects again, as EventSource does by itself. */
const longestMs = 300_000;
/** Comment lines keep proxies from cutting a quiet stream. */
const quietMs = 15_000;

/** Progress as Server-Sent Events. Every event holds the whole job, so that a reconnect loses nothing. */
export const eventsRoute = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>().get(
    '/:id/events',
    describe({
      tag: 'Jobs',
      summary: 'Progress as Server-Sent Events',
      description:
        '`progress` with the job whenever it has moved, then `done` with the job at its end.',
      auth: 'user',
      ok: { status: 200, description: 'The stream', contentType: 'text/event-stream' },
      errors: ['not_found'],
    }),
    session.require(),
    checked('param', jobParam),
    async (c) => {
      const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
      let job = await readJob(ctx, of);
      return streamSSE(c, async (stream) => {
        const until = ctx.now().getTime() + longestMs;
        let sent = '';
        let sentAt = 0;
        while (!stream.aborted && ctx.now().getTime() < until) {
          const data = JSON.stringify(job);
          const ended = hasEnded(job.status);
          const id = `${job.rows.done}-${job.status}`;
          if (id !== sent) {
            await stream.writeSSE({ event: 'progress', id, data, retry: 1000 });
            sentAt = ctx.now().getTime();
          } else if (ctx.now().getTime() - sentAt > quietMs) {
            await stream.write(': still here\n\n');
            sentAt = ctx.now().getTime();
          }
          sent = id;
          if (ended) return stream.writeSSE({ event: 'done', id, data });
          await stream.sleep(pollMs);
          job = await readJob(ctx, of);
        }
      });
    },
  );
