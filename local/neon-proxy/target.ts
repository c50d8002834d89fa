import type { ClientConfig } from 'pg';
import { Refusal } from './answers.ts';

/** What a connection string says, as `pg` wants it. */
export type Target = ClientConfig & { host: string; port: number };

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);

/** Refuses to connect anywhere but to this machine, whatever a stray production URL says. */
export function requireLoopback(host: string): void {
  if (!loopback.has(host))
    throw new Refusal(400, `this local proxy connects to loopback only, not to "${host}"`);
}

function parse(connectionString: string): URL {
  const scheme = /^postgres(?:ql)?:\/\//.exec(connectionString)?.[0];
  if (scheme === undefined) throw new Refusal(400, 'incorrect scheme');
  try {
    return new URL(`http://${connectionString.slice(scheme.length)}`);
  } catch {
    throw new Refusal(400, 'invalid connection string');
  }
}

/**
 * Reads the header `Neon-Connection-String`; TLS settings in it concern the way to the proxy and are
 * ignored. `server`, a connection string too, replaces the host, port, user and password.
 * @throws Refusal 400 with Neon's words.
 */
export function parseTarget(connectionString: string | undefined, server?: string): Target {
  if (connectionString === undefined)
    throw new Refusal(400, 'invalid header: neon-connection-string');
  const url = parse(connectionString);
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === '') throw new Refusal(400, 'missing database name');
  const place = server === undefined ? url : parse(server);
  if (place.username === '') throw new Refusal(400, 'missing username');
  if (place.password === '')
    throw new Refusal(400, 'missing authentication credentials: required password');
  requireLoopback(place.hostname);
  const name = url.searchParams.get('application_name');
  const options = url.searchParams.get('options');
  return {
    host: place.hostname.replaceAll(/[[\]]/g, ''),
    port: Number(place.port || 5432),
    user: decodeURIComponent(place.username),
    password: decodeURIComponent(place.password),
    database,
    ssl: false,
    ...(name === null ? {} : { application_name: name }),
    ...(options === null ? {} : { options }),
  };
}
