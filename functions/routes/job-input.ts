import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../deps.ts';
import { startJob } from '../jobs/start-job.ts';
import { uploadInput } from '../jobs/upload-input.ts';
import { checked, describe } from './describe.ts';
import { jobParam, jobSchema } from './schemas.ts';
import type { Session, UserEnv } from './session.ts';

const jobAnswer = z.object({ job: jobSchema });

/** A job's rows come in; it runs. */
export const inputRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .put(
      '/:id/input',
      describe({
        tag: 'Jobs',
        summary: 'Upload the CSV; the job runs',
        description:
          'The raw file as body: UTF-8 (or UTF-16 with a byte order mark), first line the header, separated by comma, semicolon, tab or bar. With too few credits the rows are kept: buy, then start.',
        auth: 'user',
        body: { contentType: 'text/csv', description: 'The file as it is' },
        ok: { status: 202, description: 'The job runs', schema: jobAnswer },
        errors: [
          'not_found',
          'csv_invalid',
          'too_large',
          'insufficient_credits',
          'job_not_open',
          'upload_superseded',
          'upload_interrupted',
        ],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) => {
        const length = c.req.header('content-length');
        const job = await uploadInput(ctx, {
          userId: c.get('userId'),
          jobId: c.req.valid('param').id,
          body: c.req.raw.body,
          contentLength: length === undefined ? undefined : Number(length),
        });
        return c.json({ job }, 202);
      },
    )
    .post(
      '/:id/start',
      describe({
        tag: 'Jobs',
        summary: 'Start a job that awaited credits',
        auth: 'user',
        ok: { status: 202, description: 'The job runs', schema: jobAnswer },
        errors: ['not_found', 'insufficient_credits', 'job_not_open'],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) => {
        const job = await startJob(ctx, {
          userId: c.get('userId'),
          jobId: c.req.valid('param').id,
        });
        return c.json({ job }, 202);
      },
    );
