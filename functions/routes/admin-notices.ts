import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { closeNotice } from '../notices/close-notice.ts';
import { listNotices } from '../notices/list-notices.ts';
import { noticeKinds } from '../notices/notice.pure.ts';
import { reasonField } from './admin-credits.ts';
import { time } from './admin-schemas.ts';
import { checked, describe } from './openapi-route.ts';
import { jsonBody } from './request.ts';
import { limitQuery, pageSchema } from './schemas.ts';

const noticeId = z.string().regex(/^\d{1,15}$/, 'is not an id of ours');

const noticeSchema = z.object({
  id: z.string(),
  at: time,
  kind: z.enum(noticeKinds),
  userId: z.string().nullable().describe('whom it is about; null: nobody in particular'),
  subject: z.object({
    type: z.string().describe('`charge`, `invoice`, `price`, `subscription`, `user`, …'),
    id: z.string(),
  }),
  detail: z.string(),
  closed: z.object({ at: time, reason: z.string() }).optional(),
});

const noticesSchema = pageSchema(noticeSchema);

const noticesQuery = z.object({
  state: z.enum(['open', 'closed']).default('open'),
  limit: limitQuery,
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'is not a cursor of ours')
    .optional(),
});

/** What needs a person, and that somebody has seen to it. */
export const adminNoticeRoutes = (ctx: Ctx) =>
  new Hono()
    .get(
      '/',
      describe({
        tag: 'Admin',
        summary: 'What an operator has to see, newest first',
        description:
          'One open notice of a kind about one thing. What was closed comes again only with other words, or while its cause is there.',
        auth: 'admin',
        ok: { status: 200, description: 'A page of notices', schema: noticesSchema },
        errors: ['invalid_request'],
      }),
      checked('query', noticesQuery),
      async (c) => c.json(await listNotices(ctx, c.req.valid('query'))),
    )
    .post(
      '/:id/close',
      describe({
        tag: 'Admin',
        summary: 'Close a notice',
        description: 'Closing it again changes nothing: the first reason stays.',
        auth: 'admin',
        ok: { status: 200, description: 'The notice as it is now', schema: noticeSchema },
        errors: ['invalid_json', 'invalid_request', 'not_found', 'too_large'],
      }),
      checked('param', z.object({ id: noticeId })),
      jsonBody,
      checked('json', z.strictObject({ reason: reasonField })),
      async (c) =>
        c.json(await closeNotice(ctx, { ...c.req.valid('param'), ...c.req.valid('json') })),
    );
