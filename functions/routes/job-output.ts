import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { readOutput } from '../jobs/read-output.ts';
import { checked, describe } from './openapi-route.ts';
import { jobParam } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');

/** RFC 6266: a plain name for old clients, the real one in UTF-8. */
const disposition = (filename: string): string => {
  const plain = filename.replace(/[^\w.-]+/g, '_');
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(filename).replace(/['()*]/g, escape)}`;
};

/** RFC 9110, 13.1.2: weak comparison with a list, since a proxy that compresses weakens the tag. */
const isFresh = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === '*' || tag === etag);

/** The result CSV. */
export const outputRoute = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>().get(
    '/:id/output',
    describe({
      tag: 'Jobs',
      summary: 'The result as CSV, rows in input order',
      description:
        "RFC 4180, UTF-8, streamed: every input column as it came, the processor's columns (of `research_email`: `research_summary`, `research_sources`, `email_subject`, `email_body`), `row_status` (`ok`, `error` or `skipped`), `row_error`, `row_note`. Cells that a spreadsheet would run get a leading `'` unless `raw=true`; `bom=true` is for Excel; `rows=ok` and `rows=error` give only the rows that ended so; `partial=true` gives the finished rows of a job that runs, is paused or has only worked samples. Rows that a cancelled job left come out as errors.",
      auth: 'user',
      ok: { status: 200, description: 'The file', contentType: 'text/csv' },
      errors: ['not_found', 'job_running', 'no_output', 'rows_expired', 'invalid_request'],
    }),
    session.require(),
    checked('param', jobParam),
    checked(
      'query',
      z.object({
        partial: flag,
        raw: flag,
        bom: flag,
        rows: z.enum(['ok', 'error']).optional(),
      }),
    ),
    async (c) => {
      const output = await readOutput(ctx, {
        userId: c.get('userId'),
        jobId: c.req.valid('param').id,
        options: c.req.valid('query'),
      });
      const headers: Record<string, string> = {
        'content-type': 'text/csv; charset=utf-8',
        'content-disposition': disposition(output.filename),
        'cache-control': 'private, no-cache',
      };
      if (output.etag !== null) {
        headers['etag'] = output.etag;
        if (isFresh(c.req.header('if-none-match'), output.etag)) {
          await output.body.cancel();
          return c.body(null, 304, headers);
        }
      }
      return c.body(output.body, 200, headers);
    },
  );
