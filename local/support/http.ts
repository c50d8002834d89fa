import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A stand-in that is listening on loopback. `close` resolves once nothing of it is left running. */
export type Service = { url: string; port: number; server: Server; close: () => Promise<void> };

/** Starts a Hono app on 127.0.0.1; port 0 takes a free one. */
export async function listen(app: Pick<Hono, 'fetch'>, port = 0): Promise<Service> {
  const server = await new Promise<Server>((resolve, reject) => {
    const started = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () =>
      resolve(started),
    ) as Server;
    started.once('error', reject);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A promise that resolves after `ms` and does not keep the process alive. */
export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
