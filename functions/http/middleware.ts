import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { routePath } from 'hono/route';
import { DomainError } from '../errors.ts';
import { bearerOf, sameSecret } from './auth.ts';

/** What middleware leaves for the handlers. */
export type Vars = { requestId: string; userId?: string };

type Log = (event: string, fields: Record<string, string | number | boolean | null>) => void;

/** One structured line a request: the route's pattern, not its path; the user's id, nothing else of them. */
export function requestLog(log: Log, now: () => Date): MiddlewareHandler<{ Variables: Vars }> {
  return async (c, next) => {
    const start = now().getTime();
    await next();
    log('request', {
      requestId: c.get('requestId'),
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      durationMs: now().getTime() - start,
      userId: c.get('userId') ?? null,
    });
  };
}

/** Admits the operator's token only. */
export function requireAdmin(adminToken: string): MiddlewareHandler {
  return async (c, next) => {
    if (!(await sameSecret(bearerOf(c.req.header('authorization')), adminToken)))
      throw new DomainError('unauthorized', 'This is not the operator token.');
    return next();
  };
}

/** Bounds a body before it is read: more is `too_large`, whatever Content-Length says. */
export const limitBody = (limitBytes: number): MiddlewareHandler =>
  bodyLimit({
    maxSize: limitBytes,
    onError: () => {
      throw new DomainError('too_large', `The body is larger than ${limitBytes} bytes.`, {
        extra: { limitBytes },
      });
    },
  });

/** The body byte for byte as it was signed, if it is UTF-8: `text()` would drop a byte order mark. */
export async function signedText(c: Context): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
  return decoder.decode(await c.req.arrayBuffer());
}
