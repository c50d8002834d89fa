import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { auditBooks } from '../ledger/audit-books.ts';
import { refoldBooks } from '../ledger/refold-books.ts';
import { suspendUser } from '../ledger/suspend-user.ts';
import { auditedSchema, refoldedSchema, suspensionSchema } from './admin-books-schemas.ts';
import { reasonField, userParam } from './admin-credits.ts';
import { checked, describe } from './openapi-route.ts';
import { idempotencyHeader, jsonBody } from './request.ts';

const auditQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.uuid().optional(),
});

const suspensionBody = z.strictObject({
  action: z.enum(['suspend', 'lift']),
  reason: reasonField,
});

/** Whether everybody's books are what their facts come to. */
export const adminAuditRoutes = (ctx: Ctx) =>
  new Hono().get(
    '/',
    describe({
      tag: 'Admin',
      summary: 'Whether the books are what the facts come to',
      description:
        "Folds users' facts anew and compares with what is stored; reads only. Looks at up to `limit` users and for 20 s at most: go on with `cursor` until `nextCursor` is null. It also runs by itself every day and logs `audit_difference`.",
      auth: 'admin',
      ok: { status: 200, description: 'Whose books differ, and how', schema: auditedSchema },
      errors: ['invalid_request'],
    }),
    checked('query', auditQuery),
    async (c) => c.json(await auditBooks(ctx, c.req.valid('query'))),
  );

/** A user's books for operators: fold them anew, suspend their use. */
export const adminBooksRoutes = (ctx: Ctx) =>
  new Hono()
    .post(
      '/:id/refold',
      describe({
        tag: 'Admin',
        summary: "Fold a user's books anew",
        description:
          'What the present version of the fold would change: lots, the balance, and the entries that say so. It is posted unless `dryRun`; where nothing differs, nothing is written.',
        auth: 'admin',
        ok: { status: 200, description: 'What changes, or changed', schema: refoldedSchema },
        errors: ['invalid_json', 'invalid_request', 'not_found', 'too_large'],
      }),
      checked('param', userParam),
      jsonBody,
      checked('json', z.strictObject({ dryRun: z.boolean().default(false) })),
      async (c) =>
        c.json(await refoldBooks(ctx, { user: c.req.valid('param').id, ...c.req.valid('json') })),
    )
    .post(
      '/:id/suspension',
      describe({
        tag: 'Admin',
        summary: 'Suspend a user, or lift a suspension',
        description:
          'While suspended, no job can be started. `lift` also ends a suspension by a dispute that was known before. The same `Idempotency-Key` gives the first answer again, with `Idempotency-Replayed: true`.',
        auth: 'admin',
        ok: { status: 200, description: 'What holds by this request', schema: suspensionSchema },
        errors: [
          'invalid_json',
          'invalid_request',
          'not_found',
          'idempotency_key_reused',
          'too_large',
        ],
      }),
      checked('param', userParam),
      jsonBody,
      checked('header', idempotencyHeader),
      checked('json', suspensionBody),
      async (c) => {
        const { suspended, replayed } = await suspendUser(ctx, {
          user: c.req.valid('param').id,
          idempotencyKey: c.req.valid('header')['idempotency-key'],
          ...c.req.valid('json'),
        });
        if (replayed) c.header('idempotency-replayed', 'true');
        return c.json({ suspended });
      },
    );
