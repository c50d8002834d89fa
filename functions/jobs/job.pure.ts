import type { AwayReason } from '../providers/errors.pure.ts';
import { type NotificationRow, notificationView } from '../notifications/notification.pure.ts';
import { jobCounts } from '../shared/job-counts.pure.ts';
import { isoOrNull, isoTime } from '../shared/time.pure.ts';
import type { JobRow, JobStatus } from './job-row.ts';
import type { LiveRows } from '../processing/live-progress.pure.ts';

export const summaryColumns = [
  'id',
  'user_id',
  'filename',
  'processor',
  'needs_search',
  'status',
  'run',
  'rows_kept',
  'run_succeeded',
  'run_failed',
  'rows_total',
  'rows_done',
  'rows_succeeded',
  'rows_failed',
  'rows_skipped',
  'chunks_total',
  'chunks_dispatched',
  'credits_held',
  'credits_charged',
  'credits_released',
  'tokens_in',
  'tokens_out',
  'searches',
  'searches_cached',
  'queue_messages',
  'error',
  'warnings',
  'created_at',
  'started_at',
  'finished_at',
  'purged_at',
] as const satisfies (keyof JobRow)[];

/** A job's row without what a user wrote into it. */
export type JobSummary = Pick<JobRow, (typeof summaryColumns)[number]> & {
  /** Which provider its rows wait for; absent: not looked for, since it does not run. */
  waiting?: JobWaiting | null;
};

/** A job's row with what was told of its end, where that was looked for. */
export type WholeJob = JobRow &
  Pick<JobSummary, 'waiting'> & { notification?: NotificationRow | null };

/** `until`: when the provider said to come back, ISO 8601. */
export type JobWaiting = { provider: string; reason: AwayReason; until: string | null };

/**
 * The job with the rows that ended but are not committed; what it was charged stays. A running job
 * never shows all its rows as done: that would be a job at 100 % whose result is not there.
 */
export function withLive<T extends JobSummary>(job: T, live: LiveRows): T {
  if (job.status !== 'running') return job;
  const room = Math.max(0, job.rows_total - 1 - job.rows_done);
  const failed = Math.min(live.failed, room);
  const succeeded = Math.min(live.succeeded, room - failed);
  return {
    ...job,
    rows_done: job.rows_done + succeeded + failed,
    rows_succeeded: job.rows_succeeded + succeeded,
    rows_failed: job.rows_failed + failed,
    run_succeeded: job.run_succeeded + succeeded,
    run_failed: job.run_failed + failed,
  };
}

/** Rows that this run works, or has worked. */
const runRows = (job: JobSummary): number => job.rows_total - job.rows_skipped - job.rows_kept;

/** Seconds until the end at the speed of this run so far; null while there is none to go by, or it waits. */
function etaSeconds(job: JobSummary, now: Date): number | null {
  if (job.status !== 'running' || job.started_at === null || job.waiting) return null;
  const done = job.run_succeeded + job.run_failed;
  if (done === 0) return null;
  const elapsed = (now.getTime() - new Date(job.started_at).getTime()) / 1000;
  return Math.max(0, Math.ceil((elapsed / done) * (runRows(job) - done)));
}

/** A job as the API shows it. */
export const jobView = (job: JobSummary, now: Date) => ({
  id: job.id,
  status: job.status,
  filename: job.filename,
  ...jobCounts(job),
  progress: job.rows_total === 0 ? 0 : job.rows_done / job.rows_total,
  etaSeconds: etaSeconds(job, now),
  waiting: job.waiting ?? null,
  usage: {
    tokensIn: job.tokens_in,
    tokensOut: job.tokens_out,
    searches: job.searches,
    cachedSearches: job.searches_cached,
    messages: job.queue_messages,
  },
  createdAt: isoTime(job.created_at),
  startedAt: isoOrNull(job.started_at),
  finishedAt: isoOrNull(job.finished_at),
  error: job.error,
  warnings: job.warnings,
});

export type JobView = ReturnType<typeof jobView>;

/** A job with what it was asked and the header of its file, as answers about one job show it. */
export const wholeJobView = (job: WholeJob, now: Date) => {
  const { research, outputs, language, sender, start, duplicates, notifyUrl } = job.options;
  return {
    ...jobView(job, now),
    processor: job.processor,
    prompt: job.prompt,
    columns: job.columns,
    research: research ?? null,
    outputs: outputs ?? null,
    language: language ?? null,
    sender: sender ?? null,
    start: start ?? ('auto' as const),
    duplicates: duplicates ?? ('work' as const),
    notifyUrl: notifyUrl ?? null,
    header: job.header,
    notification: job.notification ? notificationView(job.notification, now) : null,
  };
};

export const hasEnded = (status: JobStatus): boolean =>
  status === 'completed' || status === 'cancelled' || status === 'failed';

/** What a job's messages are addressed by. */
export const dispatchOf = (job: JobSummary) => ({
  jobId: job.id,
  run: job.run,
  userId: job.user_id,
  rows: runRows(job),
  needsSearch: job.needs_search,
});

/** Whether rows and results were removed, or begin to be: the purge takes the header first. */
export const areRowsGone = (job: Pick<JobRow, 'purged_at' | 'header' | 'rows_total'>): boolean =>
  job.purged_at !== null || (job.header === null && job.rows_total > 0);
