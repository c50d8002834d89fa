import { retryJob } from '../jobs/retry-job.ts';
import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { cancelJob } from '../jobs/cancel-job.ts';
import { deleteJob } from '../jobs/delete-job.ts';
import { checked, describe, optionalBody } from './openapi-route.ts';
import { asked, jsonBody, refusedBody } from './request.ts';
import { jobParam, wholeJobSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const jobAnswer = z.object({ job: wholeJobSchema });

const retryBody = z.strictObject({
  rows: z
    .array(z.int().min(0))
    .min(1)
    .max(1000)
    .optional()
    .describe('their indices, from 0, whatever came of them. Default: all that failed'),
  prompt: asked.prompt.optional().describe('that of the job from now on. Default: as it is'),
});

/** What a user may do with a job besides waiting for it. */
export const controlRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .post(
      '/:id/cancel',
      describe({
        tag: 'Jobs',
        summary: 'Cancel a job',
        description:
          'Nothing new is begun; what is being finished has a moment (2.5 s at most) to get in. Finished rows stay in the output and are charged; the others come out as errors and their credits go back. Cancelling twice changes nothing.',
        auth: 'user',
        ok: { status: 200, description: 'The job, cancelled', schema: jobAnswer },
        errors: ['not_found', 'job_not_open'],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) => {
        const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
        return c.json({ job: await cancelJob(ctx, of) });
      },
    )
    .post(
      '/:id/retry',
      describe({
        tag: 'Jobs',
        summary: 'Work the failed rows again, or chosen ones',
        description:
          'Of a job that has ended: the rows that came out as errors, those of a cancelled job too, for a credit each. Rows that are ok stay as they are, unless `rows` names them: they are charged again, and keep what they had if they fail. No body is needed. A job can be retried three times, not counting paid rows; a run that waited for a provider in vain is not counted.',
        auth: 'user',
        optionalJson: retryBody,
        ok: { status: 202, description: 'The job runs again', schema: jobAnswer },
        errors: [
          'not_found',
          ...refusedBody,
          'account_suspended',
          'insufficient_credits',
          'nothing_to_retry',
          'too_many_retries',
          'too_many_jobs',
          'too_many_failed_rows',
          'fair_use',
          'job_running',
          'job_not_open',
          'rows_expired',
        ],
      }),
      session.require(),
      jsonBody,
      checked('param', jobParam),
      async (c) => {
        const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
        const body = await optionalBody(c, retryBody);
        return c.json({ job: await retryJob(ctx, { ...of, ...body }) }, 202);
      },
    )
    .delete(
      '/:id',
      describe({
        tag: 'Jobs',
        summary: 'Delete a job with its rows and results',
        description:
          'A running one is cancelled first: rows that are finished are charged. Its ledger entries stay.',
        auth: 'user',
        ok: { status: 204, description: 'It is gone' },
        errors: ['not_found'],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) => {
        await deleteJob(ctx, { userId: c.get('userId'), jobId: c.req.valid('param').id });
        return c.body(null, 204);
      },
    );
