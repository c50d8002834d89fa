import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { findRows } from '../jobs/list-rows.ts';
import { previewJob } from '../jobs/preview-job.ts';
import { outputRoute } from './job-output.ts';
import { checked, describe } from './openapi-route.ts';
import { jobParam, limitQuery, pageSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

export const rowSchema = z.object({
  index: z.number().describe('its place in the file, from 0'),
  status: z.enum(['ok', 'error', 'skipped', 'pending']),
  note: z.string().nullable().describe('such as `same as row 3`, where rows count from 1'),
  error: z.string().nullable(),
  input: z.record(z.string(), z.string()).describe('by the names of the columns'),
  output: z.record(z.string(), z.string()).nullable().describe('null unless `ok`'),
});

const previewSchema = z.object({
  encoding: z.string().describe('such as `UTF-8` or `Shift_JIS`'),
  delimiter: z.string().describe('the character itself; empty: one column'),
  header: z.array(z.string()).describe('the columns by the names that a prompt can say'),
  rows: z.array(z.array(z.string())).describe('the first 10 with content, long cells cut'),
  rowsTotal: z.number(),
  emptyRows: z.number().describe('without content or below the table: neither worked nor charged'),
  duplicateRows: z.number().describe('the same as one above them'),
  research: z.object({
    columns: z.array(z.string()).describe('that searches are made of'),
    queries: z.array(z.string().nullable()).describe('of those rows; null: nothing is searched'),
  }),
  prompt: z.string().describe('as the model gets it for the first row that will be worked'),
  cost: z.object({
    credits: z
      .number()
      .describe(
        'that a start, or a retry of what failed, would hold now. Of a paused job that is the most a resume holds: rows that failed before the pause are left. 0 while it runs: that is held already',
      ),
    balance: z.number(),
    unlimited: z.boolean().optional(),
  }),
  warnings: z.array(z.string()).describe('sentences to be shown'),
});

const place = z
  .string()
  .regex(/^\d{1,9}$/, 'is not the number of a row')
  .transform(Number)
  .optional();

const rowsQuery = z.object({
  status: rowSchema.shape.status.optional(),
  q: z.string().max(200).optional(),
  from: place,
  cursor: place,
  limit: limitQuery,
});

/** What is seen of a job's rows before, during and after its run; its result. */
export const rowRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .route('/', outputRoute(ctx, session))
    .get(
      '/:id/preview',
      describe({
        tag: 'Jobs',
        summary: 'What a start would do, and what it costs',
        description:
          'How the file was read, its first rows, what will be searched for, the prompt of one row, the credits. Nothing is worked or charged. `start: "manual"` keeps a job from starting by itself.',
        auth: 'user',
        ok: { status: 200, description: 'The preview', schema: previewSchema },
        errors: ['not_found', 'no_input', 'rows_expired', 'job_not_open'],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) =>
        c.json(await previewJob(ctx, { userId: c.get('userId'), jobId: c.req.valid('param').id })),
    )
    .get(
      '/:id/rows',
      describe({
        tag: 'Jobs',
        summary: 'The rows of a job with their results',
        description:
          '`status` and `q`, text in any cell whatever its letter case, narrow them down; `from` (or `cursor`) is the first row that is looked at. A page may be short, or empty, and still have a `nextCursor`: so many rows are looked at for each. Of a running job too.',
        auth: 'user',
        ok: { status: 200, description: 'A page of rows', schema: pageSchema(rowSchema) },
        errors: ['not_found', 'invalid_request', 'no_input', 'rows_expired'],
      }),
      session.require(),
      checked('param', jobParam),
      checked('query', rowsQuery),
      async (c) => {
        const { cursor, from, ...filter } = c.req.valid('query');
        const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
        return c.json(await findRows(ctx, { ...of, ...filter, from: cursor ?? from ?? 0 }));
      },
    );
