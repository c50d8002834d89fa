import { connect, type Socket } from 'node:net';
import { type Command, type Reply } from '../reply.ts';
import { encode, ReplyReader } from './resp.ts';

type Waiting = { resolve: (reply: Reply) => void; reject: (error: Error) => void };

/** One socket to a redis-server; replies come in the order of the commands. */
export class Connection {
  #socket: Socket;
  #reader = new ReplyReader();
  #waiting: Waiting[] = [];
  #broken: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const reply of this.#reader.push(bytes)) this.#waiting.shift()?.resolve(reply);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('redis-server closed the connection')));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  /** Sends all in one write, so that nothing of another caller comes in between. */
  send(commands: Command[]): Promise<Reply[]> {
    if (this.#broken) return Promise.reject(this.#broken);
    const replies = commands.map(
      () =>
        new Promise<Reply>((resolve, reject) => {
          this.#waiting.push({ resolve, reject });
        }),
    );
    this.#socket.write(commands.map(encode).join(''), 'latin1');
    return Promise.all(replies);
  }

  close(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#broken);
  }
}
