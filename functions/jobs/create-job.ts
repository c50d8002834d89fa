import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { accountSuspended } from './account-suspended.ts';
import type { JobRow } from './job-row.ts';
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

/**
 * Creates a job that waits for its upload. The same idempotency key with the same request gives the
 * same job (`replayed`); with another one it is `idempotency_key_reused`. Throws `account_suspended`.
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
  const params = [
    input.userId,
    input.filename,
    prompt,
    columns && JSON.stringify(columns),
    processor,
    input.idempotencyKey ?? null,
    requestHash,
  ];
  // A key that another call inserts meanwhile is invisible to this statement: the second try sees it.
  for (let tries = 0; tries < 2; tries += 1) {
    const [row] = await ctx.db.rows<Created>(createOrFind, params);
    if (!row) continue;
    if (!row.job) throw accountSuspended();
    if (row.job.request_hash !== requestHash)
      throw new DomainError(
        'idempotency_key_reused',
        'This Idempotency-Key belongs to another request.',
      );
    return { job: jobView(row.job, ctx.now()), replayed: !row.made };
  }
  throw new DomainError('busy', 'The same Idempotency-Key is being used right now.', {
    retryAfterSeconds: 1,
  });
}

type Created = { job: JobRow | null; made: boolean };

/** No job: the account is suspended. No row: the key is being used at this moment. */
const createOrFind = `
  with owner as (
    select suspended_at is not null as is_suspended from users where id = $1
  ), made as (
    insert into jobs (user_id, filename, prompt, columns, processor, idempotency_key, request_hash)
      select $1, $2, $3, $4::jsonb, $5, $6, $7 from owner where not is_suspended
      on conflict (user_id, idempotency_key) do nothing returning *
  )
  select to_jsonb(made) as job, true as made from made
  union all
  select to_jsonb(j), false from jobs j
    where j.user_id = $1 and j.idempotency_key = $6 and not exists (select 1 from made)
  union all
  select null, false from owner where is_suspended`;
