import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { pauseJob, resumeJob } from '../jobs/pause-job.ts';
import type { Session, UserEnv } from './authenticate.ts';
import { checked, describe } from './openapi-route.ts';
import { refusedStart } from './request.ts';
import { jobParam, wholeJobSchema } from './schemas.ts';

const jobAnswer = z.object({ job: wholeJobSchema });

/** Stopping in the middle of a run, and going on. */
export const pauseRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .post(
      '/:id/pause',
      describe({
        tag: 'Jobs',
        summary: 'Pause a running job',
        description:
          'Nothing new is begun. Rows that a model is writing are finished and charged, with their credits on hold until then; those of all others go back at once. Pausing twice changes nothing. A sample is given up: its rows have what they had, and the job is as it was.',
        auth: 'user',
        ok: { status: 200, description: 'The job, paused', schema: jobAnswer },
        errors: ['not_found', 'job_not_open'],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) => {
        const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
        return c.json({ job: await pauseJob(ctx, of) });
      },
    )
    .post(
      '/:id/resume',
      describe({
        tag: 'Jobs',
        summary: 'Go on with a paused job',
        description:
          'For a hold of its own, of the credits that there are now; with too few it stays paused. Rows that failed before the pause are left as they are. Resuming a job that runs changes nothing.',
        auth: 'user',
        ok: { status: 202, description: 'The job runs again', schema: jobAnswer },
        errors: ['not_found', 'job_not_open', ...refusedStart],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) => {
        const of = { userId: c.get('userId'), jobId: c.req.valid('param').id };
        return c.json({ job: await resumeJob(ctx, of) }, 202);
      },
    );
