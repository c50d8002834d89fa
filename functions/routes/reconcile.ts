import { Hono } from 'hono';
import * as z from 'zod';
import { reconcile } from '../stripe/reconcile.ts';
import type { Ctx } from '../context.ts';
import { checked, describe } from './openapi-route.ts';
import { jsonBody, refusedBody } from './request.ts';

/** Opaque: the walk itself reads it. */
export const cursorText = z.string().regex(/^[\w-]{1,600}$/, 'is not a cursor of ours');

/** An id of Stripe's, without what a URL would read otherwise. */
const idOf = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}\\w{1,250}$`), `is not an id ${prefix}…`);

const filters = ['since', 'customer', 'user', 'session'] as const;

const body = z
  .strictObject({
    dryRun: z.boolean().default(false).describe('only tells, and writes nothing at all'),
    cursor: cursorText.optional().describe('with the same fields as the call that gave it'),
    since: z.iso
      .datetime({ offset: true })
      .transform((text) => Math.max(0, Math.floor(Date.parse(text) / 1000)))
      .optional()
      .describe('as the daily walk whose last clean run began then'),
    customer: idOf('cus_').optional().describe('a Stripe customer'),
    user: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('all customers of a user, by our id or the external one, and guest purchases'),
    session: idOf('cs_').optional().describe('a checkout session, and whoever paid for it'),
  })
  .superRefine((given, context) => {
    const [, second] = filters.filter((name) => given[name] !== undefined);
    if (second !== undefined)
      context.addIssue({ code: 'custom', path: [second], message: 'stands beside another filter' });
  });

const answer = z.object({
  checked: z.number(),
  byType: z.record(z.string(), z.number()).describe('how many objects of each type'),
  differences: z.array(
    z.object({
      object: z.string().describe("an id of Stripe's"),
      type: z.string(),
      userId: z.string().nullable(),
      status: z.enum(['completed', 'failed']),
      code: z.string().nullable(),
      says: z.string().describe('what differs, and what was or would be done'),
      facts: z.array(z.string()).describe('keys of facts that were missing, or known otherwise'),
      entries: z.array(
        z.object({
          idempotencyKey: z.string(),
          kind: z.string(),
          amount: z.number(),
          userId: z.string(),
        }),
      ),
    }),
  ),
  nextCursor: z.string().nullable(),
  dryRun: z.boolean(),
});

/** Finds in Stripe what never arrived here. */
export const reconcileRoutes = (ctx: Ctx) =>
  new Hono().post(
    '/reconcile',
    describe({
      tag: 'Admin',
      summary: 'Compare Stripe with the books and post what is missing',
      description:
        "Reads what Stripe has at this moment: prices, sessions, subscriptions, invoices, refunds, disputes and credit notes; all of them, or a customer's, a user's, a session's, or those since a moment. `dryRun` only tells. Stops after 20 s: go on with `cursor` until `nextCursor` is null. It also runs by itself every day.",
      auth: 'admin',
      ok: { status: 200, description: 'What differed', schema: answer },
      errors: [
        ...refusedBody,
        'not_found',
        'payment_provider_unavailable',
        'payment_provider_refused',
      ],
    }),
    jsonBody,
    checked('json', body),
    async (c) => c.json(await reconcile(ctx, c.req.valid('json'))),
  );
