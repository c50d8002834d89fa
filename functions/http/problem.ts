import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { DomainError, type ErrorCode } from '../errors.ts';

type Meaning = { status: ContentfulStatusCode; title: string; code?: string };

/** The one place where a refusal gets its HTTP status. */
export const meanings: Record<ErrorCode, Meaning> = {
  unauthorized: { status: 401, title: 'Not signed in' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_request: { status: 422, title: 'The request does not fit' },
  invalid_payload: { status: 400, title: 'The payload is not an event' },
  invalid_signature: { status: 400, title: 'The signature does not fit' },
  invalid_queue_signature: {
    status: 401,
    title: 'The signature does not fit',
    code: 'invalid_signature',
  },
  // Not in the registry: QStash's word for "do not send this again".
  unreadable_message: { status: 489 as ContentfulStatusCode, title: 'The message cannot be read' },
  not_delivered: { status: 502, title: 'The receiver did not take it' },
  too_large: { status: 413, title: 'Too large' },
  unsupported_media_type: { status: 415, title: 'The body must be the CSV itself' },
  encoding_unknown: { status: 422, title: 'The encoding of the file is not known' },
  csv_invalid: { status: 422, title: 'The CSV cannot be read' },
  account_suspended: { status: 403, title: 'The account is suspended' },
  books_behind: { status: 503, title: 'The account is busy', code: 'busy' },
  insufficient_credits: { status: 402, title: 'Not enough credits' },
  balance_too_low: { status: 409, title: 'The balance is lower than that' },
  job_not_open: { status: 409, title: 'The job is not open for this' },
  settings_changed: { status: 503, title: 'The job was changed', code: 'busy' },
  job_running: { status: 409, title: 'The job is still running' },
  no_input: { status: 409, title: 'The job has no rows yet' },
  no_output: { status: 409, title: 'The job has no output yet' },
  rows_expired: { status: 410, title: 'The rows were deleted' },
  nothing_to_retry: { status: 409, title: 'No row has failed' },
  too_many_retries: { status: 409, title: 'The job was retried too often' },
  too_many_failed_rows: { status: 429, title: 'Too many rows failed or were cancelled today' },
  fair_use: { status: 429, title: 'The fair use of a day is reached' },
  too_many_jobs: { status: 429, title: 'Too many open jobs' },
  too_many_uploads: { status: 429, title: 'Too many uploads at once' },
  too_many_streams: { status: 429, title: 'Too many event streams' },
  storage_full: { status: 429, title: 'The storage is full' },
  event_settled: { status: 409, title: 'The event has come to its end' },
  upload_superseded: { status: 409, title: 'Another upload for this job has started' },
  upload_interrupted: { status: 400, title: 'The upload was interrupted' },
  idempotency_key_reused: { status: 422, title: 'Idempotency key used for another request' },
  subscription_exists: { status: 409, title: 'There is a subscription already' },
  subscription_ending: { status: 409, title: 'The subscription is about to end' },
  downgrade_at_period_end: {
    status: 409,
    title: 'A yearly plan can be downgraded only at the end of its period',
  },
  no_subscription: { status: 409, title: 'There is no subscription' },
  unknown_plan: { status: 422, title: 'Unknown plan' },
  unknown_pack: { status: 422, title: 'Unknown pack' },
  redirect_not_allowed: { status: 422, title: 'Redirect not allowed' },
  payment_due: { status: 409, title: 'An invoice must be paid first' },
  payment_failed: { status: 402, title: 'The payment was not made' },
  payment_provider_unavailable: { status: 503, title: 'Payments are unavailable' },
  payment_provider_refused: { status: 502, title: 'The payment provider refused' },
  rate_limited: { status: 429, title: 'Too many requests' },
  busy: { status: 503, title: 'Busy with this already' },
  service_unavailable: { status: 503, title: 'Temporarily unavailable' },
  misconfigured: { status: 500, title: 'The service is not configured' },
  internal: { status: 500, title: 'Internal error' },
};

/** An RFC 9457 answer. Whatever is not a `DomainError` tells nothing but the request id. */
export function problem(c: Context, error: unknown): Response {
  const known = error instanceof DomainError ? error : new DomainError('internal');
  const { status, title, code = known.code } = meanings[known.code];
  const requestId: unknown = c.get('requestId' as never);
  const body = {
    ...known.extra,
    type: `/docs#error-${code}`,
    title,
    status,
    ...(known.detail !== undefined && { detail: known.detail }),
    code,
    requestId,
  };
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  };
  if (known.retryAfterSeconds !== undefined)
    headers['retry-after'] = String(known.retryAfterSeconds);
  if (status === 401 && known.code === 'unauthorized') headers['www-authenticate'] = 'Bearer';
  return c.body(JSON.stringify(body), status, headers);
}
