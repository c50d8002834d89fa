import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { accountSuspended } from './account-suspended.ts';
import type { JobOptions } from '../processing/job-options.ts';
import { jobRow } from './job-row.ts';
import { wholeJobView } from './job.pure.ts';
import { defaultProcessor, processors } from '../processing/processors.ts';
import { settingsErrors, unfitSettings } from './settings.ts';
import { sha256 } from '../shared/hash.ts';

export type CreateJobInput = {
  userId: string;
  filename: string;
  prompt?: string | undefined;
  columns?: string[] | undefined;
  processor?: string | undefined;
  options?: JobOptions | undefined;
  idempotencyKey?: string | undefined;
};

const created = z.strictObject({ job: jobRow.nullable(), made: z.boolean() });

/**
 * Creates a job that waits for its upload. The same idempotency key with the same request gives the
 * same job (`replayed`); with another one it is `idempotency_key_reused`. Throws `account_suspended`,
 * `too_many_jobs`.
 */
export async function createJob(ctx: Ctx, input: CreateJobInput) {
  const name = input.processor ?? defaultProcessor;
  const { options = {}, columns = null } = input;
  const processor = processors.get(name);
  const prompt = input.prompt ?? processor?.defaultPrompt ?? '';
  const settings = { processor: name, prompt, columns, options };
  const errors = settingsErrors(settings, ctx.config.notifyLocalHosts);
  if (errors.length > 0 || !processor) throw unfitSettings(errors);
  const requestHash = await sha256(JSON.stringify([input.filename, settings]));
  const { job, made } = await ctx.db.call(
    'job_create',
    {
      p_user: input.userId,
      p_filename: input.filename,
      p_prompt: prompt,
      p_columns: columns,
      p_processor: name,
      p_options: options,
      p_needs_search: processor.searches(options),
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
  return { job: wholeJobView(job, ctx.now()), replayed: !made };
}
