import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { changeJob } from '../jobs/change-job.ts';
import { listRows } from '../jobs/list-rows.ts';
import { sampleJob } from '../jobs/sample-job.ts';
import { jobOptions } from '../processing/job-options.ts';
import type { Session, UserEnv } from './authenticate.ts';
import { checked, describe, optionalBody } from './openapi-route.ts';
import { asked, jsonBody, orNull, refusedBody, refusedStart } from './request.ts';
import { rowSchema } from './job-rows.ts';
import { jobParam, pageSchema, wholeJobSchema } from './schemas.ts';

const jobAnswer = z.object({ job: wholeJobSchema });

const { research, outputs, language, sender, start, duplicates, notifyUrl } = jobOptions.shape;
const changeBody = z
  .strictObject({
    processor: orNull(asked.processor).optional(),
    prompt: orNull(asked.prompt).optional(),
    columns: orNull(asked.columns).optional(),
    research: orNull(research),
    outputs: orNull(outputs),
    language: orNull(language),
    sender: orNull(sender),
    start: orNull(start),
    duplicates: orNull(duplicates),
    notifyUrl: orNull(notifyUrl),
  })
  // Also what is left of a body that is not sent as JSON: it would seem to have been heeded.
  .refine((body) => Object.keys(body).length > 0, 'has no field: nothing would be changed');

const sampleBody = z.strictObject({
  rows: z.int().min(1).max(5).default(3).describe('how many, of those with content. Default: 3'),
});

/** Changing and trying what a job is asked, before its run. */
export const changeRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .patch(
      '/:id',
      describe({
        tag: 'Jobs',
        summary: 'Change what a job is asked',
        description:
          'While nothing of it was worked but samples. A field that is null is as if it had never been said; one that is missing stays. Samples stay as they are, and the run does not work their rows again. Where the result has other columns now (another `processor`, other `outputs`) they are dropped, though they were paid for: the run works and charges those rows.',
        auth: 'user',
        ok: { status: 200, description: 'The job', schema: jobAnswer },
        errors: ['not_found', ...refusedBody, 'job_running', 'job_not_open', 'busy'],
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
          'Of a job that is `ready` or awaits credits; answers with them, as `GET …/rows` shows rows, when they are worked, after 25 s at most. Each costs a credit if it succeeds and is not worked again by the run. Rows that were sampled with the same settings are shown and cost nothing. While another sample of the job is worked, this one waits for it; in a run it is refused with `job_running`, of a job that is paused or has ended with `job_not_open`. No body is needed.',
        auth: 'user',
        optionalJson: sampleBody,
        ok: { status: 200, description: 'Those rows', schema: pageSchema(rowSchema) },
        errors: [
          'not_found',
          ...refusedBody,
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
