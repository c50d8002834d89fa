import { isoOrNull, isoTime } from '../users/view.pure.ts';

export type JobStatus =
  | 'created'
  | 'uploading'
  | 'awaiting_credits'
  | 'running'
  | 'completed'
  | 'cancelled'
  | 'failed';

/** A job's row as the database gives it; times as text. */
export type JobRow = {
  id: string;
  user_id: string;
  filename: string;
  processor: string;
  prompt: string;
  columns: string[] | null;
  header: string[] | null;
  status: JobStatus;
  attempt: number;
  rows_total: number;
  rows_done: number;
  rows_succeeded: number;
  rows_failed: number;
  chunks_total: number;
  chunks_dispatched: number;
  credits_held: number;
  credits_charged: number;
  credits_released: number;
  error: string | null;
  request_hash: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
};

/** Seconds until the end at the speed so far; null while there is none to go by. */
function etaSeconds(job: JobRow, now: Date): number | null {
  if (job.status !== 'running' || job.started_at === null || job.rows_done === 0) return null;
  const elapsed = (now.getTime() - new Date(job.started_at).getTime()) / 1000;
  return Math.max(0, Math.ceil((elapsed / job.rows_done) * (job.rows_total - job.rows_done)));
}

/** A job as the API shows it. `credits.held` is what is on hold now: 0 once the job has ended. */
export const jobView = (job: JobRow, now: Date) => ({
  id: job.id,
  status: job.status,
  filename: job.filename,
  rows: {
    total: job.rows_total,
    done: job.rows_done,
    succeeded: job.rows_succeeded,
    failed: job.rows_failed,
  },
  credits: {
    held: job.credits_held,
    charged: job.credits_charged,
    released: job.credits_released,
  },
  progress: job.rows_total === 0 ? 0 : job.rows_done / job.rows_total,
  etaSeconds: etaSeconds(job, now),
  createdAt: isoTime(job.created_at),
  startedAt: isoOrNull(job.started_at),
  finishedAt: isoOrNull(job.finished_at),
  error: job.error,
});

export const hasEnded = (status: JobStatus): boolean =>
  status === 'completed' || status === 'cancelled' || status === 'failed';

const smallestChunk = 6;
const largestChunk = 60;

/**
 * Rows in a chunk: few enough that all parallel invocations get some, enough that a small chunk is
 * worth its message, and never so many that a restart loses much.
 */
export function chunkSize(rows: number, parallelInvocations: number): number {
  // Whole waves: a last one that is half empty would cost as much time as a full one.
  const waves = Math.ceil(rows / (parallelInvocations * largestChunk));
  const even = Math.ceil(rows / (parallelInvocations * Math.max(1, waves)));
  return Math.min(largestChunk, Math.max(smallestChunk, even));
}
