import type { JsonRow } from '../../db/rows.ts';
import type { jobs, notifications } from '../../schema.ts';
import { type JobCounts, jobCounts } from '../shared/job-counts.pure.ts';
import { isoOrNull, isoTime } from '../shared/time.pure.ts';

/** One more than the retries that every QStash plan grants. */
export const mostAttempts = 4;

/** QStash waits 30 s, 10 min and 3 h 20 min between them, and calls back shortly after: by then it is over. */
const longestMs = 24 * 3_600_000;

export type NotificationStatus = 'pending' | 'delivered' | 'failed';
export type NotificationRow = Omit<JsonRow<typeof notifications>, 'status'> & {
  status: NotificationStatus;
};

/** A notification as its user sees it; one whose messages were lost on the way has failed. */
export function notificationView(row: NotificationRow, now: Date) {
  const handedOverMs = Date.parse(row.published_at ?? '');
  const isLost = row.status === 'pending' && now.getTime() - handedOverMs > longestMs;
  return {
    id: row.id,
    url: row.url,
    status: isLost ? ('failed' as const) : row.status,
    attempts: row.attempts,
    statusCode: row.status_code,
    error: isLost ? (row.error ?? 'It could not be delivered.') : row.error,
    createdAt: isoTime(row.created_at),
    attemptedAt: isoOrNull(row.attempted_at),
  };
}

/** What is told of a job, of its row. */
export type EndedJob = JobCounts &
  Pick<
    JsonRow<typeof jobs>,
    'id' | 'user_id' | 'run' | 'status' | 'filename' | 'error' | 'finished_at'
  >;

const ends = ['completed', 'failed', 'cancelled'];

/** A run's end is told as the job stands: once it runs again there is nothing to tell. */
export const isStillSo = (job: Pick<EndedJob, 'run' | 'status'>, run: number): boolean =>
  job.run === run && ends.includes(job.status);

/** The body: the same on every try, since an ended job does not change. No content of rows. */
export const payloadOf = (job: EndedJob) => ({
  type: `job.${job.status}`,
  timestamp: isoOrNull(job.finished_at),
  data: {
    jobId: job.id,
    status: job.status,
    filename: job.filename,
    ...jobCounts(job),
    error: job.error,
    finishedAt: isoOrNull(job.finished_at),
  },
});

/** What came of a try: the receiver's answer, or why there was none. */
export type Answer = { status: number } | { none: 'timeout' | 'connection' };

const failureOf = (answer: Answer): string => {
  if ('none' in answer)
    return answer.none === 'timeout' ? 'No answer within 10 s.' : 'The receiver was not reached.';
  const { status } = answer;
  if (status === 410) return 'The receiver answered 410: it wants no more of these.';
  if (status >= 300 && status < 400)
    return `The receiver answered ${status}: redirects are not followed.`;
  return `The receiver answered ${status}.`;
};

/** What the `attempt`-th answer (from 1) makes of a notification; `pending`: it is tried again. */
export function outcomeOf(
  answer: Answer,
  attempt: number,
): { status: NotificationStatus; statusCode: number | null; error: string | null } {
  const statusCode = 'status' in answer ? answer.status : null;
  if (statusCode !== null && statusCode >= 200 && statusCode < 300)
    return { status: 'delivered', statusCode, error: null };
  const isOver = statusCode === 410 || attempt >= mostAttempts;
  return { status: isOver ? 'failed' : 'pending', statusCode, error: failureOf(answer) };
}
