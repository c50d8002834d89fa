import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { listUsage, readJobUsage } from '../jobs/read-usage.ts';
import { userParam } from './admin-credits.ts';
import { time } from './admin-schemas.ts';
import { checked, describe } from './openapi-route.ts';
import { jobParam, jobSchema, limitQuery, pageSchema } from './schemas.ts';

/** Before that there was nothing, and Postgres has no year 0. */
const day = z.iso
  .date('is not a day like 2026-11-22')
  .refine((text) => text >= '2000-01-01', 'is before 2000-01-01');

const usage = {
  rows: z.object({ succeeded: z.number(), failed: z.number() }),
  ...jobSchema.shape.usage.shape,
  cost: z
    .object({
      amount: z.number().describe('dollars, to the millionth'),
      currency: z.literal('usd'),
    })
    .describe('of tokens, searches and messages, by the prices at the time'),
  creditsCharged: z.number(),
};

const usageSchema = pageSchema(
  z.object({
    day: z.iso.date().describe('UTC'),
    userId: z.string(),
    jobs: z.number(),
    ...usage,
  }),
).extend({
  unpricedModels: z
    .array(z.string())
    .describe('configured models whose tokens cost nothing here: `PRICES` does not name them'),
});

const jobUsageSchema = z.object({
  jobId: z.string(),
  userId: z.string(),
  status: jobSchema.shape.status,
  startedAt: time.nullable().describe('of its last run'),
  ...usage,
});

const usageQuery = z.object({
  from: day.optional(),
  to: day.optional(),
  userId: userParam.shape.id.optional(),
  limit: limitQuery,
  cursor: z
    .string()
    .refine((text) => {
      const [last, userId, ...more] = text.split('~');
      return day.safeParse(last).success && z.uuid().safeParse(userId).success && more.length === 0;
    }, 'is not a cursor of ours')
    .transform((text) => {
      const [last = '', userId = ''] = text.split('~');
      return { day: last, userId };
    })
    .optional(),
});

/** What jobs took, in money, by user and day. */
export const adminUsageRoutes = (ctx: Ctx) =>
  new Hono().get(
    '/',
    describe({
      tag: 'Admin',
      summary: 'What jobs took, by user and day, newest day first',
      description:
        '`from` and `to` are days in UTC, both included: the last 30 unless said otherwise, 366 at most. `userId` is our id or the external one. A job counts with all its runs on the day on which its last run began; deleted ones count too. `cost` is what you pay, `creditsCharged` what the users paid.',
      auth: 'admin',
      ok: { status: 200, description: 'A page of usage', schema: usageSchema },
      errors: ['invalid_request', 'not_found'],
    }),
    checked('query', usageQuery),
    async (c) => {
      const { userId: user, ...query } = c.req.valid('query');
      return c.json(await listUsage(ctx, { user, ...query }));
    },
  );

/** The same of one job. */
export const adminJobRoutes = (ctx: Ctx) =>
  new Hono().get(
    '/:id/usage',
    describe({
      tag: 'Admin',
      summary: 'What one job took',
      description: 'Over all its runs, with its cost; also of a job that was deleted.',
      auth: 'admin',
      ok: { status: 200, description: 'What it took so far', schema: jobUsageSchema },
      errors: ['invalid_request', 'not_found'],
    }),
    checked('param', jobParam),
    async (c) => c.json(await readJobUsage(ctx, { jobId: c.req.valid('param').id })),
  );
