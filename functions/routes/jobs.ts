import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { createJob } from '../jobs/create-job.ts';
import { jobOptions } from '../processing/job-options.ts';
import { listJobs, readJob } from '../jobs/read-job.ts';
import { checked, describe } from './openapi-route.ts';
import { changeRoutes } from './job-change.ts';
import { pauseRoutes } from './job-pause.ts';
import { controlRoutes } from './job-control.ts';
import { eventsRoute } from './job-events.ts';
import { inputRoutes } from './job-input.ts';
import { notificationsRoute } from './job-notifications.ts';
import { rowRoutes } from './job-rows.ts';
import { asked, idempotencyHeader, jsonBody, refusedBody } from './request.ts';
import { jobCreatedSchema, jobParam, jobsSchema, limitQuery, wholeJobSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const isWhole = (text: string): boolean => text.isWellFormed();

const name = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}]*$/u, 'has control characters')
  .refine(isWhole, 'has half a character')
  .describe('the output is named after it');

const createBody = jobOptions.extend({
  filename: name,
  prompt: asked.prompt.optional(),
  columns: asked.columns.optional(),
  processor: asked.processor.optional(),
});

const jobsCursor = z
  .string()
  .regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z~[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    'is not a cursor of ours',
  )
  .refine((text) => !Number.isNaN(Date.parse(text.split('~')[0] ?? '')), 'is not a cursor of ours')
  .transform((text) => {
    const [at = '', id = ''] = text.split('~');
    return { at, id };
  });

const createDescription = [
  'Then send the CSV to `upload.url` by PUT, with the same token; it runs, or with `start: "manual"` is `ready` to be looked at.',
  '`processor` says what is done with a row, and which columns come of it: `research_summary`, `research_sources`, `email_subject`, `email_body` of `research_email`, those of `outputs`, or `category` and `reason`; then `row_status`, `row_error` and `row_note`.',
  'Names of columns in the prompt are checked against `columns` now and against the file later.',
  'The same `Idempotency-Key` gives the same job, with `Idempotency-Replayed: true`.',
].join(' ');

/** A CSV's way: create, upload, look, read. */
export const jobRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .post(
      '/',
      describe({
        tag: 'Jobs',
        summary: 'Create a job',
        description: createDescription,
        auth: 'user',
        ok: {
          status: 201,
          description: 'The job and where its file goes',
          schema: jobCreatedSchema,
        },
        errors: [...refusedBody, 'account_suspended', 'too_many_jobs', 'idempotency_key_reused'],
      }),
      session.require(),
      jsonBody,
      checked('header', idempotencyHeader),
      checked('json', createBody),
      async (c) => {
        const { filename, prompt, columns, processor, ...options } = c.req.valid('json');
        const { job, replayed } = await createJob(ctx, {
          userId: c.get('userId'),
          idempotencyKey: c.req.valid('header')['idempotency-key'],
          filename,
          prompt,
          columns,
          processor,
          options,
        });
        if (replayed) c.header('idempotency-replayed', 'true');
        const url = `${ctx.config.publicUrl}/v1/jobs/${job.id}/input`;
        return c.json({ job, upload: { method: 'PUT' as const, url } }, 201);
      },
    )
    .get(
      '/',
      describe({
        tag: 'Jobs',
        summary: "The caller's jobs, newest first",
        auth: 'user',
        ok: { status: 200, description: 'A page of jobs', schema: jobsSchema },
        errors: ['invalid_request'],
      }),
      session.require(),
      checked('query', z.object({ limit: limitQuery, cursor: jobsCursor.optional() })),
      async (c) =>
        c.json(await listJobs(ctx, { userId: c.get('userId'), ...c.req.valid('query') })),
    )
    .get(
      '/:id',
      describe({
        tag: 'Jobs',
        summary: 'A job and its progress',
        description:
          'A job whose provider is away or over its limit stays `running`, loses no rows and says in `waiting` which one, why and until when. It ends `completed` when at least one row succeeded, `failed` with an `error` when none did, `cancelled` when its user wanted that. `usage` grows with every chunk that is committed.',
        auth: 'user',
        ok: { status: 200, description: 'The job', schema: wholeJobSchema },
        errors: ['not_found'],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) =>
        c.json(await readJob(ctx, { userId: c.get('userId'), jobId: c.req.valid('param').id })),
    )
    .route('/', inputRoutes(ctx, session))
    .route('/', controlRoutes(ctx, session))
    .route('/', changeRoutes(ctx, session))
    .route('/', pauseRoutes(ctx, session))
    .route('/', eventsRoute(ctx, session))
    .route('/', rowRoutes(ctx, session))
    .route('/', notificationsRoute(ctx, session));
