import type { Context, MiddlewareHandler } from 'hono';
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

/** Byte for byte what a signature was made of, if it is UTF-8: a byte order mark stays. */
const utf8 = { fatal: false, ignoreBOM: true };

/**
 * The body as text, at most `maxBytes`; more is `too_large` without reading on, whatever
 * Content-Length says.
 */
export async function readBody(c: Context, maxBytes: number): Promise<string> {
  const tooLarge = () =>
    new DomainError('too_large', `The body is larger than ${maxBytes} bytes.`, {
      extra: { limitBytes: maxBytes },
    });
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge();
  // A length that is told and small: the platform reads it faster than a loop can.
  const told = c.req.header('content-length');
  if (told !== undefined && !c.req.header('transfer-encoding'))
    return new TextDecoder('utf-8', utf8).decode(await c.req.arrayBuffer());
  const reader = c.req.raw.body?.getReader();
  if (!reader) return '';
  const decoder = new TextDecoder('utf-8', utf8);
  let text = '';
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge();
    }
    text += decoder.decode(value, { stream: true });
  }
}
