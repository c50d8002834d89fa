import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { quotas, Refusal } from '../problem.ts';
import { parseDestination } from '../settings.ts';

export type Env = { Bindings: HttpBindings };
export type Ctx = Context<Env>;

/** A group of routes with the Node request at hand. */
export const routes = () => new Hono<Env>();

/** The request target as the client sent it: a destination in it must not be normalised. */
export function rawAfter(c: Ctx, prefix: string): string {
  const target = c.env.incoming.url ?? '';
  return target.slice(target.indexOf(prefix) + prefix.length);
}

/** The destination that stands raw or percent-encoded after `prefix`. */
export const destinationAfter = (c: Ctx, prefix: string): string =>
  parseDestination(rawAfter(c, prefix));

/** The body's bytes; more than `limit` → 412, without reading on. */
export async function bodyBytes(c: Ctx, limit: number = quotas.maxMessageSize): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.length;
    if (size > limit)
      throw new Refusal(412, `quota maxMessageSize exceeded, current limit: ${limit}`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export const callerIp = (c: Ctx): string => c.env.incoming.socket.remoteAddress ?? '';

export const query = (c: Ctx): URLSearchParams => new URL(c.req.url).searchParams;
