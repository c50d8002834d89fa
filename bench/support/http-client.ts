import { connect, type Socket } from 'node:net';

export type Answer = { status: number; body: Buffer };

const headEnd = Buffer.from('\r\n\r\n');
const lastChunk = Buffer.from('\r\n0\r\n\r\n');

/** An answer and the length of its bytes, once all are there. */
function read(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const start = end + headEnd.length;
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) {
    if (bytes.length < start + Number(length)) return undefined;
    return { status, body: bytes.subarray(start, start + Number(length)) };
  }
  if (!head.includes('\r\ntransfer-encoding: chunked')) return { status, body: Buffer.alloc(0) };
  const isEmpty = bytes.subarray(start).toString('latin1') === '0\r\n\r\n';
  if (!isEmpty && !bytes.subarray(-lastChunk.length).equals(lastChunk)) return undefined;
  return { status, body: bytes.subarray(start) };
}

/**
 * One keep-alive connection that sends one request at a time. It knows as much of HTTP/1.1 as our
 * servers speak: on two shared cores a full client would cost as much as what it measures.
 */
export class Connection {
  readonly #socket: Socket;
  #bytes: Buffer | undefined;
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#settle?.reject(error));
    socket.on('close', () => this.#settle?.reject(new Error('The server closed the connection.')));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  send(request: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#bytes ? Buffer.concat([this.#bytes, chunk]) : chunk;
    const answer = read(bytes);
    this.#bytes = answer ? undefined : bytes;
    if (!answer) return;
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve(answer);
  }
}

/** A request as bytes. */
export function requestBytes(
  method: string,
  url: URL,
  headers: Record<string, string>,
  body = '',
): Uint8Array {
  const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const all: Record<string, string> = { host: url.host, ...headers, ...length };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n${body}`,
  );
}
