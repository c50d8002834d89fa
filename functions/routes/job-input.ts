import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { startJob } from '../jobs/start-job.ts';
import { uploadInput } from '../jobs/upload-input.ts';
import { checked, describe } from './openapi-route.ts';
import { refusedStart } from './request.ts';
import { jobParam, wholeJobSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const jobAnswer = z.object({ job: wholeJobSchema });

/** What is surely not the file itself. Many clients send some wrong type with a CSV: the rest is fine. */
const otherThanFile = /^\s*(?:multipart\/|application\/(?:[\w.-]+\+)?json\b)/i;

/** Throws `unsupported_media_type` for a form, for JSON and for a compressed body. */
function checkMedia(type: string | undefined, encoding: string | undefined): void {
  if (type !== undefined && otherThanFile.test(type))
    throw new DomainError(
      'unsupported_media_type',
      'Send the CSV itself as the body, with Content-Type: text/csv; no form and no JSON.',
    );
  if (encoding !== undefined && !/^\s*(?:identity)?\s*$/i.test(encoding))
    throw new DomainError(
      'unsupported_media_type',
      'Send the CSV as it is, without Content-Encoding.',
    );
}

/** The `charset` of a Content-Type. */
const charsetOf = (type: string | undefined): string | undefined =>
  type && /;\s*charset\s*=\s*"?\s*([^\s;"]+)/i.exec(type)?.[1];

/** A job's rows come in; it runs. */
export const inputRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .put(
      '/:id/input',
      describe({
        tag: 'Jobs',
        summary: 'Upload the CSV; the job runs',
        description: [
          'The raw file as body, no form; comma, semicolon, tab or bar; LF, CRLF or CR. The first line that is no title is the header.',
          'A `charset` in the Content-Type is believed. Without one the file is UTF-8, UTF-16 or in the legacy encoding that its text tells; where it does not tell, `encoding_unknown` names `candidates`.',
          'Blank lines are no rows; rows without content and a footer are rows that are `skipped`. Short rows are padded; what long rows have more is kept under `column_N`.',
          'The columns of an earlier result are replaced. What was noticed stands in `warnings`.',
          'In prompts the second column of a name is `name_2`, one without a name `column_N`.',
          'With too few credits, or beyond a bound of the day, the rows are kept: the job starts by itself once it can.',
        ].join(' '),
        auth: 'user',
        body: { contentType: 'text/csv', description: 'The file as it is' },
        ok: { status: 202, description: 'The job runs', schema: jobAnswer },
        errors: [
          'not_found',
          'unsupported_media_type',
          'encoding_unknown',
          'csv_invalid',
          'too_large',
          'account_suspended',
          'insufficient_credits',
          'too_many_failed_rows',
          'fair_use',
          'too_many_uploads',
          'storage_full',
          'job_not_open',
          'upload_superseded',
          'upload_interrupted',
          'busy',
        ],
      }),
      session.require(),
      checked('param', jobParam),
      async (c) => {
        checkMedia(c.req.header('content-type'), c.req.header('content-encoding'));
        const length = c.req.header('content-length');
        const charset = charsetOf(c.req.header('content-type'));
        const job = await uploadInput(ctx, {
          userId: c.get('userId'),
          jobId: c.req.valid('param').id,
          body: c.req.raw.body,
          contentLength: length === undefined ? undefined : Number(length),
          charset,
        });
        return c.json({ job }, 202);
      },
    )
    .post(
      '/:id/start',
      describe({
        tag: 'Jobs',
        summary: 'Start a job that is ready, or awaited credits',
        description:
          'Works all rows that have not succeeded, for a credit each. Starting a job that runs, or has completed, changes nothing; while a sample of it is worked it is refused with `job_running`.',
        auth: 'user',
        ok: { status: 202, description: 'The job runs', schema: jobAnswer },
        errors: ['not_found', ...refusedStart, 'job_running', 'job_not_open'],
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
