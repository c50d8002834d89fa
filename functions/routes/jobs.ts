import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { createJob } from '../jobs/create-job.ts';
import { jobOptions, storable } from '../processing/job-options.ts';
import { listJobs, readJob } from '../jobs/read-job.ts';
import { checked, describe } from './openapi-route.ts';
import { changeRoutes } from './job-change.ts';
import { pauseRoutes } from './job-pause.ts';
import { controlRoutes } from './job-control.ts';
import { eventsRoute } from './job-events.ts';
import { inputRoutes } from './job-input.ts';
import { notificationsRoute } from './job-notifications.ts';
import { rowRoutes } from './job-rows.ts';
import { idempotencyHeader, jsonBody } from './request.ts';
import { jobCreatedSchema, jobParam, jobsSchema, limitQuery, wholeJobSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const isWhole = (text: string): boolean => text.isWellFormed();

const name = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}]*$/u, 'has control characters')
  .refine(isWhole, 'has half a character');

const createBody = jobOptions.extend({
  filename: name,
  prompt: storable(8000).trim().min(1).optional(),
  columns: z.array(storable(1000)).min(1).max(1000).optional(),
  processor: z.string().max(50).optional(),
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
  '`processor` says what is done with a row: `research_email` (default) gives `research_summary`, `research_sources`, `email_subject`, `email_body`; `columns` answers `outputs`, a column each; `classify` gives `category` and `reason`, of the categories that the prompt names.',
  '`{{column}}` in the prompt stands for that cell of the row. `columns` are those that the model sees; the prompt is checked against them now and against the file later.',
  "`research` is `{query}`, a template such as `{{Firma}} {{Ort}}`, or false; by default the company is found by the header. `language` is `auto` (the lead's own) or a tag; `sender` overrides fields of the profile.",
  '`duplicates: "skip"` leaves rows out that are the same as one above them. `notifyUrl` gets one signed POST when the job ends.',
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
        errors: [
          'invalid_json',
          'invalid_request',
          'account_suspended',
          'too_many_jobs',
          'idempotency_key_reused',
          'too_large',
        ],
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
