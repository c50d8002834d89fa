import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { hasAwaitingJobs, startAwaitingQuietly } from '../jobs/start-awaiting-jobs.ts';
import { adjustCredits } from '../ledger/adjust-credits.ts';
import { explainBalance } from '../ledger/explain-balance.ts';
import { explainedSchema } from './admin-books-schemas.ts';
import { adjustedSchema } from './admin-schemas.ts';
import { checked, describe } from './openapi-route.ts';
import { idempotencyHeader, jsonBody } from './request.ts';

/** Far more than anybody corrects by, and no sum of two leaves Postgres' integers. */
const largestAmount = 1_000_000_000;

/** Our id or the external one, which may be any text without control characters. */
export const userParam = z.object({ id: z.string().regex(/^[^\p{Cc}]{1,255}$/u) });

export const reasonField = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .regex(/^[^\0]*$/, 'has a NUL character');

const adjustBody = z.strictObject({
  amount: z
    .number()
    .int()
    .min(-largestAmount)
    .max(largestAmount)
    .refine((amount) => amount !== 0, 'is 0'),
  reason: reasonField,
});

const explainQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(2000).optional(),
});

/** A user's credits for operators: correct them, and see why they are what they are. */
export const adminCreditRoutes = (ctx: Ctx) =>
  new Hono()
    .post(
      '/:id/credits',
      describe({
        tag: 'Admin',
        summary: "Correct a user's credits",
        description:
          '`{id}` is our id or the external one. A positive `amount` adds bonus credits; a negative one takes credits back: bonus, then purchased, then plan. Taking more than there is changes nothing and says the balance (`balance_too_low`). The same `Idempotency-Key` gives the first answer again, with `Idempotency-Replayed: true`; without the header each call counts.',
        auth: 'admin',
        ok: { status: 201, description: 'The ledger entry', schema: adjustedSchema },
        errors: [
          'invalid_json',
          'invalid_request',
          'not_found',
          'balance_too_low',
          'idempotency_key_reused',
          'too_large',
        ],
      }),
      checked('param', userParam),
      jsonBody,
      checked('header', idempotencyHeader),
      checked('json', adjustBody),
      async (c) => {
        const { userId, entry, balance, replayed } = await adjustCredits(ctx, {
          user: c.req.valid('param').id,
          idempotencyKey: c.req.valid('header')['idempotency-key'],
          ...c.req.valid('json'),
        });
        if (replayed) c.header('idempotency-replayed', 'true');
        if (entry.amount > 0 && (await hasAwaitingJobs(ctx, userId)))
          c.executionCtx.waitUntil(startAwaitingQuietly(ctx, userId));
        return c.json({ entry, balance }, 201);
      },
    )
    .get(
      '/:id/credits/explain',
      describe({
        tag: 'Admin',
        summary: "Why a user's balance is what it is",
        description:
          'What happened, newest first, each step with a sentence, what it did to the lots and its Stripe ids; the lots and payments that came of it; the ledger entries; events that are not applied yet. `sum` is always over all entries.',
        auth: 'admin',
        ok: { status: 200, description: 'The explanation', schema: explainedSchema },
        errors: ['invalid_request', 'not_found'],
      }),
      checked('param', userParam),
      checked('query', explainQuery),
      async (c) =>
        c.json(
          await explainBalance(ctx, { user: c.req.valid('param').id, ...c.req.valid('query') }),
        ),
    );
