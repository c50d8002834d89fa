import { DomainError, type ErrorCode } from '../functions/errors.ts';

/** What the SQL functions raise (SQLSTATE class RL, message = name) in the API's words. */
const raised: Record<string, ErrorCode> = {
  job_not_found: 'not_found',
  job_not_open: 'job_not_open',
  job_running: 'job_running',
  books_behind: 'books_behind',
  rows_expired: 'rows_expired',
  nothing_to_retry: 'nothing_to_retry',
  upload_superseded: 'upload_superseded',
  fact_of_another_user: 'idempotency_key_reused',
};

/** Classes of SQLSTATE that mean "not now": connection, resources, operator, system. */
const passing = ['08', '40', '53', '55', '57', '58'];

type DriverError = { code?: string; message?: string; detail?: string; constraint?: string };

/**
 * Turns what the driver throws into a domain error: a name raised by our SQL, or
 * `service_unavailable` when the database could not be reached. Anything else is a bug and stays.
 */
export function fromDriver(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  const { code, message, detail } = error as DriverError;
  if (code?.startsWith('RL') && message !== undefined && raised[message])
    return new DomainError(raised[message], detail ?? undefined, { cause: error });
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
