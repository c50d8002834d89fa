import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { eventStats } from '../stripe/event-stats.ts';
import { dismissEvent } from '../stripe/dismiss-event.ts';
import { listEvents, readStoredEvent } from '../stripe/list-events.ts';
import { retryEvent, retryEvents } from '../stripe/retry-events.ts';
import { reasonField } from './admin-credits.ts';
import {
  eventDetailSchema,
  eventSchema,
  eventsSchema,
  eventStatus,
  retriedAllSchema,
  retriedSchema,
  statsSchema,
} from './admin-schemas.ts';
import { checked, describe } from './openapi-route.ts';
import { jsonBody, refusedBody } from './request.ts';
import { limitQuery } from './schemas.ts';

/** How many events one call retries at most. */
const retryLimit = 500;

/** A year; what is older is for the database itself. */
const longestHours = 8784;

const eventParam = z.object({ eventId: z.string().regex(/^[^\p{Cc}]{1,255}$/u) });

const eventsQuery = z.object({
  status: eventStatus.optional(),
  limit: limitQuery,
  cursor: z
    .string()
    .regex(/^\d{1,17}~[^\p{Cc}]{1,255}$/u, 'is not a cursor of ours')
    .transform((text) => {
      const [receivedUs = '', ...id] = text.split('~');
      return { receivedUs, eventId: id.join('~') };
    })
    .optional(),
});

const readRoutes = (ctx: Ctx) =>
  new Hono()
    .get(
      '/',
      describe({
        tag: 'Admin',
        summary: 'Stripe events, newest received first',
        description: 'Without payloads; `?status=` shows one status only.',
        auth: 'admin',
        ok: { status: 200, description: 'A page of events', schema: eventsSchema },
        errors: ['invalid_request'],
      }),
      checked('query', eventsQuery),
      async (c) => c.json(await listEvents(ctx, c.req.valid('query'))),
    )
    .get(
      '/stats',
      describe({
        tag: 'Admin',
        summary: 'How the processing of Stripe events goes',
        description: 'Events received in the last `hours` (24 unless said otherwise).',
        auth: 'admin',
        ok: { status: 200, description: 'Counts and times by event type', schema: statsSchema },
        errors: ['invalid_request'],
      }),
      checked(
        'query',
        z.object({ hours: z.coerce.number().int().min(1).max(longestHours).default(24) }),
      ),
      async (c) => c.json(await eventStats(ctx, c.req.valid('query'))),
    )
    .get(
      '/:eventId',
      describe({
        tag: 'Admin',
        summary: 'A Stripe event with its payload',
        auth: 'admin',
        ok: { status: 200, description: 'The event', schema: eventDetailSchema },
        errors: ['not_found'],
      }),
      checked('param', eventParam),
      async (c) => c.json(await readStoredEvent(ctx, c.req.valid('param'))),
    );

const retryRoutes = (ctx: Ctx) =>
  new Hono()
    .post(
      '/retry',
      describe({
        tag: 'Admin',
        summary: 'Retry all Stripe events that are due or failed',
        description:
          'Whatever their next time, each on its own and as Stripe has its object by now. One call tries at most `limit` events (500) and begins none after 20 s; call again while `remaining` goes down.',
        auth: 'admin',
        ok: { status: 200, description: 'What came of it', schema: retriedAllSchema },
        errors: ['invalid_request'],
      }),
      checked(
        'query',
        z.object({ limit: z.coerce.number().int().min(1).max(retryLimit).default(retryLimit) }),
      ),
      async (c) => c.json(await retryEvents(ctx, c.req.valid('query'))),
    )
    .post(
      '/:eventId/retry',
      describe({
        tag: 'Admin',
        summary: 'Retry a Stripe event now',
        description:
          'Its object is read from Stripe anew. `status` says what came of it; `duplicate` is an event that came to its end before: nothing changes.',
        auth: 'admin',
        ok: { status: 200, description: 'The event as it is now', schema: retriedSchema },
        errors: ['not_found'],
      }),
      checked('param', eventParam),
      async (c) => c.json(await retryEvent(ctx, c.req.valid('param'))),
    )
    .post(
      '/:eventId/dismiss',
      describe({
        tag: 'Admin',
        summary: 'Close a Stripe event that failed',
        description:
          'It is not tried again and keeps its error. Dismissed before: the same answer, with the reason of then.',
        auth: 'admin',
        ok: { status: 200, description: 'The event as it is now', schema: eventSchema },
        errors: ['not_found', 'event_settled', ...refusedBody],
      }),
      jsonBody,
      checked('param', eventParam),
      checked('json', z.strictObject({ reason: reasonField })),
      async (c) =>
        c.json(await dismissEvent(ctx, { ...c.req.valid('param'), ...c.req.valid('json') })),
    );

/** The inbox for operators: look, measure, retry, dismiss. */
export const adminWebhookRoutes = (ctx: Ctx) =>
  new Hono().route('/', readRoutes(ctx)).route('/', retryRoutes(ctx));
