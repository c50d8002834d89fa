import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { once } from 'node:events';
import type { Scripted } from './settings.ts';

const maxHangMs = 120_000;

/** Plays what is the same at every provider and needs no answer; undefined: it is something else. */
export async function breakConnection(
  kind: Scripted['kind'],
  { incoming, outgoing }: HttpBindings,
  contentType = 'application/json',
): Promise<Response | undefined> {
  if (kind === 'empty') return new Response('', { headers: { 'content-type': contentType } });
  const html = { 'content-type': 'text/html' };
  if (kind === 'unreadable') return new Response('<html>Bad gateway</html>', { headers: html });
  if (kind !== 'hang' && kind !== 'refused') return undefined;
  if (kind === 'refused') incoming.socket.resetAndDestroy();
  // Until the client gives up, two minutes at most; it may have done so before this began.
  if (outgoing.destroyed) return RESPONSE_ALREADY_SENT;
  const timer = setTimeout(() => outgoing.destroy(), maxHangMs).unref();
  await once(outgoing, 'close');
  clearTimeout(timer);
  return RESPONSE_ALREADY_SENT;
}

/** Cuts a plain answer: the headers promise more bytes than ever come. */
export function cutAnswer({ outgoing }: HttpBindings, body: string): Response {
  const length = Buffer.byteLength(body);
  outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
  outgoing.write(body.slice(0, body.length / 2), () => outgoing.destroy());
  return RESPONSE_ALREADY_SENT;
}
