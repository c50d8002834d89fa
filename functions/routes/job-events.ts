import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { streamJobEvents } from '../jobs/stream-job-events.ts';
import { openStream } from '../jobs/open-stream.ts';
import { findJob } from '../jobs/read-job.ts';
import { checked, describe } from './openapi-route.ts';
import { jobParam } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

/** How long a client should wait before it connects again. */
const retryMs = 1000;

const streamHeaders = {
  'Content-Type': 'text/event-stream',
  // A proxy that compresses (Next's rewrites do) would hold the events back until the end.
  'Cache-Control': 'no-cache, no-transform',
};

const lastEvent = z.object({
  'last-event-id': z
    .string()
    .optional()
    .describe('The id of the last event received; the stream goes on after it'),
});

/** Progress as Server-Sent Events. Every event holds the whole job, so that a reconnect loses nothing. */
export const eventsRoute = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>().get(
    '/:id/events',
    describe({
      tag: 'Jobs',
      summary: 'Progress as Server-Sent Events',
      description:
        '`progress` with the job, as lists show it, whenever it has moved, row by row while chunks are worked, and whenever it begins or ceases to wait for a provider (`waiting`), then `done` with the job at its end; then the stream closes. It also closes after five minutes: connect again with `Last-Event-ID`, and nothing that was received is sent again. `rows.done` never goes back within a stream while the job runs.',
      auth: 'user',
      ok: { status: 200, description: 'The stream', contentType: 'text/event-stream' },
      errors: ['not_found', 'too_many_streams'],
    }),
    session.require(),
    checked('param', jobParam),
    checked('header', lastEvent),
    async (c) => {
      const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
      // Who wants the headers alone reads no stream, and would keep it open.
      if (c.req.raw.method === 'HEAD') {
        await findJob(ctx, of);
        return c.body(null, 200, streamHeaders);
      }
      const { job, close } = await openStream(ctx, of);
      const lastEventId = c.req.valid('header')['last-event-id'];
      const { body } = streamSSE(c, async (stream) => {
        const gone = new AbortController();
        const leave = () => {
          gone.abort();
          c.executionCtx.waitUntil(close());
        };
        stream.onAbort(leave);
        try {
          for await (const told of streamJobEvents(ctx, { job, lastEventId, signal: gone.signal }))
            if (told.event === 'quiet') await stream.write(`: still here\nretry: ${retryMs}\n\n`);
            else
              await stream.writeSSE({
                event: told.event,
                id: told.id,
                data: JSON.stringify(told.job),
                retry: retryMs,
              });
        } finally {
          await close();
        }
      });
      for (const [name, value] of Object.entries(streamHeaders)) c.header(name, value);
      return c.newResponse(body);
    },
  );
