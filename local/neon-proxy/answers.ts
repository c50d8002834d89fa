import { DatabaseError } from 'pg';

/** An HTTP answer: JSON text and the headers that are not always the same. */
export type Answer = { status: number; body: string; headers?: Record<string, string> | undefined };

/**
 * A refusal of the proxy itself, with Neon's wording and status: 400 bad input, 413 request too
 * large, 500 no connection to Postgres, 507 response too large.
 */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Postgres could not be reached, or turned the connection away. */
export class ConnectFailure extends Error {}

const details = [
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'where',
  'table',
  'column',
  'schema',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
] as const;

/** Neon's error object; what is not known is null, but `code` and `severity` are empty strings. */
function errorBody(message: string, error?: DatabaseError): string {
  const body: Record<string, string | null> = { message, code: error?.code ?? '' };
  for (const name of details) body[name] = error?.[name] ?? null;
  body['severity'] = error?.severity ?? '';
  return JSON.stringify(body);
}

/**
 * Turns whatever stopped a request into Neon's answer: 400 for what Postgres refused to run, 500 when
 * there was no connection to it.
 * Source: `sql_over_http.rs` in neondatabase/neon, `proxy/src/serverless`.
 */
export function failureAnswer(error: unknown): Answer {
  if (error instanceof Refusal) return { status: error.status, body: errorBody(error.message) };
  if (error instanceof ConnectFailure) {
    const { cause } = error;
    if (cause instanceof DatabaseError && cause.code === '28P01')
      return { status: 400, body: errorBody(cause.message.replaceAll('"', "'")) };
    const reason = cause instanceof DatabaseError ? cause : undefined;
    return { status: 500, body: errorBody(error.message, reason) };
  }
  if (error instanceof DatabaseError) return { status: 400, body: errorBody(error.message, error) };
  return { status: 400, body: errorBody(error instanceof Error ? error.message : String(error)) };
}
