import { describeRoute, resolver, validator } from 'hono-openapi';
import type { Context } from 'hono';
import type { ZodType } from 'zod';
import { DomainError, type ErrorCode } from '../errors.ts';
import { meanings } from '../http/problem.ts';
import { problemSchema } from './problem-schema.ts';

type Description = {
  tag: string;
  summary: string;
  description?: string;
  /** Who may call; `none` is anybody. */
  auth: 'user' | 'admin' | 'none' | 'stripe' | 'qstash';
  /** A body that is not JSON. */
  body?: { contentType: string; description: string };
  /** A JSON body that may be missing; `optionalBody` reads it. */
  optionalJson?: ZodType;
  ok: { status: number; description: string; schema?: ZodType; contentType?: string };
  errors?: ErrorCode[];
};

const always: Record<Description['auth'], ErrorCode[]> = {
  user: ['unauthorized', 'rate_limited', 'service_unavailable'],
  admin: ['unauthorized', 'service_unavailable'],
  stripe: ['invalid_signature', 'invalid_payload', 'too_large', 'service_unavailable'],
  qstash: ['invalid_queue_signature', 'service_unavailable'],
  none: [],
};

const security: Record<Description['auth'], Record<string, string[]>[]> = {
  user: [{ user: [] }],
  admin: [{ admin: [] }],
  stripe: [{ stripe: [] }],
  qstash: [{ qstash: [] }],
  none: [],
};

/** Documents a route beside its handler; the answers of every refusal come from `meanings`. */
export function describe(route: Description) {
  const codes = [...new Set([...always[route.auth], ...(route.errors ?? [])])];
  const statuses = [...new Set(codes.map((code) => meanings[code].status))].toSorted(
    (a, b) => a - b,
  );
  const refusals = statuses.map((status) => {
    const names = codes.filter((code) => meanings[code].status === status);
    const description = names.map((code) => `\`${meanings[code].code ?? code}\``).join(', ');
    const content = { 'application/problem+json': { schema: resolver(problemSchema) } };
    return [status, { description, content }] as const;
  });
  const { ok } = route;
  const type = ok.contentType ?? 'application/json';
  const content = ok.schema
    ? { [type]: { schema: resolver(ok.schema) } }
    : ok.contentType
      ? { [type]: {} }
      : undefined;
  return describeRoute({
    tags: [route.tag],
    summary: route.summary,
    ...(route.description !== undefined && { description: route.description }),
    security: security[route.auth],
    ...(route.body && {
      requestBody: {
        description: route.body.description,
        content: { [route.body.contentType]: {} },
      },
    }),
    ...(route.optionalJson && {
      requestBody: {
        required: false,
        content: { 'application/json': { schema: resolver(route.optionalJson) } },
      },
    }),
    responses: {
      [ok.status]: { description: ok.description, ...(content && { content }) },
      ...Object.fromEntries(refusals),
    },
  });
}

/** Checks a part of the request; what does not fit is `invalid_request` with a list of fields. */
export const checked = <
  Schema extends ZodType,
  Target extends 'json' | 'query' | 'param' | 'header',
>(
  target: Target,
  schema: Schema,
) =>
  validator(target, schema, (result) => {
    if (result.success) return;
    // An id that is none names nothing: the same answer as for somebody else's.
    if (target === 'param') throw new DomainError('not_found', 'There is no such object.');
    throw unfit(result.error);
  });

type Issue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

const unfit = (issues: readonly Issue[]): DomainError =>
  new DomainError('invalid_request', 'Some fields do not fit.', {
    extra: {
      errors: issues.map(({ path, message }) => ({
        field: (path ?? [])
          .map((step) => String(typeof step === 'object' ? step.key : step))
          .join('.'),
        message,
      })),
    },
  });

/**
 * A JSON body that may be missing altogether; one that is not sent as JSON is refused, as where a body must be.
 * Throws `invalid_json`, `invalid_request`.
 */
export async function optionalBody<T>(c: Context, schema: ZodType<T>): Promise<T> {
  const text = await c.req.text();
  const isMissing = text.trim() === '';
  if (
    !isMissing &&
    !/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(c.req.header('content-type') ?? '')
  )
    throw unfit([{ message: 'the body is not sent as application/json' }]);
  let body: unknown = {};
  try {
    if (!isMissing) body = JSON.parse(text);
  } catch {
    throw new DomainError('invalid_json', 'The body is not JSON.');
  }
  const result = schema.safeParse(body);
  if (!result.success) throw unfit(result.error.issues);
  return result.data;
}
