import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { sleep } from '../support/http.ts';
import { requireLoopback } from './target.ts';
import type { Context } from './sql.ts';

/** More than this on its way to a slow caller, and Postgres has to wait. */
const highWaterBytes = 1 << 20;

/** Carries bytes both ways; whichever end closes first closes the other. */
function join(socket: WebSocket, upstream: Socket): void {
  upstream.setNoDelay(true);
  socket.on('message', (data: Buffer) => {
    if (!upstream.write(data)) socket.pause();
  });
  upstream.on('drain', () => socket.resume());
  upstream.on('data', (chunk) => {
    socket.send(chunk, { binary: true }, () => {
      if (upstream.isPaused() && socket.bufferedAmount < highWaterBytes) upstream.resume();
    });
    if (socket.bufferedAmount >= highWaterBytes) upstream.pause();
  });
  upstream.on('close', () => socket.close());
  upstream.on('error', () => socket.close(1011, 'could not connect to Postgres'));
  socket.on('close', () => upstream.destroy());
  socket.on('error', () => upstream.destroy());
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/** Where a tunnel shall lead: `address=host:port`, unless the proxy has a server of its own. */
function addressOf(url: URL, server: string | undefined): { host: string; port: number } {
  const own = server === undefined ? undefined : new URL(server);
  const place = own ?? new URL(`http://${url.searchParams.get('address') ?? ''}`);
  requireLoopback(place.hostname);
  return { host: place.hostname.replaceAll(/[[\]]/g, ''), port: Number(place.port || 5432) };
}

/** Serves `GET /v2?address=host:port`, Neon's tunnel for the Postgres protocol. */
export class Tunnels {
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #context: Context;
  readonly #server: string | undefined;

  constructor(context: Context, server: string | undefined) {
    this.#context = context;
    this.#server = server;
  }

  /** Takes an HTTP upgrade over. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const struck = this.#context.faults.take('request', 'GET /v2');
    for (const fault of struck) if (fault.kind === 'latency') await sleep(fault.ms ?? 0);
    if (struck.some((fault) => fault.kind === 'drop')) return void socket.destroy();
    const status = struck.find((fault) => fault.kind === 'status');
    if (status) return refuse(socket, `${status.status ?? 500} Fault`);
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname !== '/v2') return refuse(socket, '404 Not Found');
    let address: { host: string; port: number };
    try {
      address = addressOf(url, this.#server);
    } catch {
      return refuse(socket, '400 Bad Request');
    }
    this.#context.stats.tunnels += 1;
    this.#sockets.handleUpgrade(request, socket, head, (opened) =>
      join(opened, connect(address.port, address.host)),
    );
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
  }
}
