import { Hono } from 'hono';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { limitBody, signedText } from '../http/middleware.ts';
import { startAwaitingQuietly } from '../jobs/start-awaiting-jobs.ts';
import { retryQuietly } from '../stripe/retry-events.ts';
import { receiveStripeEvent } from '../stripe/receive.ts';
import { describe } from './openapi-route.ts';
import { receivedSchema } from './schemas.ts';

/** Stripe's events stay far below this; what is larger is not Stripe's. */
const largestEventBytes = 524_288;

/** Stripe's deliveries. A database that is down is 500 here, so that Stripe comes again. */
export const webhookRoutes = (ctx: Ctx) =>
  new Hono().post(
    '/stripe',
    describe({
      tag: 'Webhooks',
      summary: "Stripe's events",
      description:
        '200 once the event is stored. `failed` means: stored, nothing granted, tried again by itself.',
      auth: 'stripe',
      ok: { status: 200, description: 'Stored', schema: receivedSchema },
      errors: ['internal'],
    }),
    limitBody(largestEventBytes),
    async (c) => {
      const body = await signedText(c);
      const signature = c.req.header('stripe-signature');
      try {
        const received = await receiveStripeEvent(ctx, { body, signature });
        const { eventId, status, awaiting } = received;
        // What waited for this need not wait for the cron.
        if (received.eventsDue) c.executionCtx.waitUntil(retryQuietly(ctx));
        if (awaiting !== null) c.executionCtx.waitUntil(startAwaitingQuietly(ctx, awaiting));
        return c.json({ received: true as const, eventId, status });
      } catch (error) {
        if (error instanceof DomainError && error.code !== 'service_unavailable') throw error;
        throw new DomainError('internal', undefined, { cause: error });
      }
    },
  );
