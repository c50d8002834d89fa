import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { accountSuspended } from './account-suspended.ts';
import { jobRow } from './job-row.ts';
import { jobView } from './job.pure.ts';
import { checkPrompt } from '../processing/prompt.pure.ts';
import { defaultProcessor, processors } from '../processing/processors.ts';
import { sha256 } from '../shared/hash.ts';

export type CreateJobInput = {
  userId: string;
  filename: string;
  prompt?: string | undefined;
  columns?: string[] | undefined;
  processor?: string | undefined;
  idempotencyKey?: string | undefined;
};

const created = z.strictObject({ job: jobRow.nullable(), made: z.boolean() });

/**
 * Creates a job that waits for its upload. The same idempotency key with the same request gives the
 * same job (`replayed`); with another one it is `idempotency_key_reused`. Throws `account_suspended`,
 * `too_many_jobs`.
 */
export async function createJob(ctx: Ctx, input: CreateJobInput) {
  const processor = input.processor ?? defaultProcessor;
  const offered = processors.get(processor);
  if (!offered)
    throw new DomainError('invalid_request', 'There is no such processor.', {
      extra: {
        errors: [{ field: 'processor', message: `one of ${[...processors.keys()].join(', ')}` }],
      },
    });
  const prompt = input.prompt ?? offered.defaultPrompt;
  checkPrompt(prompt, input.columns);

  const columns = input.columns ?? null;
  const requestHash = await sha256(JSON.stringify([input.filename, prompt, columns, processor]));
  const { job, made } = await ctx.db.call(
    'job_create',
    {
      p_user: input.userId,
      p_filename: input.filename,
      p_prompt: prompt,
      p_columns: columns,
      p_processor: processor,
      p_key: input.idempotencyKey ?? null,
      p_hash: requestHash,
      p_limit: ctx.config.bounds.openJobs,
    },
    created,
  );
  if (!job) throw accountSuspended();
  if (job.request_hash !== requestHash)
    throw new DomainError(
      'idempotency_key_reused',
      'This Idempotency-Key belongs to another request.',
    );
  return { job: jobView(job, ctx.now()), replayed: !made };
}
