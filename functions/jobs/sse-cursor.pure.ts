import type { JobStatus } from './job-row.ts';
import type { JobSummary } from './job.pure.ts';

/** What of a job tells whether it has moved. */
export type Seen = Pick<
  JobSummary,
  'run' | 'rows_succeeded' | 'rows_failed' | 'status' | 'waiting'
>;

/** The id of an event: all that a client has seen, so that any isolate can go on from it. */
export const eventId = (seen: Seen): string =>
  `${seen.run}-${seen.rows_succeeded}-${seen.rows_failed}-${seen.status}${waitingId(seen)}`;

/** That it waits, and until when, is news as well. */
const waitingId = ({ waiting }: Seen): string =>
  waiting ? `~${waiting.reason}~${Date.parse(waiting.until ?? '') || 0}` : '';

/** What `Last-Event-ID` says; undefined if it is none of ours. */
export function seenBy(lastEventId: string | undefined): Seen | undefined {
  const [, run, succeeded, failed, status] =
    /^(\d{1,9})-(\d{1,9})-(\d{1,9})-([a-z_]{1,20})(?:~[a-z_]{1,20}~\d{1,15})?$/.exec(
      lastEventId ?? '',
    ) ?? [];
  if (status === undefined) return undefined;
  return {
    run: Number(run),
    rows_succeeded: Number(succeeded),
    rows_failed: Number(failed),
    status: status as JobStatus,
  };
}

/**
 * The job with no fewer rows than the client has seen of this run: between a chunk's end and its
 * commit, or when it has to be worked again, its rows are in neither count. The end is always the truth.
 */
export function notBefore(job: JobSummary, seen: Seen | undefined): JobSummary {
  if (job.status !== 'running' || seen?.run !== job.run) return job;
  const done = seen.rows_succeeded + seen.rows_failed + job.rows_skipped;
  if (done <= job.rows_done || done >= job.rows_total) return job;
  return {
    ...job,
    rows_done: done,
    rows_succeeded: seen.rows_succeeded,
    rows_failed: seen.rows_failed,
  };
}
