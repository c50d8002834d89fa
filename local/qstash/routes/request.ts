import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { quotas } from '../plan.ts';
import { notPlayed, Refusal } from '../problem.ts';
import { parseDestination, telemetry } from '../settings.ts';

type Env = { Bindings: HttpBindings };
export type Ctx = Context<Env>;

/** A group of routes with the Node request at hand. */
export const routes = () => new Hono<Env>();

/** The request target as the client sent it: a destination in it must not be normalised. */
function rawAfter(c: Ctx, prefix: string): string {
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

// What each route reads for itself; anything else of these must not be there.
const readers: [RegExp, string][] = [
  [/^POST \/v2\/publish\/./, 'headers query body'],
  [/^POST \/v2\/batch$/, 'body'],
  [/^POST \/v2\/dlq\/retry\//, 'headers'],
  [/^POST \/v2\/dlq\/retry$/, 'headers query'],
  [/^(?:GET|DELETE) \/v2\/(?:messages|dlq|logs|events|bulkActions)$/, 'query'],
  [/^POST \/v2\/flowControl\/[^/]+\/(?:un)?pin$/, 'query'],
];

const known =
  /^\/v2\/(?:publish|batch|messages|bulkActions|dlq|flowControl|globalParallelism|keys|logs|events)(?:\/|$)/;

/** Refuses headers, parameters and bodies that the route would ignore. */
export const refuseUnread: MiddlewareHandler<Env> = async (c, next) => {
  if (!known.test(c.req.path)) return c.notFound();
  const route = `${c.req.method} ${c.req.path}`;
  const reads = readers.find(([form]) => form.test(route))?.[1] ?? '';
  const [parameter] = query(c).keys();
  if (parameter !== undefined && !reads.includes('query'))
    throw notPlayed(`parameter ${parameter}`);
  for (const name of c.req.raw.headers.keys())
    if (name.startsWith('upstash-') && !telemetry.test(name) && !reads.includes('headers'))
      throw notPlayed(`header ${name}`);
  const { 'content-length': length = '0', 'transfer-encoding': chunked } = c.env.incoming.headers;
  if ((length !== '0' || chunked) && !reads.includes('body')) throw notPlayed('a body here');
  return next();
};
