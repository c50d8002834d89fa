import type { Ctx } from '../context.ts';
import { areRowsGone } from './job.pure.ts';
import { findWholeJob } from './read-job.ts';
import { columnErrors, type SettingError, unfitSettings } from './settings.ts';
import { dispatchStarted, startOnEntitlement, startOutcome } from './start-job.ts';

export type RetryInput = {
  userId: string;
  jobId: string;
  /** Chosen rows, counted from 0, whatever came of them; none: those that have not succeeded. */
  rows?: readonly number[] | undefined;
  /** From now on; none: the job's own. */
  prompt?: string | undefined;
};

/**
 * Works rows of an ended job again, for credits of their own; the others stay as they are, and what a chosen row had
 * stands until it is done, and for good if it fails. Throws `invalid_request`, `nothing_to_retry`, `job_running`,
 * `job_not_open`, `rows_expired`, `account_suspended`, `insufficient_credits`, `too_many_retries`, `too_many_jobs`, `too_many_failed_rows`,
 * `fair_use` (the job stays as it was).
 */
export async function retryJob(ctx: Ctx, { rows, prompt, ...of }: RetryInput) {
  if (rows || prompt !== undefined) await checkRetry(ctx, { rows, prompt, ...of });
  const chosen = rows && [...new Set(rows)].toSorted((a, b) => a - b);
  const outcome = await startOnEntitlement(ctx, of.userId, (terms) =>
    ctx.db.call(
      'job_retry',
      { ...terms, p_job: of.jobId, p_rows: chosen ?? null, p_prompt: prompt ?? null },
      startOutcome,
    ),
  );
  return dispatchStarted(ctx, outcome, {
    credits: 'The job stays as it is: retry it once there are enough.',
    tomorrow: 'The job stays as it is: retry it tomorrow (UTC).',
  });
}

/** The prompt names columns that are there, the rows are rows of the file. */
async function checkRetry(ctx: Ctx, { rows = [], prompt, ...of }: RetryInput): Promise<void> {
  const job = await findWholeJob(ctx, of);
  const row = rows.find((index) => index >= job.rows_total);
  const errors: SettingError[] =
    row === undefined || areRowsGone(job)
      ? []
      : [
          {
            field: 'rows',
            message: `there is no row ${row}: the file has ${job.rows_total}, counted from 0`,
          },
        ];
  if (prompt !== undefined && job.header)
    errors.push(
      ...columnErrors({ ...job, prompt }, job.header, true).filter(
        ({ field }) => field === 'prompt',
      ),
    );
  if (errors.length > 0) throw unfitSettings(errors);
}
