import { DomainError, type ErrorCode } from '../functions/errors.ts';

/** What a refusal of our SQL carries beside its name: a job's status, or a bound's numbers as JSON. */
type Told = Record<string, unknown>;
type Meaning = { code: ErrorCode; sentence: (told: Told) => string; retryAfterSeconds?: number };

/** What a job in this state has to say to whoever wants something else of it. */
const statuses: Record<string, string> = {
  created: 'The job has no rows yet: send its file first.',
  uploading: "The job's file is being uploaded: wait until it is there.",
  awaiting_credits: 'The job has its rows and awaits its start.',
  ready: 'The job has its rows and awaits its start.',
  paused: 'The job is paused: resume it, or cancel it.',
  sample: 'A sample of the job is being worked: wait until it is there, or give it up by a pause.',
  running: 'The job is running: wait until it has ended, or cancel it.',
  completed: 'The job has completed: create another one for another file.',
  cancelled: 'The job was cancelled: create another one for another file.',
  failed: 'The job has failed: create another one for another file.',
};
const ofStatus = ({ jobStatus }: Told): string =>
  statuses[String(jobStatus)] ?? 'The job is not open for this.';

const tooManyUploadsMeaning: Meaning = {
  code: 'too_many_uploads',
  sentence: ({ limit }) =>
    `${String(limit)} uploads may be under way at once: send this file when one of them has ended.`,
  retryAfterSeconds: 5,
};

/** What the SQL functions raise (SQLSTATE class RL, message = name) in the API's words. */
const raised: Record<string, Meaning> = {
  job_not_found: { code: 'not_found', sentence: () => 'There is no such job.' },
  job_not_open: { code: 'job_not_open', sentence: ofStatus },
  job_running: { code: 'job_running', sentence: ofStatus },
  books_behind: { code: 'books_behind', sentence: () => 'The account is busy; try again shortly.' },
  rows_expired: {
    code: 'rows_expired',
    sentence: () => "The job's rows were deleted: send the file again, as another job.",
  },
  settings_changed: {
    code: 'settings_changed',
    sentence: () => 'The job was changed at the same moment; try again.',
    retryAfterSeconds: 1,
  },
  row_skipped: {
    code: 'invalid_request',
    sentence: ({ jobStatus: row }) =>
      row === 'none'
        ? 'The job has no such row.'
        : `Row ${String(row)} is one that is skipped: it is not worked.`,
  },
  nothing_to_retry: {
    code: 'nothing_to_retry',
    sentence: () => 'No row of the job has failed.',
  },
  upload_superseded: {
    code: 'upload_superseded',
    sentence: () => 'Another upload for this job has started; nothing of this one is kept.',
  },
  fact_of_another_user: {
    code: 'idempotency_key_reused',
    sentence: () => 'This Idempotency-Key belongs to another request.',
  },
  too_many_retries: {
    code: 'too_many_retries',
    sentence: ({ limit }) =>
      `A job can be retried ${String(limit)} times. Send the rows that failed as another job.`,
  },
  too_many_jobs: {
    code: 'too_many_jobs',
    sentence: ({ limit, used }) =>
      `${String(used)} of your jobs have not ended; ${String(limit)} may be open at once. Wait until some have ended, or cancel them.`,
  },
  too_many_uploads: tooManyUploadsMeaning,
  too_many_streams: {
    code: 'too_many_streams',
    sentence: ({ limit }) =>
      `${String(limit)} event streams may be open at once: close some, or ask for the job instead.`,
    retryAfterSeconds: 5,
  },
  storage_full: {
    code: 'storage_full',
    sentence: ({ limitBytes, usedBytes }) =>
      `Rows and results of your jobs take ${String(usedBytes)} bytes; ${String(limitBytes)} may be kept. Delete jobs that you need no more.`,
  },
};

/** Classes of SQLSTATE that mean "not now": connection, resources, operator, system. */
const passing = ['08', '40', '53', '55', '57', '58'];

type DriverError = { code?: string; message?: string; detail?: string; constraint?: string };

function toldBy(name: string, detail: string | undefined): Told {
  if (detail?.startsWith('{')) return JSON.parse(detail) as Told;
  if (detail === undefined || detail === '') return {};
  return name === 'books_behind' ? { books: detail } : { jobStatus: detail };
}

const asDomainError = (
  { code, sentence, retryAfterSeconds }: Meaning,
  extra: Told,
  cause?: unknown,
): DomainError =>
  new DomainError(code, sentence(extra), {
    extra,
    cause,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });

/** What the database says of uploads at once, for who knows it without asking. */
export const tooManyUploads = (limit: number): DomainError =>
  asDomainError(tooManyUploadsMeaning, { limit, used: limit });

/**
 * Turns what the driver throws into a domain error: a name raised by our SQL, or
 * `service_unavailable` when the database could not be reached. Anything else is a bug and stays.
 */
export function fromDriver(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  const { code, message = '', detail } = error as DriverError;
  const meaning = code?.startsWith('RL') ? raised[message] : undefined;
  if (meaning) return asDomainError(meaning, toldBy(message, detail), error);
  if (!code || passing.includes(code.slice(0, 2)))
    return new DomainError(
      'service_unavailable',
      'The database does not answer; try again shortly.',
      {
        extra: { part: 'database' },
        retryAfterSeconds: 5,
        cause: error,
      },
    );
  return error;
}
