import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { listEntries } from '../ledger/list-entries.ts';
import { userView } from '../users/view.pure.ts';
import { checked, describe } from './openapi-route.ts';
import { entriesSchema, limitQuery, meSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const entriesQuery = z.object({
  limit: limitQuery,
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'is not a cursor of ours')
    .transform(Number)
    .optional(),
});

/** The caller's account and ledger. */
export const accountRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .get(
      '/me',
      describe({
        tag: 'Account',
        summary: 'The caller, their credits and subscription',
        description: 'The first call makes the user and grants the sign-up credits, once.',
        auth: 'user',
        ok: { status: 200, description: 'The caller', schema: meSchema },
      }),
      async (c) => {
        const { user, subscriptions } = await session.load(c);
        const mode = ctx.config.creditRenewal;
        return c.json(userView(user, subscriptions, { now: ctx.now(), mode }));
      },
    )
    .get(
      '/credits/entries',
      describe({
        tag: 'Account',
        summary: "The caller's credit ledger, newest first",
        auth: 'user',
        ok: { status: 200, description: 'A page of entries', schema: entriesSchema },
        errors: ['invalid_request'],
      }),
      session.require(),
      checked('query', entriesQuery),
      async (c) =>
        c.json(await listEntries(ctx, { userId: c.get('userId'), ...c.req.valid('query') })),
    );
