import { Hono } from 'hono';
import * as z from 'zod';
import { reconcile } from '../stripe/reconcile.ts';
import type { Ctx } from '../deps.ts';
import { checked, describe } from './describe.ts';
import { jsonBody } from './request.ts';

const body = z.strictObject({
  dryRun: z.boolean().default(false),
  cursor: z
    .string()
    .regex(/^(events|customers):[\w]{0,100}$/, 'is not a cursor of ours')
    .optional(),
});

const answer = z.object({
  checked: z.number(),
  differences: z.array(
    z.object({
      object: z.string(),
      type: z.string(),
      status: z.string(),
      code: z.string().nullable(),
      entries: z.array(
        z.object({
          idempotencyKey: z.string(),
          kind: z.string(),
          amount: z.number(),
          userId: z.string(),
        }),
      ),
      facts: z.array(z.string()).describe('keys of facts that were missing, or known otherwise'),
    }),
  ),
  nextCursor: z.string().nullable(),
});

/** Finds in Stripe what never arrived here. */
export const reconcileRoutes = (ctx: Ctx) =>
  new Hono().post(
    '/reconcile',
    describe({
      tag: 'Admin',
      summary: 'Find and post what never arrived',
      description:
        "Walks Stripe's events of the last 30 days, then every customer's invoices, sessions, subscriptions, refunds and disputes. `dryRun` only tells. Stops after 20 s: go on with `cursor` until `nextCursor` is null. It also runs by itself every day.",
      auth: 'admin',
      ok: { status: 200, description: 'What was missing', schema: answer },
      errors: [
        'invalid_json',
        'invalid_request',
        'payment_provider_unavailable',
        'payment_provider_refused',
      ],
    }),
    jsonBody,
    checked('json', body),
    async (c) => c.json(await reconcile(ctx, c.req.valid('json'))),
  );
