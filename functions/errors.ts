/** Everything that can go wrong in words a caller can act on; `http/problem.ts` gives each its status. */
export type ErrorCode =
  | 'unauthorized'
  | 'not_found'
  | 'method_not_allowed'
  | 'invalid_json'
  | 'invalid_request'
  | 'invalid_payload'
  | 'invalid_signature'
  | 'invalid_queue_signature'
  | 'unreadable_message'
  | 'not_delivered'
  | 'too_large'
  | 'unsupported_media_type'
  | 'csv_invalid'
  | 'encoding_unknown'
  | 'insufficient_credits'
  | 'account_suspended'
  | 'books_behind'
  | 'balance_too_low'
  | 'job_not_open'
  | 'job_running'
  | 'no_input'
  | 'settings_changed'
  | 'no_output'
  | 'rows_expired'
  | 'nothing_to_retry'
  | 'too_many_retries'
  | 'too_many_failed_rows'
  | 'fair_use'
  | 'too_many_jobs'
  | 'too_many_uploads'
  | 'too_many_streams'
  | 'storage_full'
  | 'event_settled'
  | 'upload_superseded'
  | 'upload_interrupted'
  | 'idempotency_key_reused'
  | 'subscription_exists'
  | 'subscription_ending'
  | 'downgrade_at_period_end'
  | 'no_subscription'
  | 'unknown_plan'
  | 'unknown_pack'
  | 'redirect_not_allowed'
  | 'payment_due'
  | 'payment_failed'
  | 'payment_provider_unavailable'
  | 'payment_provider_refused'
  | 'rate_limited'
  | 'busy'
  | 'service_unavailable'
  | 'misconfigured'
  | 'internal';

/**
 * A refusal with a stable code. `detail` is for people and names no secret, address or row content;
 * `extra` holds further fields of the answer.
 */
export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly extra: Record<string, unknown>;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    detail?: string,
    options: { extra?: Record<string, unknown>; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(detail ?? code, { cause: options.cause });
    this.code = code;
    this.detail = detail;
    this.extra = options.extra ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
