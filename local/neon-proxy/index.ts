import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Faults } from '../support/faults.ts';
import type { Service } from '../support/http.ts';
import { Pools } from './pools.ts';
import { type Context, handleSql, type Stats } from './sql.ts';
import { Tunnels } from './tunnel.ts';

export type { Stats } from './sql.ts';

/** Neon's documented limit for requests and responses. */
const neonLimitBytes = 64 * 1024 * 1024;

type NeonProxyOptions = {
  /** Absent: a free one. */
  port?: number | undefined;
  /** Connect to this server as this user, whoever callers name; the database stays theirs. */
  connectionString?: string | undefined;
  maxResponseBytes?: number | undefined;
  maxRequestBytes?: number | undefined;
  faults?: Faults | undefined;
};

const noStats = (): Stats => ({ requests: 0, statements: 0, transactions: 0, tunnels: 0 });

function localRoutes(context: Context): Hono {
  const app = new Hono();
  app.route('/_local', context.faults.routes());
  app.get('/_local/stats', (c) => c.json(context.stats));
  app.post('/_local/stats/reset', (c) => {
    Object.assign(context.stats, noStats());
    return c.body(null, 204);
  });
  app.all('*', (c) => c.json('query is not supported', 400));
  return app;
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/**
 * Starts a stand-in for Neon's proxy on 127.0.0.1: `POST /sql` for the HTTP driver, `GET /v2` for
 * WebSocket tunnels, switches under `/_local/faults`, counters at `/_local/stats`.
 * Source: neondatabase/neon, `proxy/src/serverless`.
 */
export async function startNeonProxy(
  options: NeonProxyOptions = {},
): Promise<Service & { faults: Faults; stats: Stats }> {
  const context: Context = {
    pools: new Pools(options.connectionString),
    faults: options.faults ?? new Faults(),
    stats: noStats(),
    maxResponseBytes: options.maxResponseBytes ?? neonLimitBytes,
    maxRequestBytes: options.maxRequestBytes ?? neonLimitBytes,
  };
  const tunnels = new Tunnels(context, options.connectionString);
  const others = getRequestListener(localRoutes(context).fetch, { overrideGlobalObjects: false });
  // A caller's statement may wait for a lock as long as it likes, and idle callers keep their line.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 });
  server.on('request', (request, response) => {
    const isSql = request.method === 'POST' && /^\/sql(?:$|\?)/.test(request.url ?? '');
    void (isSql ? handleSql(context, request, response) : others(request, response));
  });
  server.on('upgrade', (request, socket, head) => void tunnels.upgrade(request, socket, head));
  const port = await listenOn(server, options.port ?? 0);
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    tunnels.close();
    server.closeAllConnections();
    await Promise.all([closed, context.pools.close()]);
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    close,
    faults: context.faults,
    stats: context.stats,
  };
}
