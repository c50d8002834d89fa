import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { changeJob } from '../jobs/change-job.ts';
import { listRows } from '../jobs/list-rows.ts';
import { sampleJob } from '../jobs/sample-job.ts';
import { jobOptions, storable } from '../processing/job-options.ts';
import type { Session, UserEnv } from './authenticate.ts';
import { checked, describe, optionalBody } from './openapi-route.ts';
import { jsonBody, refusedStart } from './request.ts';
import { rowSchema } from './job-rows.ts';
import { jobParam, pageSchema, wholeJobSchema } from './schemas.ts';

const jobAnswer = z.object({ job: wholeJobSchema });

const { research, outputs, language, sender, start, duplicates, notifyUrl } = jobOptions.shape;
const changeBody = z
  .strictObject({
    processor: z.string().max(50).nullish(),
    prompt: storable(8000).trim().min(1).nullish(),
    columns: z.array(storable(1000)).min(1).max(1000).nullish(),
    research: research.nullable(),
    outputs: outputs.nullable(),
    language: language.nullable(),
    sender: sender.nullable(),
    start: start.nullable(),
    duplicates: duplicates.nullable(),
    notifyUrl: notifyUrl.nullable(),
  })
  // Also what is left of a body that is not sent as JSON: it would seem to have been heeded.
  .refine((body) => Object.keys(body).length > 0, 'has no field: nothing would be changed');

const sampleBody = z.strictObject({ rows: z.int().min(1).max(5).default(3) });

/** Changing and trying what a job is asked, before its run. */
export const changeRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .patch(
      '/:id',
      describe({
        tag: 'Jobs',
        summary: 'Change what a job is asked',
        description:
          'While nothing of it was worked but samples. A field that is null is as if it had never been said; one that is missing stays. Samples stay as they are, unless the result has other columns now: then those rows are worked by the run.',
        auth: 'user',
        ok: { status: 200, description: 'The job', schema: jobAnswer },
        errors: [
          'not_found',
          'invalid_json',
          'invalid_request',
          'job_running',
          'job_not_open',
          'busy',
        ],
      }),
      session.require(),
      jsonBody,
      checked('param', jobParam),
      checked('json', changeBody),
      async (c) => {
        const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
        return c.json({ job: await changeJob(ctx, { ...of, change: c.req.valid('json') }) });
      },
    )
    .post(
      '/:id/sample',
      describe({
        tag: 'Jobs',
        summary: 'Work the first rows now',
        description:
          'Of a job that is `ready` or awaits credits; answers with them, as `GET …/rows` shows rows, when they are worked, after 25 s at most. Each costs a credit if it succeeds and is not worked again by the run. Rows that were sampled with the same settings are shown and cost nothing. No body is needed: `rows` is 3.',
        auth: 'user',
        optionalJson: sampleBody,
        ok: { status: 200, description: 'Those rows', schema: pageSchema(rowSchema) },
        errors: [
          'not_found',
          'invalid_json',
          'invalid_request',
          'no_input',
          'job_running',
          'job_not_open',
          'rows_expired',
          'busy',
          ...refusedStart,
        ],
      }),
      session.require(),
      jsonBody,
      checked('param', jobParam),
      async (c) => {
        const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
        const { rows } = await optionalBody(c, sampleBody);
        const indices = await sampleJob(ctx, { ...of, rows });
        return c.json({ items: await listRows(ctx, { ...of, indices }), nextCursor: null });
      },
    );
